//! The words of a call, found in its payload.

use super::geometry::{ARRIVALS, DEPARTURES, Geometry, NEXT, WAITING};
use super::protocol::CallWords;
use super::slots::Slots;
use crate::memory::atomic::AtomicU64;

/// Finds the words of a call. `words` returns so many words, from a byte of the payload on.
#[inline(always)]
pub(super) fn call_over<'a, E>(
    geometry: Geometry,
    words: impl Fn(u64, u64) -> Result<&'a [AtomicU64], E>,
) -> Result<CallWords<'a>, E> {
    let word = |at| Ok::<_, E>(&words(at, 1)?[0]);
    Ok(CallWords {
        arrivals: word(ARRIVALS)?,
        departures: word(DEPARTURES)?,
        next: word(NEXT)?,
        waiting: words(WAITING, geometry.waiting_words())?,
        slots: Slots::new(words(geometry.slots_at, geometry.slot_words())?, geometry),
    })
}
