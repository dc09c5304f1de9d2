//! Functions for the code that `#[derive(Shareable)]` generates. No other code should call them.

use super::Shareable;
pub use super::layout::{Field, Scalar, Variant};
use super::layout::{Layout, Shape};

/// Makes the layout of a struct.
pub const fn structure<T>(name: &'static str, fields: &'static [Field]) -> Layout {
    Layout::new::<T>(name, Shape::Struct { fields })
}

/// Makes the layout of an enum without fields.
pub const fn enumeration<T>(
    name: &'static str,
    repr: Scalar,
    variants: &'static [Variant],
) -> Layout {
    Layout::new::<T>(name, Shape::Enum { repr, variants })
}

/// Sorts variants by their values, so that the order in the source does not matter.
pub const fn in_order<const N: usize>(mut variants: [Variant; N]) -> [Variant; N] {
    let mut sorted = 1;
    while sorted < N {
        let mut at = sorted;
        while at > 0 && variants[at - 1].value > variants[at].value {
            variants.swap(at - 1, at);
            at -= 1;
        }
        sorted += 1;
    }
    variants
}

/// Returns whether the bytes at `offset` are a value of the type of a field.
#[inline(always)]
pub fn valid_field<T: Shareable>(bytes: &[u8], offset: usize) -> bool {
    T::ALWAYS_VALID || bytes.get(offset..offset + size_of::<T>()).is_some_and(T::valid)
}

/// Writes a field at `offset`.
#[inline(always)]
pub fn encode_field<T: Shareable>(field: &T, out: &mut [u8], offset: usize) {
    field.encode(&mut out[offset..offset + size_of::<T>()]);
}
