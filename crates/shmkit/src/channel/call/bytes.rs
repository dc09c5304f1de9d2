//! The bytes of a value that is sent.

#![allow(unsafe_code, reason = "room for an encoded value, on the stack")]

use std::mem::MaybeUninit;

use crate::shareable::{Shareable, bytes_of};

/// Calls `act` with the bytes of a value, in which padding is zeros.
#[inline(always)]
pub(super) fn with_bytes<T: Shareable, R>(value: &T, act: impl FnOnce(&[u8]) -> R) -> R {
    if let Some(bytes) = bytes_of(value) {
        return act(bytes);
    }
    let mut room = MaybeUninit::<T>::zeroed();
    let first = room.as_mut_ptr().cast::<u8>();
    // SAFETY: `size_of::<T>()` bytes, all of them zero, in `room`, which is not used otherwise.
    let bytes = unsafe { std::slice::from_raw_parts_mut(first, size_of::<T>()) };
    value.encode(bytes);
    act(bytes)
}
