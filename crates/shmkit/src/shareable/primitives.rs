//! [`Shareable`] for built-in types: numbers, `bool`, `char`, arrays.
#![allow(unsafe_code, reason = "implements the unsafe trait Shareable")]

use super::layout::{Layout, Scalar, Shape};
use super::{Shareable, derive};

macro_rules! shareable_scalar {
    ($($type:ty, $scalar:ident, $always_valid:literal, $valid:expr;)*) => {$(
        // SAFETY: a primitive has no padding; `$valid` accepts exactly its values, and 0 is one;
        // `encode` writes all its bytes.
        unsafe impl Shareable for $type {
            const LAYOUT: &'static Layout = {
                assert!(size_of::<$type>() == align_of::<$type>(), "unsupported target");
                &Layout::new::<$type>(stringify!($type), Shape::Scalar(Scalar::$scalar))
            };
            const PADDED: bool = false;
            const ALWAYS_VALID: bool = $always_valid;
            const ZEROS_VALID: bool = true;

            #[inline]
            fn valid(bytes: &[u8]) -> bool {
                bytes.try_into().is_ok_and($valid)
            }

            #[inline]
            fn encode(&self, out: &mut [u8]) {
                super::encode_whole(self, out);
            }
        }
    )*};
}

shareable_scalar! {
    u8, U8, true, |_: [u8; 1]| true;
    u16, U16, true, |_: [u8; 2]| true;
    u32, U32, true, |_: [u8; 4]| true;
    u64, U64, true, |_: [u8; 8]| true;
    u128, U128, true, |_: [u8; 16]| true;
    i8, I8, true, |_: [u8; 1]| true;
    i16, I16, true, |_: [u8; 2]| true;
    i32, I32, true, |_: [u8; 4]| true;
    i64, I64, true, |_: [u8; 8]| true;
    i128, I128, true, |_: [u8; 16]| true;
    f32, F32, true, |_: [u8; 4]| true;
    f64, F64, true, |_: [u8; 8]| true;
    bool, Bool, false, |bytes: [u8; 1]| bytes[0] <= 1;
    char, Char, false, |bytes| char::from_u32(u32::from_le_bytes(bytes)).is_some();
}

// SAFETY: an array consists of the bytes of its items, so it is padded, valid and encoded as they
// are.
unsafe impl<T: Shareable, const N: usize> Shareable for [T; N] {
    const LAYOUT: &'static Layout =
        &Layout::new::<Self>("", Shape::Array { item: T::LAYOUT, len: N });
    const PADDED: bool = T::PADDED;
    const ALWAYS_VALID: bool = T::ALWAYS_VALID;
    const ZEROS_VALID: bool = T::ZEROS_VALID;

    #[inline]
    fn valid(bytes: &[u8]) -> bool {
        bytes.len() == size_of::<Self>()
            && (T::ALWAYS_VALID || bytes.chunks_exact(T::LAYOUT.size).all(T::valid))
    }

    #[inline]
    fn encode(&self, out: &mut [u8]) {
        if T::PADDED {
            for (index, item) in self.iter().enumerate() {
                derive::encode_field(item, out, index * size_of::<T>());
            }
        } else {
            super::encode_whole(self, out);
        }
    }
}
