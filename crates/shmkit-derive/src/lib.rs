//! The derive of `shmkit`: `#[derive(Shareable)]`. Use it through `shmkit`, which documents it.
//!
//! The derive only generates a description of the source: names, types, and `offset_of!`. Layouts,
//! their hashes and the checks of bytes are in `shmkit::shareable`.

mod enumeration;
mod repr;
mod structure;

use proc_macro2::TokenStream;
use syn::{Data, DeriveInput, Error, GenericParam, Result, parse_quote};

use crate::repr::Repr;

/// Implements `Shareable` for a struct with `#[repr(C)]` or `#[repr(transparent)]` and shareable
/// fields, or for an enum without fields and with a `repr` of at most 64 bits, such as
/// `#[repr(u8)]`.
///
/// A generic type is shareable if its parameters are.
#[proc_macro_derive(Shareable)]
pub fn derive_shareable(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    expand(input).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(mut input: DeriveInput) -> Result<TokenStream> {
    let repr = Repr::of(&input.attrs)?;
    for param in &mut input.generics.params {
        match param {
            GenericParam::Type(param) => param.bounds.push(parse_quote!(::shmkit::Shareable)),
            GenericParam::Lifetime(param) => {
                let why = "a type that borrows cannot be shared: an address is valid in one \
                           process only. Share the value itself, or an index";
                return Err(Error::new_spanned(param, why));
            }
            GenericParam::Const(_) => {}
        }
    }
    match &input.data {
        Data::Struct(data) => structure::expand(&input, &data.fields, &repr),
        Data::Enum(data) => enumeration::expand(&input, data, &repr),
        Data::Union(data) => {
            let why = "a union cannot be shared: it does not record which field is valid. \
                       Use a `#[repr(C)]` struct";
            Err(Error::new_spanned(data.union_token, why))
        }
    }
}
