//! `Shareable` for enums without fields.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::{DataEnum, DeriveInput, Error, Result};

use crate::repr::Repr;

/// Generates the implementation for an enum.
pub(crate) fn expand(input: &DeriveInput, data: &DataEnum, repr: &Repr) -> Result<TokenStream> {
    let repr = check(input, data, repr)?;
    let ident = &input.ident;
    let name = ident.unraw().to_string();
    let scalar = Ident::new(&repr.to_string().to_uppercase(), Span::call_site());
    let variants: Vec<_> = data.variants.iter().map(|variant| &variant.ident).collect();
    let names = variants.iter().map(|variant| variant.unraw().to_string());
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();

    // The compiler refuses an enum with a destructor at its cast.
    Ok(quote! {
        #[automatically_derived]
        unsafe impl #impl_generics ::shmkit::Shareable for #ident #type_generics #where_clause {
            const LAYOUT: &'static ::shmkit::shareable::Layout =
                &::shmkit::shareable::derive::enumeration::<Self>(
                    #name,
                    ::shmkit::shareable::derive::Scalar::#scalar,
                    const {
                        &::shmkit::shareable::derive::in_order([
                            #(::shmkit::shareable::derive::Variant {
                                name: #names,
                                value: Self::#variants as #repr as i128,
                            }),*
                        ])
                    },
                );
            const PADDED: bool = false;
            const ALWAYS_VALID: bool = false;
            const ZEROS_VALID: bool = #(Self::#variants as #repr == 0)||*;

            #[inline]
            fn valid(bytes: &[u8]) -> bool {
                match ::core::convert::TryFrom::try_from(bytes).map(#repr::from_le_bytes) {
                    ::core::result::Result::Ok(value) => {
                        #(value == Self::#variants as #repr)||*
                    }
                    ::core::result::Result::Err(_) => false,
                }
            }

            #[inline]
            fn encode(&self, out: &mut [u8]) {
                if let ::core::option::Option::Some(bytes) = ::shmkit::shareable::bytes_of(self) {
                    out.copy_from_slice(bytes);
                }
            }
        }
    })
}

/// Checks the enum. Returns the integer type that holds it.
fn check<'a>(input: &DeriveInput, data: &DataEnum, repr: &'a Repr) -> Result<&'a Ident> {
    let ident = &input.ident;
    if let Some(variant) = data.variants.iter().find(|variant| !variant.fields.is_empty()) {
        let why = "an enum with fields cannot be shared: its variants use different bytes. Use a \
                   struct of an enum without fields and a `Maybe<T>` for each part";
        return Err(Error::new_spanned(&variant.fields, why));
    }
    if data.variants.is_empty() {
        let why = format!("`{ident}` cannot be shared: without variants it has no values");
        return Err(Error::new_spanned(ident, why));
    }
    if let Some(align) = &repr.align {
        let why = "an enum with an alignment of its own cannot be shared: its size differs from \
                   its integer. Align the struct that contains it";
        return Err(Error::new_spanned(align, why));
    }
    let Some(integer) = &repr.integer else {
        let why = format!(
            "`{ident}` cannot be shared: the compiler chooses its size. Add `#[repr(u8)]`, or \
             another integer of up to 64 bits"
        );
        return Err(Error::new_spanned(ident, why));
    };
    if ["usize", "isize", "u128", "i128"].iter().any(|word| integer == word) {
        let why =
            format!("an enum of `{integer}` cannot be shared: use an integer of 8 to 64 bits");
        return Err(Error::new_spanned(integer, why));
    }
    Ok(integer)
}
