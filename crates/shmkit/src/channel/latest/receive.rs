//! From copied bytes to a value: nothing is handed out before it was checked.

#![allow(unsafe_code, reason = "takes checked bytes for a value")]

use std::mem::MaybeUninit;

use crate::error::{Error, Result};
use crate::shareable::Shareable;

/// Up to this many bytes a value that is got at once can stay in processor registers.
pub(super) const IN_REGISTERS: usize = 128;

/// Has `fill` copy a value's bytes, and takes them for a value if it did and they are one.
///
/// `fill` returns true only once it has written every byte.
#[inline(always)]
pub(super) fn attempt<T: Shareable>(
    fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> bool,
) -> Option<T> {
    let mut value = MaybeUninit::<T>::uninit();
    if !fill(bytes_of(&mut value)) || !is_valid(&value) {
        return None;
    }
    // SAFETY: every byte was written, and they are a value of the type.
    Some(unsafe { value.assume_init() })
}

/// Has `fill` copy a value's bytes, and takes them for a value if they are one; else `invalid`.
///
/// `fill` returns `Ok` only once it has written every byte.
#[inline(always)]
pub(super) fn value<T: Shareable>(
    fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> Result<()>,
    invalid: impl FnOnce() -> Error,
) -> Result<T> {
    let mut value = MaybeUninit::<T>::uninit();
    fill(bytes_of(&mut value))?;
    if !is_valid(&value) {
        return Err(invalid());
    }
    // SAFETY: every byte was written, and they are a value of the type.
    Ok(unsafe { value.assume_init() })
}

/// The same, for a value that never crosses the stack.
pub(super) fn boxed<T: Shareable>(
    fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> Result<()>,
    invalid: impl FnOnce() -> Error,
) -> Result<Box<T>> {
    let mut value = Box::<T>::new_uninit();
    fill(bytes_of(&mut value))?;
    if !is_valid(&value) {
        return Err(invalid());
    }
    // SAFETY: every byte was written, and they are a value of the type.
    Ok(unsafe { value.assume_init() })
}

/// The same, over a value that is there.
///
/// Where any bytes are a value they are copied straight to their place. Where not, they are checked
/// somewhere else first: an error must not leave what is no value behind `into`.
#[inline(always)]
pub(super) fn into_place<T: Shareable>(
    into: &mut T,
    fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> Result<()>,
    invalid: impl FnOnce() -> Error,
) -> Result<()> {
    if T::ALWAYS_VALID {
        // SAFETY: a `MaybeUninit<T>` has the layout of a `T`; `fill` writes initialised bytes
        // only, and any of those are a value.
        let place = unsafe { &mut *std::ptr::from_mut(into).cast::<MaybeUninit<T>>() };
        return fill(bytes_of(place));
    }
    *into = *boxed::<T>(fill, invalid)?;
    Ok(())
}

#[inline(always)]
fn bytes_of<T>(value: &mut MaybeUninit<T>) -> &mut [MaybeUninit<u8>] {
    let first = value.as_mut_ptr().cast::<MaybeUninit<u8>>();
    // SAFETY: `size_of::<T>()` bytes from there are the value's, which is borrowed alone for as
    // long; a `MaybeUninit<u8>` may be anything, and has no alignment.
    unsafe { std::slice::from_raw_parts_mut(first, size_of::<T>()) }
}

#[inline(always)]
fn is_valid<T: Shareable>(value: &MaybeUninit<T>) -> bool {
    if T::ALWAYS_VALID {
        return true;
    }
    // SAFETY: the callers have had every byte written.
    T::valid(unsafe { std::slice::from_raw_parts(value.as_ptr().cast::<u8>(), size_of::<T>()) })
}
