//! `Shareable` for structs.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{DeriveInput, Error, Fields, Member, Result, Type, WherePredicate, parse_quote_spanned};

use crate::repr::Repr;

/// Generates the implementation for a struct.
pub(crate) fn expand(input: &DeriveInput, fields: &Fields, repr: &Repr) -> Result<TokenStream> {
    refuse(input, fields, repr)?;
    let ident = &input.ident;
    let name = ident.unraw().to_string();
    let members: Vec<Member> = fields.members().collect();
    let names = members.iter().map(|member| match member {
        Member::Named(ident) => ident.unraw().to_string(),
        Member::Unnamed(index) => index.index.to_string(),
    });
    let types: Vec<_> = fields.iter().map(|field| &field.ty).collect();

    let mut generics = input.generics.clone();
    generics.make_where_clause().predicates.extend(types.iter().copied().map(bound));
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let methods = methods(&members, &types);
    let destructor = format!(
        "`{name}` cannot be shared: it has a destructor, and no process knows which one uses the \
         value last. Remove `impl Drop`"
    );
    // Without parameters the check does not depend on a use of the type. A field that needs drop
    // has an error of its own.
    let early_check = input.generics.params.is_empty().then(|| {
        quote! {
            const _: () = ::core::assert!(
                !::core::mem::needs_drop::<#ident>() #(|| ::core::mem::needs_drop::<#types>())*,
                #destructor
            );
        }
    });
    Ok(quote! {
        #early_check

        #[automatically_derived]
        unsafe impl #impl_generics ::shmkit::Shareable for #ident #type_generics #where_clause {
            const LAYOUT: &'static ::shmkit::shareable::Layout = {
                ::core::assert!(!::core::mem::needs_drop::<Self>(), #destructor);
                &::shmkit::shareable::derive::structure::<Self>(#name, const {
                    &[#(::shmkit::shareable::derive::Field {
                        name: #names,
                        offset: ::core::mem::offset_of!(Self, #members),
                        layout: <#types as ::shmkit::Shareable>::LAYOUT,
                    }),*]
                })
            };
            const PADDED: bool = #(<#types as ::shmkit::Shareable>::PADDED)||*
                || ::core::mem::size_of::<Self>() != #(::core::mem::size_of::<#types>())+*;
            const ALWAYS_VALID: bool = #(<#types as ::shmkit::Shareable>::ALWAYS_VALID)&&*;
            const ZEROS_VALID: bool = #(<#types as ::shmkit::Shareable>::ZEROS_VALID)&&*;

            #methods
        }
    })
}

/// Returns a bound for the type of a field, even for a concrete type.
///
/// If the type is not shareable, the compiler reports the bound only, because the generated code
/// relies on it.
fn bound(ty: &Type) -> WherePredicate {
    parse_quote_spanned!(ty.span()=> #ty: ::shmkit::Shareable)
}

/// Generates `valid` and `encode`, field by field.
fn methods(members: &[Member], types: &[&Type]) -> TokenStream {
    quote! {
        #[inline]
        fn valid(bytes: &[u8]) -> bool {
            bytes.len() == ::core::mem::size_of::<Self>()
                #(&& ::shmkit::shareable::derive::valid_field::<#types>(
                    bytes,
                    ::core::mem::offset_of!(Self, #members),
                ))*
        }

        #[inline]
        fn encode(&self, out: &mut [u8]) {
            match ::shmkit::shareable::bytes_of(self) {
                ::core::option::Option::Some(bytes) => out.copy_from_slice(bytes),
                ::core::option::Option::None => {#(
                    ::shmkit::shareable::derive::encode_field(
                        &self.#members,
                        out,
                        ::core::mem::offset_of!(Self, #members),
                    );
                )*}
            }
        }
    }
}

/// Refuses a struct that cannot be shared.
fn refuse(input: &DeriveInput, fields: &Fields, repr: &Repr) -> Result<()> {
    let ident = &input.ident;
    if let Some(packed) = &repr.packed {
        let why = "a packed struct cannot be shared: its fields are not aligned. \
                   Use `#[repr(C)]` and order the fields by size";
        return Err(Error::new_spanned(packed, why));
    }
    if !repr.fixed {
        let why = format!(
            "`{ident}` cannot be shared: without `#[repr(C)]` the compiler can order its fields \
             differently in each program. Add `#[repr(C)]`"
        );
        return Err(Error::new_spanned(ident, why));
    }
    if fields.is_empty() {
        let why =
            format!("`{ident}` cannot be shared: without fields it has no bytes. Add a field");
        return Err(Error::new_spanned(ident, why));
    }
    Ok(())
}
