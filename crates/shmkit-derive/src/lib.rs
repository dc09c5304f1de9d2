//! The derive of `shmkit`: `#[derive(Shareable)]`. Use it through `shmkit`, which documents it.
//!
//! The derive only writes down what the source says: names, types, and `offset_of!`. What a layout
//! is, how it is hashed and how bytes are checked is in `shmkit::shareable`.

mod enumeration;
mod structure;

use proc_macro2::TokenStream;
use syn::{Attribute, Data, DeriveInput, Error, GenericParam, Ident, Result, parse_quote};

/// Implements `Shareable`: for `#[repr(C)]` and `#[repr(transparent)]` structs of shareable fields,
/// and for enums without fields that have a `repr` of at most 64 bits, such as `#[repr(u8)]`.
///
/// Generic types are shareable where their parameters are.
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
                let why = "a type that borrows cannot be shared: an address holds in one process \
                           only. Share the value itself, or an index";
                return Err(Error::new_spanned(param, why));
            }
            GenericParam::Const(_) => {}
        }
    }
    match &input.data {
        Data::Struct(data) => structure::expand(&input, &data.fields, &repr),
        Data::Enum(data) => enumeration::expand(&input, data, &repr),
        Data::Union(data) => {
            let why = "a union cannot be shared: nothing says which of its fields is there. \
                       Use a `#[repr(C)]` struct";
            Err(Error::new_spanned(data.union_token, why))
        }
    }
}

/// What the `repr` attributes of a type say.
#[derive(Default)]
struct Repr {
    /// `C` or `transparent`: fields are where the source says.
    fixed: bool,
    packed: Option<Ident>,
    align: Option<Ident>,
    integer: Option<Ident>,
}

impl Repr {
    fn of(attributes: &[Attribute]) -> Result<Self> {
        let mut repr = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("repr")) {
            attribute.parse_nested_meta(|meta| {
                let word = meta.path.require_ident()?;
                if word == "C" || word == "transparent" {
                    repr.fixed = true;
                } else if word == "packed" {
                    repr.packed = Some(word.clone());
                } else if word == "align" {
                    repr.align = Some(word.clone());
                } else if word != "Rust" {
                    repr.integer = Some(word.clone());
                }
                if meta.input.peek(syn::token::Paren) {
                    let content;
                    syn::parenthesized!(content in meta.input);
                    content.parse::<TokenStream>()?;
                }
                Ok(())
            })?;
        }
        Ok(repr)
    }
}
