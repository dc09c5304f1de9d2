//! The bytes of a message that is sent.

#![allow(unsafe_code, reason = "room for an encoded value, on the stack")]

use std::cell::Cell;
use std::mem::MaybeUninit;

use super::message::Message;
use crate::shareable::{Shareable, bytes_of};

/// The most bytes that a thread keeps for the next list with padding that it sends.
const KEPT_BYTES: usize = 1 << 20;

/// Calls `act` with the bytes of a message, in which padding is zeros.
#[inline(always)]
pub(in crate::channel) fn with_bytes<M: Message + ?Sized, R>(
    message: &M,
    act: impl FnOnce(&[u8]) -> R,
) -> R {
    match message.elements() {
        [value] if M::MAX_LEN == 0 => with_bytes_of_value(value, act),
        _ if !M::Element::PADDED => act(message.bytes(&mut Vec::new())),
        _ => with_bytes_of_list(message, act),
    }
}

#[inline(always)]
fn with_bytes_of_value<T: Shareable, R>(value: &T, act: impl FnOnce(&[u8]) -> R) -> R {
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

/// The elements are encoded in memory that the thread keeps, so that a message costs no allocation.
fn with_bytes_of_list<M: Message + ?Sized, R>(message: &M, act: impl FnOnce(&[u8]) -> R) -> R {
    thread_local! {
        static KEPT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    let mut room = KEPT.try_with(Cell::take).unwrap_or_default();
    let acted = act(message.bytes(&mut room));
    if room.capacity() <= KEPT_BYTES {
        // A thread that ends keeps nothing.
        let _ = KEPT.try_with(|kept| kept.set(room));
    }
    acted
}
