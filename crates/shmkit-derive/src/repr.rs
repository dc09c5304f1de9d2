//! The `repr` attributes of a type.

use proc_macro2::TokenStream;
use syn::{Attribute, Ident, Result};

/// The contents of the `repr` attributes of a type.
#[derive(Default)]
pub(crate) struct Repr {
    /// `C` or `transparent`: the source determines the offsets of fields.
    pub(crate) fixed: bool,
    pub(crate) packed: Option<Ident>,
    pub(crate) align: Option<Ident>,
    pub(crate) integer: Option<Ident>,
}

impl Repr {
    /// Collects the `repr` attributes.
    pub(crate) fn of(attributes: &[Attribute]) -> Result<Self> {
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
