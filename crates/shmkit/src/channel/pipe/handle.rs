//! An open pipe: the object and its words.
#![allow(
    unsafe_code,
    reason = "words of a mapping, kept as pointers so that a write costs no check"
)]

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use super::ends::Ends;
use super::places::{
    CONTROL_BYTES, ENDED, HANDED, HEAD, READERS, READERS_LEFT, TAIL, TURN, WRITERS,
    checked_capacity,
};
use super::stream::Stream;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::AtomicU64;
use crate::object::OpenObject;
use crate::participant::owner::OwnerWord;

/// An open pipe.
pub(super) struct Handle {
    pub(super) object: Arc<OpenObject>,
    /// INVARIANT: a power of two, as [`checked_capacity`] says.
    capacity: usize,
    /// INVARIANT: points to the first word of the payload, which has the control words and then
    /// `capacity` bytes, in the mapping that `object` keeps alive.
    payload: NonNull<AtomicU64>,
}

// SAFETY: the pointer is to atomics in a mapping that the handle keeps alive; the rest is `Send`.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// Takes over an object that is a pipe of this capacity.
    pub(super) fn over(object: Arc<OpenObject>, capacity: u64) -> Result<Self> {
        let capacity = checked_capacity(capacity)?;
        let words = (CONTROL_BYTES as usize + capacity) / size_of::<AtomicU64>();
        // INVARIANT: the view has checked that the words are there.
        let payload = NonNull::from(object.payload().words(0, words)?).cast();
        Ok(Self { object, capacity, payload })
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    #[inline(always)]
    pub(super) fn stream(&self) -> Stream<'_> {
        // SAFETY: the ring is behind the control words, within the payload.
        let ring = unsafe { self.payload.byte_add(CONTROL_BYTES as usize) };
        let ring = NonNull::slice_from_raw_parts(ring, self.capacity / size_of::<AtomicU64>());
        // SAFETY: as many words, in the mapping that `object` keeps alive while `self` is borrowed.
        let ring = unsafe { ring.as_ref() };
        Stream::new(self.word(TAIL), self.word(HEAD), ring).expect("a power of two")
    }

    #[inline(always)]
    pub(super) fn ends(&self) -> Ends<'_> {
        Ends {
            writers: self.word(WRITERS),
            readers: self.word(READERS),
            readers_left: self.word(READERS_LEFT),
            ended: self.word(ENDED),
        }
    }

    /// The word that names the writer that has the turn.
    #[inline(always)]
    pub(super) fn turn(&self) -> OwnerWord<'_> {
        OwnerWord::of_lock(self.word(TURN)).with_handed(self.word(HANDED))
    }

    /// The control word at `place`.
    #[inline(always)]
    fn word(&self, place: u64) -> &AtomicU64 {
        debug_assert!(place < CONTROL_BYTES);
        // SAFETY: within the payload.
        let word = unsafe { self.payload.byte_add(place as usize) };
        // SAFETY: it lies in the mapping that `object` keeps alive while `self` is borrowed.
        unsafe { word.as_ref() }
    }

    /// The error for words that no participant writes.
    #[cold]
    pub(super) fn garbage(&self, action: &'static str) -> Error {
        let why = "its positions are not those of a pipe: another process wrote something else";
        Error::new(ErrorKind::Corrupt, why).doing(action).on_shared(self.object.label())
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pipe").field(&self.object.label()).finish()
    }
}
