//! `Shareable` for structs.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{DeriveInput, Error, Fields, Member, Result, Type, WherePredicate, parse_quote_spanned};

use crate::Repr;

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
        "`{name}` cannot be shared: it has a destructor, and no process knows when the last one is \
         done with the value. Remove `impl Drop`"
    );
    // Without parameters, nobody need use the type to be told. What a field drops is told there.
    let told_at_once = input.generics.params.is_empty().then(|| {
        quote! {
            const _: () = ::core::assert!(
                !::core::mem::needs_drop::<#ident>() #(|| ::core::mem::needs_drop::<#types>())*,
                #destructor
            );
        }
    });
    Ok(quote! {
        #told_at_once

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

            #methods
        }
    })
}

/// A bound for each field, also where its type is concrete: where it is not shareable, this is the
/// one place that says so, and what the derive writes takes the bound for granted.
fn bound(ty: &Type) -> WherePredicate {
    parse_quote_spanned!(ty.span()=> #ty: ::shmkit::Shareable)
}

/// `valid` and `encode`: field by field.
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

fn refuse(input: &DeriveInput, fields: &Fields, repr: &Repr) -> Result<()> {
    let ident = &input.ident;
    if let Some(packed) = &repr.packed {
        let why = "a packed struct cannot be shared: its fields are not aligned. \
                   Use `#[repr(C)]` and order the fields by size";
        return Err(Error::new_spanned(packed, why));
    }
    if !repr.fixed {
        let why = format!(
            "`{ident}` cannot be shared: without `#[repr(C)]` the compiler may order its fields in \
             another way in another program. Add `#[repr(C)]`"
        );
        return Err(Error::new_spanned(ident, why));
    }
    if fields.is_empty() {
        let why = format!("`{ident}` cannot be shared: it has no fields, so no bytes. Add a field");
        return Err(Error::new_spanned(ident, why));
    }
    Ok(())
}
