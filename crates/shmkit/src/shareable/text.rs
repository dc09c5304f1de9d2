//! Text of bounded length.
#![allow(unsafe_code, reason = "implements Shareable, and relies on UTF-8 that it has checked")]

use std::fmt;
use std::hash::{Hash, Hasher};
use std::mem::offset_of;
use std::ops::Deref;
use std::str::FromStr;

use super::layout::{Layout, Shape};
use super::{Shareable, all_zero, bytes_of};
use crate::{Error, ErrorKind, Result};

/// A `String` of at most `N` bytes that can be shared: its bytes are inside the value.
///
/// ```text
/// 0      8              8 + len       8 + N
/// | len  | UTF-8        | zeros       | padding up to a multiple of 8
/// ```
///
/// It derefs to `str`. If `N` is a multiple of 8 there is no padding, and sharing it is one copy.
///
/// # Examples
///
/// ```
/// use shmkit::FixedString;
///
/// let mut name: FixedString<16> = "left".parse()?;
/// name.push_str(" arm")?;
/// assert_eq!(name, "left arm");
/// assert!(name.push_str(", which is broken").is_err());
/// # Ok::<(), shmkit::Error>(())
/// ```
// INVARIANT 1: `len <= N`, and the first `len` bytes are UTF-8.
// INVARIANT 2: the bytes from `len` on are zero.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct FixedString<const N: usize> {
    len: u64,
    bytes: [u8; N],
}

impl<const N: usize> FixedString<N> {
    /// Makes an empty text.
    pub const fn new() -> Self {
        Self { len: 0, bytes: [0; N] }
    }

    /// Returns the largest number of bytes, `N`.
    pub const fn capacity(&self) -> usize {
        N
    }

    /// Returns the text.
    #[inline]
    pub fn as_str(&self) -> &str {
        // SAFETY: by INVARIANT 1 these bytes are UTF-8.
        unsafe { std::str::from_utf8_unchecked(&self.bytes[..self.len as usize]) }
    }

    /// Appends `text`, completely or not at all.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) if it does not fit.
    pub fn push_str(&mut self, text: &str) -> Result<()> {
        let len = self.len();
        let Some(room) = self.bytes[len..].get_mut(..text.len()) else {
            let why = format!("{} bytes of text do not fit in {N}", len + text.len());
            return Err(Error::new(ErrorKind::InvalidArgument, why));
        };
        room.copy_from_slice(text.as_bytes());
        // INVARIANT: 1, because UTF-8 follows UTF-8 within the capacity; 2, because the rest is
        // unchanged.
        self.len += text.len() as u64;
        Ok(())
    }

    /// Appends `c`.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) if it does not fit.
    pub fn push(&mut self, c: char) -> Result<()> {
        self.push_str(c.encode_utf8(&mut [0; 4]))
    }

    /// Removes the last character and returns it.
    pub fn pop(&mut self) -> Option<char> {
        let c = self.as_str().chars().next_back()?;
        self.truncate(self.len() - c.len_utf8());
        Some(c)
    }

    /// Shortens the text to its first `len` bytes. Does nothing if it is not longer.
    ///
    /// # Panics
    ///
    /// If `len` is inside a character.
    pub fn truncate(&mut self, len: usize) {
        if len < self.len() {
            assert!(self.as_str().is_char_boundary(len), "{len} is inside a character");
            // INVARIANT: 1, because the cut is between characters; 2, because of the zeros.
            self.bytes[len..].fill(0);
            self.len = len as u64;
        }
    }

    /// Removes all text.
    pub fn clear(&mut self) {
        *self = Self::new();
    }
}

// SAFETY:
// - `LAYOUT`: `Shape::Text` describes this struct, which holds plain bytes;
// - integers need no drop;
// - the only padding is after `bytes`, and `PADDED` tells whether there is any;
// - `ALWAYS_VALID` is false, and `valid` checks both invariants;
// - `ZEROS_VALID`: zeros are an empty text;
// - `encode` writes both fields at their offsets.
unsafe impl<const N: usize> Shareable for FixedString<N> {
    const LAYOUT: &'static Layout = {
        assert!(N > 0, "a FixedString needs a capacity of at least 1");
        &Layout::new::<Self>("FixedString", Shape::Text { capacity: N })
    };
    const PADDED: bool = size_of::<Self>() != size_of::<u64>() + N;
    const ALWAYS_VALID: bool = false;
    const ZEROS_VALID: bool = true;

    #[inline]
    fn valid(bytes: &[u8]) -> bool {
        if bytes.len() != size_of::<Self>() {
            return false;
        }
        let (len, text) = bytes.split_at(offset_of!(Self, bytes));
        let len = len.try_into().map_or(u64::MAX, u64::from_le_bytes);
        usize::try_from(len)
            .ok()
            .and_then(|len| text[..N].split_at_checked(len))
            .is_some_and(|(text, rest)| std::str::from_utf8(text).is_ok() && all_zero(rest))
    }

    #[inline]
    fn encode(&self, out: &mut [u8]) {
        match bytes_of(self) {
            Some(bytes) => out.copy_from_slice(bytes),
            None => {
                let (len, text) = out.split_at_mut(offset_of!(Self, bytes));
                len.copy_from_slice(&self.len.to_le_bytes());
                text[..N].copy_from_slice(&self.bytes);
            }
        }
    }
}

impl<const N: usize> Default for FixedString<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> TryFrom<&str> for FixedString<N> {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        let mut fixed = Self::new();
        fixed.push_str(text)?;
        Ok(fixed)
    }
}

impl<const N: usize> FromStr for FixedString<N> {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::try_from(text)
    }
}

impl<const N: usize> Deref for FixedString<N> {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl<const N: usize> AsRef<str> for FixedString<N> {
    fn as_ref(&self) -> &str {
        self
    }
}

impl<const N: usize> PartialEq<str> for FixedString<N> {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl<const N: usize> PartialEq<&str> for FixedString<N> {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl<const N: usize> PartialOrd for FixedString<N> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<const N: usize> Ord for FixedString<N> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other)
    }
}

impl<const N: usize> Hash for FixedString<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl<const N: usize> fmt::Debug for FixedString<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<const N: usize> fmt::Display for FixedString<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl<const N: usize> fmt::Write for FixedString<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text).map_err(|_| fmt::Error)
    }
}
