//! An open `Topic` of a type that is known at compile time or at run time: the object and its
//! words.
#![allow(
    unsafe_code,
    reason = "words of a mapping, kept as pointers so that a message costs no check"
)]

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use super::geometry::{
    FLAG_DROP_NEW, FLAG_OVERWRITE, HasShape, MAX_DEPTH, RECORD_WORDS, RECORDS, Shape, buffer_count,
    buffers_at, entries_at, owners_at,
};
use super::ring::{Ring, WhenFull};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::AtomicU64;
use crate::object::{LINE_WORDS, OpenObject};

/// An open `Topic`.
pub(super) struct Handle {
    pub(super) object: Arc<OpenObject>,
    pub(super) shape: Shape,
    /// INVARIANT: a power of two.
    depth: u32,
    pub(super) when_full: WhenFull,
    participants: usize,
    /// How many buffers there are; 0 if messages are in the entries.
    buffers: usize,
    /// INVARIANT: points to the first word of the payload, which has the line, the records of
    /// `participants`, `depth` entries of this shape, and `buffers` owners and buffers, in the
    /// mapping that `object` keeps alive.
    payload: NonNull<AtomicU64>,
}

// SAFETY: the pointer is to atomics in a mapping that the handle keeps alive; the rest is `Send`.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// Takes over an object whose values have this shape.
    pub(super) fn over(object: Arc<OpenObject>, shape: Shape) -> Result<Self> {
        let layout = object.layout();
        let (depth, participants) = (layout.items, layout.participants_count as usize);
        check_depth(depth).map_err(|error| error.of_kind(ErrorKind::Corrupt))?;
        let entries = (depth as usize).saturating_mul(shape.stride_words);
        let mut words = entries_at(participants).saturating_add(entries);
        let mut buffers = 0;
        if shape.is_buffered() {
            buffers = buffer_count(depth, layout.flags) as usize;
            words = buffers_at(participants, depth, buffers, shape)
                .saturating_add(buffers.saturating_mul(shape.buffer_words()));
        }
        // INVARIANT: the payload has these words, and the depth was checked.
        let payload = NonNull::from(object.payload().words(0, words)?).cast();
        let when_full = when_full(layout.flags);
        Ok(Self { object, shape, depth, when_full, participants, buffers, payload })
    }

    /// The ring. If the shape is a constant, offsets in an entry are constants too.
    #[inline(always)]
    pub(super) fn ring<S: HasShape>(&self, shape: S) -> Ring<'_, S> {
        debug_assert_eq!(shape.shape(), self.shape);
        let entries_at = entries_at(self.participants);
        let line = self.words(0, LINE_WORDS);
        let records = self.words(RECORDS as usize / 8, self.participants * RECORD_WORDS);
        let entries = self.words(entries_at, self.depth as usize * shape.shape().stride_words);
        let ring = Ring::new(line, records, entries, self.depth, self.when_full, shape);
        let ring = if shape.shape().is_buffered() {
            let (participants, depth, count) = (self.participants, self.depth, self.buffers);
            let owners = self.words(owners_at(participants, depth, self.shape), count);
            let at = buffers_at(participants, depth, count, self.shape);
            let buffers = self.words(at, count * self.shape.buffer_words());
            ring.and_then(|ring| ring.with_buffers(owners, buffers))
        } else {
            ring
        };
        ring.expect("the words were counted by the shape")
    }

    /// Where a buffer is, in bytes from the beginning of the payload.
    pub(super) fn buffer_at(&self, buffer: u32) -> usize {
        let at = buffers_at(self.participants, self.depth, self.buffers, self.shape);
        (at + buffer as usize * self.shape.buffer_words()) * size_of::<AtomicU64>()
    }

    /// The number of entries.
    pub(super) fn depth(&self) -> u32 {
        self.depth
    }

    /// `count` words from `from` on, within those of the invariant.
    #[inline(always)]
    fn words(&self, from: usize, count: usize) -> &[AtomicU64] {
        // SAFETY: within the payload: the caller names a part of what the invariant counts.
        let first = unsafe { self.payload.add(from) };
        // SAFETY: they lie in the mapping that `object` keeps alive while `self` is borrowed.
        unsafe { NonNull::slice_from_raw_parts(first, count).as_ref() }
    }

    #[cold]
    pub(super) fn invalid(&self) -> Error {
        let why = "the bytes are not a value of the type: another process wrote something else";
        Error::new(ErrorKind::Corrupt, why).doing("receive from").on(self.object.label())
    }
}

/// What an object with these flags does with a message for which there is no room.
pub(super) fn when_full(flags: u32) -> WhenFull {
    match flags & (FLAG_DROP_NEW | FLAG_OVERWRITE) {
        0 => WhenFull::Block,
        FLAG_DROP_NEW => WhenFull::DropNew,
        _ => WhenFull::Overwrite,
    }
}

/// Refuses a depth that no ring has.
pub(super) fn check_depth(depth: u32) -> Result<()> {
    if depth.is_power_of_two() && depth <= MAX_DEPTH {
        return Ok(());
    }
    let why = format!("a depth of {depth} messages; 1 to {MAX_DEPTH} are allowed");
    Err(Error::new(ErrorKind::InvalidArgument, why))
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.object.label()).finish()
    }
}
