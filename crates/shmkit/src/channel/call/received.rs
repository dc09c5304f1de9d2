//! Copying a request, or a response, out of its slot.

use super::slots::InSlot;
use crate::channel::message::{Message, Place, receive_list};
use crate::error::{Error, ErrorKind, Result};
use crate::shareable::Shareable;

/// Copies a message, and checks it.
///
/// # Errors
/// `Corrupt` for bytes that are not a message of the type; `OutOfSpace` if there is no memory for a
/// list.
#[inline(always)]
pub(super) fn received<M: Message + ?Sized>(message: InSlot<'_>) -> Result<M::Owned> {
    M::receive(|place| fill(message, place, M::MAX_LEN > 0, size_of::<M::Element>()), invalid)
}

/// The same into a list, whose memory is used again.
pub(super) fn received_into<T: Shareable>(message: InSlot<'_>, into: &mut Vec<T>) -> Result<()> {
    receive_list(into, |place| fill(message, place, true, size_of::<T>()), invalid)
}

#[inline(always)]
fn fill(
    message: InSlot<'_>,
    place: &mut (impl Place + ?Sized),
    is_list: bool,
    value_bytes: usize,
) -> Result<()> {
    // Of one value it is a constant.
    let len = if is_list { message.len.ok_or_else(invalid)? } else { value_bytes };
    match place.room(len) {
        Some(room) => {
            message.copy_out(room);
            Ok(())
        }
        None => Err(no_memory(len)),
    }
}

#[cold]
fn invalid() -> Error {
    let why = "the bytes are not a value of the type: another process wrote something else";
    Error::new(ErrorKind::Corrupt, why)
}

#[cold]
pub(super) fn no_memory(bytes: usize) -> Error {
    Error::new(ErrorKind::OutOfSpace, format!("there is no memory for a list of {bytes} bytes"))
}
