//! The object that primitives live in, as one of its participants has it.

#![allow(
    unsafe_code,
    reason = "words of a mapping, kept as pointers so that a lock costs no check"
)]

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Instant;

use super::owner::{AcquireError, Liveness, OwnerWord, ParticipantId};
use super::sleepers::SLICE;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::object::{OpenObject, Role};

/// Words in a line: the two cache lines that each primitive has at the payload's start.
pub(crate) const LINE_WORDS: usize = 16;

/// An object, and this participant in it: for as long as any primitive of this handle lives.
pub(crate) struct Membership {
    object: OpenObject,
    me: ParticipantId,
    /// INVARIANT: the word that says whose this id's slot is, in the mapping of `object`.
    identity: NonNull<AtomicU64>,
    /// What it says as long as this participant has proof of its life.
    identity_value: u64,
    opened: Instant,
}

// SAFETY: the pointer leads to an atomic in a mapping that `object` keeps; the rest is `Send`.
unsafe impl Send for Membership {}
// SAFETY: as above.
unsafe impl Sync for Membership {}

impl Membership {
    /// Takes part in the object.
    pub(crate) fn join(object: OpenObject) -> Result<Arc<Self>> {
        let me = object.join(Role::User)?;
        let found = object.participants().identity_of(me);
        let Some((identity, identity_value)) = found else {
            object.give_up(me);
            return Err(Error::new(ErrorKind::RoleLost, "its place was taken away at once"));
        };
        let identity = NonNull::from(identity);
        let opened = Instant::now();
        Ok(Arc::new(Self { object, me, identity, identity_value, opened }))
    }

    /// This participant.
    #[inline(always)]
    pub(crate) fn me(&self) -> ParticipantId {
        self.me
    }

    pub(crate) fn object(&self) -> &OpenObject {
        &self.object
    }

    /// How many participants there can be.
    pub(crate) fn participants(&self) -> u32 {
        self.object.layout().participants_count
    }

    /// Whether this participant can act: it is not a forked child, and has proof of its life.
    #[inline(always)]
    pub(crate) fn is_well(&self) -> bool {
        // SAFETY: in the mapping that `object` keeps.
        let identity = unsafe { self.identity.as_ref() };
        // ORDERING: Relaxed; only this participant's own end changes it, or the loss of its lock.
        let identity = identity.load(Ordering::Relaxed);
        self.is_mine() && identity == self.identity_value
    }

    /// Whether this is the process that took part, and no forked child.
    #[inline(always)]
    pub(crate) fn is_mine(&self) -> bool {
        self.object.is_mine()
    }

    /// Refuses a participant that can not act.
    #[inline]
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_well() { Ok(()) } else { Err(self.unwell()) }
    }

    #[cold]
    fn unwell(&self) -> Error {
        if let Err(forked) = self.object.check_not_forked() {
            return forked;
        }
        let why = "the process closed descriptors that prove its life: open the object again";
        Error::new(ErrorKind::RoleLost, why).doing("use").on(self.object.name())
    }

    /// Whether nobody who lives has the slot. A dead one's is freed, as by asking about it.
    pub(crate) fn reap_slot(&self, slot: u32) -> bool {
        slot != self.me.slot && self.object.reap_slot(slot)
    }

    /// Says, for who looks, that a thread waits for what is at `place` in the payload: until
    /// dropped.
    pub(crate) fn waiting(&self, place: u64) -> Waiting<'_> {
        let word = self.object.participants().waiting(self.me.slot);
        if let Some(word) = word {
            let waits = |word: u64| Some(place << 32 | u64::from((word as u32).wrapping_add(1)));
            // ORDERING: Relaxed; for people.
            let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, waits);
        }
        Waiting(word)
    }

    /// An error about what was being done to this object.
    #[cold]
    pub(crate) fn error(&self, kind: ErrorKind, doing: &'static str, why: String) -> Error {
        Error::new(kind, why).doing(doing).on(self.object.name())
    }

    /// Why a lock or another word was not taken.
    #[cold]
    pub(crate) fn refused(&self, refused: AcquireError, doing: &'static str) -> Error {
        let (kind, why) = match refused {
            AcquireError::Closed => return self.object.closed(),
            AcquireError::Held(holder) => {
                (ErrorKind::Busy, format!("{} has it", self.object.shown(holder)))
            }
            AcquireError::TimedOut(holder) => {
                let who = self.object.shown(holder);
                (ErrorKind::TimedOut, format!("{who} had it for all the time given"))
            }
            AcquireError::Busy => (ErrorKind::TimedOut, "others kept taking it".into()),
            AcquireError::Corrupt => {
                (ErrorKind::Corrupt, "its word holds what no participant writes".into())
            }
        };
        self.error(kind, doing, why)
    }

    /// Whether a dead one is in a word.
    pub(crate) fn holder_is_dead(&self, owner: OwnerWord<'_>) -> bool {
        owner.look().holder().is_some_and(|holder| self.is_dead(holder))
    }

    #[cold]
    pub(crate) fn timed_out(&self, doing: &'static str) -> Error {
        self.error(ErrorKind::TimedOut, doing, "not within the time given".into())
    }

    #[cold]
    pub(crate) fn corrupt(&self, doing: &'static str, why: &str) -> Error {
        self.error(ErrorKind::Corrupt, doing, why.into())
    }
}

