//! An open call: the object and its words.
#![allow(
    unsafe_code,
    reason = "words of a mapping, kept as a pointer so that a call costs no check"
)]

use std::convert::Infallible;
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use super::counts::CallCounts;
use super::geometry::Geometry;
use super::parts::call_over;
use super::protocol::CallWords;
use crate::error::Result;
use crate::memory::atomic::AtomicU64;
use crate::object::OpenObject;
use crate::participant::{Liveness, Role};

const WORD: u64 = size_of::<u64>() as u64;

/// An open call.
pub(super) struct Handle {
    pub(super) object: Arc<OpenObject>,
    pub(super) geometry: Geometry,
    /// INVARIANT: points to as many words as the geometry says, in the mapping that `object` keeps
    /// alive.
    payload: NonNull<AtomicU64>,
}

// SAFETY: the pointer is to atomics in a mapping that the handle keeps alive; the rest is `Send`.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// Takes over an object with this geometry.
    pub(super) fn over(object: Arc<OpenObject>, geometry: Geometry) -> Result<Self> {
        // INVARIANT: the payload has these words.
        let words = object.payload().words(0, geometry.words() as usize)?;
        let payload = NonNull::from(words).cast();
        Ok(Self { object, geometry, payload })
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
    pub(super) fn call(&self) -> CallWords<'_> {
        let words = |at, count| Ok::<_, Infallible>(self.words(at, count));
        let Ok(call) = call_over(self.geometry, words);
        call
    }

    /// How many living participants have this role.
    pub(super) fn count_role(&self, role: Role) -> usize {
        let participants = self.object.participants();
        let taken = (0..participants.count()).filter_map(|slot| participants.info(slot));
        taken.filter(|(id, who)| who.role == role && !self.object.is_dead(*id)).count()
    }

    /// Says how many processes serve.
    #[cold]
    pub(super) fn servers(&self) -> String {
        match self.count_role(Role::Server) {
            0 => "there is no server".into(),
            1 => "there is 1 server".into(),
            many => format!("there are {many} servers"),
        }
    }

    /// Says what is in a call in which no slot is free, and how many processes serve.
    #[cold]
    pub(super) fn full(&self) -> String {
        let CallCounts { sending, waiting, begun, given_up, answered } = self.call().counts();
        let mut parts = vec![format!("{waiting} wait, {begun} are being answered")];
        for (count, what) in [
            (sending, "being sent"),
            (given_up, "given up, and still with their servers"),
            (answered, "answered, and not yet read"),
        ] {
            parts.extend((count > 0).then(|| format!("{count} {what}")));
        }
        let (slots, servers) = (self.geometry.slots, self.servers());
        format!("it holds {slots} requests at the most ({}), and {servers}", parts.join(", "))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.object.label()).finish()
    }
}
