//! A list of bounded length.
#![allow(unsafe_code, reason = "implements Shareable, and has places without items")]

use std::fmt;
use std::hash::{Hash, Hasher};
use std::mem::{MaybeUninit, offset_of};
use std::ops::{Deref, DerefMut};

use super::layout::{Layout, Shape};
use super::{Shareable, all_zero, bytes_of, derive};
use crate::{Error, ErrorKind, Result};

/// A `Vec` of at most `N` items that can be shared: its items are inside the value.
///
/// ```text
/// 0      8 (or the item's alignment)
/// | len  | items               | zeros, up to N items | padding
/// ```
///
/// It derefs to `[T]`.
///
/// # Examples
///
/// ```
/// use shmkit::FixedVec;
///
/// let mut joints = FixedVec::<f64, 3>::try_from(&[0.5, 1.5][..])?;
/// assert_eq!(joints.push(2.5), Ok(()));
/// assert_eq!(joints.push(3.5), Err(3.5));
/// assert_eq!(joints[1..], [1.5, 2.5]);
/// # Ok::<(), shmkit::Error>(())
/// ```
// INVARIANT 1: `len <= N`, and the first `len` items are initialised.
// INVARIANT 2: the bytes of the items from `len` on are zero.
#[repr(C, align(8))]
pub struct FixedVec<T: Shareable, const N: usize> {
    len: u64,
    items: [MaybeUninit<T>; N],
}

impl<T: Shareable, const N: usize> FixedVec<T, N> {
    /// Makes an empty list.
    pub const fn new() -> Self {
        Self { len: 0, items: [const { MaybeUninit::zeroed() }; N] }
    }

    /// Returns the largest number of items, `N`.
    pub const fn capacity(&self) -> usize {
        N
    }

    /// Appends `item`.
    ///
    /// # Errors
    ///
    /// Returns the item if the list is full.
    #[inline]
    pub fn push(&mut self, item: T) -> Result<(), T> {
        let Some(place) = self.items.get_mut(self.len as usize) else {
            return Err(item);
        };
        // INVARIANT: 1, because the place is initialised now; 2, because later places are
        // unchanged.
        place.write(item);
        self.len += 1;
        Ok(())
    }

    /// Removes the last item and returns it.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        let last = (self.len as usize).checked_sub(1)?;
        let place = &mut self.items[last];
        let item = std::mem::replace(place, MaybeUninit::zeroed());
        // INVARIANT: 2, because the place is zero now.
        self.len = last as u64;
        // SAFETY: by INVARIANT 1 the item is initialised, because its index was below `len`.
        Some(unsafe { item.assume_init() })
    }

    /// Shortens the list to its first `len` items. Does nothing if it is not longer.
    pub fn truncate(&mut self, len: usize) {
        if len < self.len() {
            // INVARIANT: 2, because of the zeros. Items need no drop.
            self.items[len..].fill_with(MaybeUninit::zeroed);
            self.len = len as u64;
        }
    }

    /// Removes all items.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Appends copies of `items`, all of them or none.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) if they do not fit.
    pub fn extend_from_slice(&mut self, items: &[T]) -> Result<()>
    where
        T: Clone,
    {
        let len = self.len();
        if items.len() > N - len {
            let why = format!("{} items do not fit in {N}", len + items.len());
            return Err(Error::new(ErrorKind::InvalidArgument, why));
        }
        for item in items {
            let _fits = self.push(item.clone());
        }
        Ok(())
    }
}

// SAFETY:
// - `LAYOUT`: `Shape::List` describes this struct, whose items are `Shareable`;
// - neither `T` nor `MaybeUninit` needs drop;
// - if neither the struct nor `T` is padded, all bytes of the items below `len` are initialised.
//   The others are zeros (INVARIANT 2), which a move keeps because `T` has no padding;
// - `ALWAYS_VALID` is false, and `valid` checks both invariants;
// - `ZEROS_VALID`: zeros are an empty list;
// - `encode` writes `len` and the items below it at their offsets.
unsafe impl<T: Shareable, const N: usize> Shareable for FixedVec<T, N> {
    const LAYOUT: &'static Layout = {
        assert!(N > 0, "a FixedVec needs a capacity of at least 1");
        &Layout::new::<Self>("FixedVec", Shape::List { item: T::LAYOUT, capacity: N })
    };
    const PADDED: bool = T::PADDED || size_of::<Self>() != size_of::<u64>() + N * size_of::<T>();
    const ALWAYS_VALID: bool = false;
    const ZEROS_VALID: bool = true;

    #[inline]
    fn valid(bytes: &[u8]) -> bool {
        if bytes.len() != size_of::<Self>() {
            return false;
        }
        let len = bytes[..size_of::<u64>()].try_into().map_or(u64::MAX, u64::from_le_bytes);
        if len > N as u64 {
            return false;
        }
        let items = &bytes[offset_of!(Self, items)..][..N * size_of::<T>()];
        let (items, rest) = items.split_at(len as usize * size_of::<T>());
        (T::ALWAYS_VALID || items.chunks_exact(T::LAYOUT.size).all(T::valid)) && all_zero(rest)
    }

    #[inline]
    fn encode(&self, out: &mut [u8]) {
        match bytes_of(self) {
            Some(bytes) => out.copy_from_slice(bytes),
            None => {
                out[..size_of::<u64>()].copy_from_slice(&self.len.to_le_bytes());
                let items = &mut out[offset_of!(Self, items)..];
                for (index, item) in self.iter().enumerate() {
                    derive::encode_field(item, items, index * size_of::<T>());
                }
            }
        }
    }
}

impl<T: Shareable, const N: usize> Deref for FixedVec<T, N> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        let items = &self.items[..self.len as usize];
        // SAFETY: by INVARIANT 1 the items below `len` are initialised.
        unsafe { items.assume_init_ref() }
    }
}

impl<T: Shareable, const N: usize> DerefMut for FixedVec<T, N> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        let items = &mut self.items[..self.len as usize];
        // SAFETY: by INVARIANT 1 the items below `len` are initialised.
        unsafe { items.assume_init_mut() }
    }
}

impl<T: Shareable, const N: usize> Default for FixedVec<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Shareable + Clone, const N: usize> Clone for FixedVec<T, N> {
    fn clone(&self) -> Self {
        let mut list = Self::new();
        for item in self.iter() {
            let _fits = list.push(item.clone());
        }
        list
    }
}

impl<T: Shareable + Copy, const N: usize> Copy for FixedVec<T, N> {}

impl<T: Shareable + Clone, const N: usize> TryFrom<&[T]> for FixedVec<T, N> {
    type Error = Error;

    fn try_from(items: &[T]) -> Result<Self> {
        let mut list = Self::new();
        list.extend_from_slice(items)?;
        Ok(list)
    }
}

impl<T: Shareable + PartialEq, const N: usize> PartialEq for FixedVec<T, N> {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

impl<T: Shareable + Eq, const N: usize> Eq for FixedVec<T, N> {}

impl<T: Shareable + Hash, const N: usize> Hash for FixedVec<T, N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self[..].hash(state);
    }
}

impl<T: Shareable + fmt::Debug, const N: usize> fmt::Debug for FixedVec<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self[..], f)
    }
}

impl<'a, T: Shareable, const N: usize> IntoIterator for &'a FixedVec<T, N> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, T: Shareable, const N: usize> IntoIterator for &'a mut FixedVec<T, N> {
    type Item = &'a mut T;
    type IntoIter = std::slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}
