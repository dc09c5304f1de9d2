//! From copied bytes to a value: no value is returned before its bytes are checked.

#![allow(unsafe_code, reason = "treats checked bytes as a value")]

use std::mem::MaybeUninit;

use crate::error::{Error, Result};
use crate::shareable::Shareable;

/// A value of up to this many bytes can stay in processor registers if the first read succeeds.
pub(in crate::channel) const IN_REGISTERS: usize = 128;

/// Calls `fill` to copy a value's bytes. Returns the value if it did and the bytes are valid.
///
/// `fill` returns true only once it has written every byte.
#[inline(always)]
pub(in crate::channel) fn attempt<T: Shareable>(
    fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> bool,
) -> Option<T> {
    let mut value = MaybeUninit::<T>::uninit();
    if !fill(bytes_of(&mut value)) || !is_valid(&value) {
        return None;
    }
    // SAFETY: every byte was written, and they are a value of the type.
    Some(unsafe { value.assume_init() })
}

/// Calls `fill` to copy a value's bytes. Returns the value if they are valid, else `invalid()`.
///
/// `fill` returns `Ok` only once it has written every byte.
#[inline(always)]
pub(in crate::channel) fn value<T: Shareable>(
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

/// The same on the heap, for a value that is too large for the stack.
pub(in crate::channel) fn boxed<T: Shareable>(
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

/// The same, into an existing value.
///
/// If any bytes are a valid value of the type, they are copied directly to `into`. Otherwise they
/// are checked on the heap first: after an error, `into` must still be a valid value.
#[inline(always)]
pub(in crate::channel) fn into_place<T: Shareable>(
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
    let value = boxed::<T>(fill, invalid)?;
    // SAFETY: both are values of the type, which needs no drop, and the box is no part of `into`.
    // An assignment could make a copy on the stack, which may be too small for it.
    unsafe { std::ptr::copy_nonoverlapping(&raw const *value, into, 1) };
    Ok(())
}

#[inline(always)]
fn bytes_of<T>(value: &mut MaybeUninit<T>) -> &mut [MaybeUninit<u8>] {
    let first = value.as_mut_ptr().cast::<MaybeUninit<u8>>();
    // SAFETY: `size_of::<T>()` bytes from there are the value's, which is borrowed exclusively for
    // as long; a `MaybeUninit<u8>` may have any content, and needs no alignment.
    unsafe { std::slice::from_raw_parts_mut(first, size_of::<T>()) }
}

#[inline(always)]
fn is_valid<T: Shareable>(value: &MaybeUninit<T>) -> bool {
    if T::ALWAYS_VALID {
        return true;
    }
    // SAFETY: every caller passes a value of which all bytes were written.
    T::valid(unsafe { std::slice::from_raw_parts(value.as_ptr().cast::<u8>(), size_of::<T>()) })
}
