//! An open queue: the object and its words.
#![allow(
    unsafe_code,
    reason = "words of a mapping, kept as a pointer so that a message costs no check"
)]

use std::convert::Infallible;
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use super::counts::QueueCounts;
use super::geometry::{Geometry, limit_of_flags};
use super::parts::queue_over;
use super::protocol::QueueWords;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::AtomicU64;
use crate::object::OpenObject;
use crate::participant::{Liveness, Role};

const WORD: u64 = size_of::<u64>() as u64;

/// An open queue.
pub(super) struct Handle {
    pub(super) object: Arc<OpenObject>,
    pub(super) geometry: Geometry,
    pub(super) delivery_limit: u32,
    /// INVARIANT: points to as many words as the geometry says, in the mapping that `object` keeps
    /// alive.
    payload: NonNull<AtomicU64>,
}

// SAFETY: the pointer is to atomics in a mapping that the handle keeps alive; the rest is `Send`.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// Takes over an object whose messages are values of so many bytes, or lists of them.
    pub(super) fn over(object: Arc<OpenObject>, value_bytes: u64) -> Result<Self> {
        let (items, length) = (object.layout().items, object.layout().item_length);
        let geometry = Geometry::of(value_bytes, length, items, object.layout().flags);
        let geometry = geometry.ok_or_else(|| {
            let why = format!("a queue of {items} messages, each of up to {length} elements");
            Error::new(ErrorKind::Corrupt, why)
        })?;
        // INVARIANT: the payload has these words.
        let words = object.payload().words(0, geometry.words() as usize)?;
        let payload = NonNull::from(words).cast();
        let delivery_limit = limit_of_flags(object.layout().flags);
        Ok(Self { object, geometry, delivery_limit, payload })
    }

    #[inline(always)]
    fn words(&self, at: u64, count: u64) -> &[AtomicU64] {
        debug_assert!(at / WORD + count <= self.geometry.words());
        // SAFETY: within the words of the geometry.
        let first = unsafe { self.payload.add((at / WORD) as usize) };
        // SAFETY: they lie in the mapping that `object` keeps alive while `self` is borrowed.
        unsafe { NonNull::slice_from_raw_parts(first, count as usize).as_ref() }
    }

    #[inline(always)]
    pub(super) fn queue(&self) -> QueueWords<'_> {
        let words = |at, count| Ok::<_, Infallible>(self.words(at, count));
        let Ok(queue) = queue_over(self.geometry, self.delivery_limit, words);
        queue
    }

    /// How many living participants have this role.
    pub(super) fn count_role(&self, role: Role) -> usize {
        let participants = self.object.participants();
        let taken = (0..participants.count()).filter_map(|slot| participants.info(slot));
        taken.filter(|(id, who)| who.role == role && !self.object.is_dead(*id)).count()
    }

    /// Says what is in a queue in which no slot is free, and how many processes receive.
    #[cold]
    pub(super) fn full(&self) -> String {
        let QueueCounts { sending, ready, taken, dead } = self.queue().counts();
        let mut parts = vec![format!("{ready} ready, {taken} taken")];
        parts.extend((sending > 0).then(|| format!("{sending} being sent")));
        parts.extend((dead > 0).then(|| format!("{dead} set aside")));
        let receivers = match self.count_role(Role::Receiver) {
            0 => "no process receives".into(),
            1 => "1 receiver".into(),
            many => format!("{many} receivers"),
        };
        let depth = self.geometry.depth;
        format!("it holds {depth} messages at the most ({}), and {receivers}", parts.join(", "))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.object.label()).finish()
    }
}
