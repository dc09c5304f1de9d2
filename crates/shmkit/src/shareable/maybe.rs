//! A value that can be missing.
#![allow(unsafe_code, reason = "implements the unsafe trait Shareable")]

use super::layout::{Layout, Shape};
use super::{Shareable, all_zero, derive};

/// An `Option` that can be shared. Rust does not specify the layout of an `Option`; the layout of
/// this type is fixed.
///
/// ```text
/// 0          the item's alignment
/// | 0 or 1   | zeros or the item
/// ```
///
/// # Examples
///
/// ```
/// use shmkit::Maybe;
///
/// let limit = Maybe::from(Some(3.5));
/// assert_eq!(limit, Maybe::Some(3.5));
/// assert_eq!(limit.into_option().unwrap_or(0.0), 3.5);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Maybe<T> {
    /// There is no value.
    #[default]
    None = 0,
    /// There is this value.
    Some(T) = 1,
}

impl<T> Maybe<T> {
    /// Converts it into an `Option`.
    #[inline]
    pub fn into_option(self) -> Option<T> {
        match self {
            Self::None => None,
            Self::Some(value) => Some(value),
        }
    }

    /// Returns a reference to the value, if there is one.
    #[inline]
    pub const fn as_ref(&self) -> Option<&T> {
        match self {
            Self::None => None,
            Self::Some(value) => Some(value),
        }
    }

    /// Returns a mutable reference to the value, if there is one.
    #[inline]
    pub const fn as_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::None => None,
            Self::Some(value) => Some(value),
        }
    }
}

impl<T: Shareable> Maybe<T> {
    /// The offset of the item. An enum with `repr(u8)` is a union of `repr(C)` structs that start
    /// with the `u8`, so the item is at the first multiple of its alignment from 1 on.
    const OFFSET: usize = align_of::<T>();
}

// SAFETY:
// - `LAYOUT`: `Shape::Maybe` describes this enum, and `T` is `Shareable`;
// - `T` needs no drop;
// - `PADDED`: the place of the item is padding in `None`;
// - `ALWAYS_VALID` is false; `valid` checks the tag, and the item if there is one;
// - `ZEROS_VALID`: zeros are `None`;
// - `encode` writes the tag, and the item if there is one.
unsafe impl<T: Shareable> Shareable for Maybe<T> {
    const LAYOUT: &'static Layout = &Layout::new::<Self>("Maybe", Shape::Maybe { item: T::LAYOUT });
    const PADDED: bool = true;
    const ALWAYS_VALID: bool = false;
    const ZEROS_VALID: bool = true;

    #[inline]
    fn valid(bytes: &[u8]) -> bool {
        let item = Self::OFFSET..Self::OFFSET + size_of::<T>();
        bytes.len() == size_of::<Self>()
            && match bytes[0] {
                0 => all_zero(&bytes[item]),
                1 => derive::valid_field::<T>(bytes, item.start),
                _ => false,
            }
    }

    #[inline]
    fn encode(&self, out: &mut [u8]) {
        if let Self::Some(item) = self {
            out[0] = 1;
            derive::encode_field(item, out, Self::OFFSET);
        }
    }
}

impl<T> From<Option<T>> for Maybe<T> {
    fn from(option: Option<T>) -> Self {
        option.map_or(Self::None, Self::Some)
    }
}

impl<T> From<Maybe<T>> for Option<T> {
    fn from(maybe: Maybe<T>) -> Self {
        maybe.into_option()
    }
}