impl Liveness for Membership {
    /// A dead one's slot is freed before anybody is told. So what it held is taken from one that
    /// can not act any more: should it live, and have lost the proof of it, it is told `RoleLost`.
    fn is_dead(&self, holder: ParticipantId) -> bool {
        holder != self.me && self.object.reap_if_dead(holder)
    }

    fn is_gone(&self) -> bool {
        let removed = self.object.check_not_removed();
        removed.is_err_and(|error| error.kind() == ErrorKind::Closed)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        // What it held names a id that is given up from here on: it is as if it had died.
        self.object.give_up(self.me);
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Membership").field(&self.object.name().as_str()).finish()
    }
}

/// Says that a thread waits, until dropped.
pub(crate) struct Waiting<'a>(Option<&'a AtomicU64>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(word) = self.0 {
            let ends = |word: u64| (word as u32 != 0).then(|| word - 1);
            // ORDERING: Relaxed; for people.
            let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, ends);
        }
    }
}

/// Words of a payload, with the membership that keeps them.
pub(crate) struct Words<const N: usize> {
    membership: Arc<Membership>,
    place: u64,
    count: usize,
    /// When the system was last asked about a death that concerns these words: milliseconds since
    /// the membership was opened, and one.
    asked: AtomicU64,
    /// INVARIANT: `count` words, at least `N`, in the mapping that `membership` keeps.
    first: NonNull<AtomicU64>,
}

// SAFETY: the pointer leads to atomics in a mapping that `membership` keeps.
unsafe impl<const N: usize> Send for Words<N> {}
// SAFETY: as above.
unsafe impl<const N: usize> Sync for Words<N> {}

impl<const N: usize> Words<N> {
    /// The `count` words at `place` in the payload.
    pub(crate) fn new(membership: &Arc<Membership>, place: u64, count: usize) -> Result<Self> {
        let words = membership.object.payload().words(place as usize, count.max(N))?;
        let (count, first) = (words.len(), NonNull::from(words).cast());
        Ok(Self { membership: membership.clone(), place, count, asked: AtomicU64::new(0), first })
    }

    #[inline(always)]
    pub(crate) fn membership(&self) -> &Membership {
        &self.membership
    }

    /// Where they are in the payload.
    pub(crate) fn place(&self) -> u64 {
        self.place
    }

    /// The first ones.
    #[inline(always)]
    pub(crate) fn fixed(&self) -> &[AtomicU64; N] {
        // SAFETY: at least so many words, aligned, in the mapping that `membership` keeps for as
        // long as `self` is borrowed.
        unsafe { self.first.cast().as_ref() }
    }

    /// All of them.
    #[inline]
    pub(crate) fn all(&self) -> &[AtomicU64] {
        // SAFETY: so many words, aligned, in the mapping that `membership` keeps for as long as
        // `self` is borrowed.
        unsafe { NonNull::slice_from_raw_parts(self.first, self.count).as_ref() }
    }

    /// Where bytes behind them are.
    pub(crate) fn at<T>(&self, offset: usize) -> NonNull<T> {
        debug_assert!(offset + size_of::<T>() <= self.count * size_of::<u64>());
        // SAFETY: within the words.
        unsafe { self.first.byte_add(offset) }.cast()
    }
}

impl<const N: usize> Liveness for Words<N> {
    fn is_dead(&self, holder: ParticipantId) -> bool {
        self.membership.is_dead(holder)
    }

    fn is_due(&self) -> bool {
        let now_ms = self.membership.opened.elapsed().as_millis() as u64 + 1;
        // ORDERING: Relaxed; two threads that ask at once do no harm.
        let asked_ms = self.asked.load(Ordering::Relaxed);
        let due = asked_ms == 0 || now_ms - asked_ms.min(now_ms) >= SLICE.as_millis() as u64;
        if due {
            // ORDERING: Relaxed; as above.
            self.asked.store(now_ms, Ordering::Relaxed);
        }
        due
    }

    fn is_gone(&self) -> bool {
        self.membership.is_gone()
    }
}

impl<const N: usize> fmt::Debug for Words<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Words")
            .field("membership", &self.membership)
            .field("place", &self.place)
            .finish()
    }
}

/// The words of a primitive's line.
pub(crate) type Line = Words<LINE_WORDS>;
