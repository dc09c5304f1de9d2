//! The participation of this process in an object.
#![allow(
    unsafe_code,
    reason = "a word of a mapping, kept as a pointer so that a lock costs no check"
)]

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use super::open_object::OpenObject;
use super::removal_watch::RemovalWatch;
use super::watched::Watched;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::participant::owner::{self, AcquireError};
use crate::participant::{Liveness, ParticipantId, Role};
use crate::sys::notices::ObjectNotices;
use crate::wait::{Stop, Until};

/// A slot among the participants of an object, until it is dropped.
pub(crate) struct Membership {
    object: Arc<OpenObject>,
    me: ParticipantId,
    removal_watch: RemovalWatch,
    /// Lives as long as this participation.
    life: Arc<()>,
    /// INVARIANT: the word that names the participant of the slot, in the mapping of `object`.
    identity: NonNull<AtomicU64>,
    /// What it says until the slot is left, or freed by another process.
    identity_value: u64,
}

// SAFETY: the pointer leads to an atomic in a mapping that `object` keeps alive; the rest is
// `Send`.
unsafe impl Send for Membership {}
// SAFETY: as above.
unsafe impl Sync for Membership {}

impl Membership {
    /// Takes a slot. If all are taken, waits for one as long as `until` says.
    ///
    /// # If a process dies
    ///
    /// The kernel releases its liveness lock. The next participant that meets the slot frees it.
    pub(crate) fn join(object: &Arc<OpenObject>, role: Role, until: Until) -> Result<Self> {
        let me = object.claim_slot(role, until)?;
        let found = object.participants().identity_of(me);
        let Some((identity, identity_value)) = found else {
            object.release_slot(me);
            let why = "its slot was taken away at once: the process closes descriptors";
            return Err(Error::new(ErrorKind::RoleLost, why));
        };
        // INVARIANT: the word is in the mapping of `object`.
        let identity = NonNull::from(identity);
        let (object, removal_watch) = (object.clone(), object.removal_watch());
        let life = Arc::new(());
        Ok(Self { object, me, removal_watch, life, identity, identity_value })
    }

    /// What a source knows of this participant, which other threads wait for.
    pub(crate) fn watched(&self) -> Watched {
        let life: Arc<dyn Send + Sync> = self.life.clone();
        Watched::new(&self.object, Some(self.me), Arc::downgrade(&life))
    }

    /// This participant.
    #[inline(always)]
    pub(crate) fn me(&self) -> ParticipantId {
        self.me
    }

    pub(crate) fn object(&self) -> &OpenObject {
        &self.object
    }

    /// The largest number of participants.
    pub(crate) fn max_participants(&self) -> u32 {
        self.object.layout().participants_count
    }

    /// Whether this participant can act, as [`has_slot`](Self::has_slot) says.
    ///
    /// Each use that begins something asks this. So it also notices, in time, that the file was
    /// removed by other means than this library. Where that retires the object, the use sees it
    /// next; otherwise this participant cannot act any more.
    #[inline(always)]
    pub(crate) fn is_live(&self) -> bool {
        // Not due also says that this is not a forked child.
        (!self.removal_watch.is_due() || self.has_its_object()) && self.is_in_its_slot()
    }

    /// Whether it is time for what a participant does about once in a second. In a forked child it
    /// always is. [`is_live`](Self::is_live) follows, which ends that time.
    #[inline(always)]
    pub(crate) fn is_due(&self) -> bool {
        self.removal_watch.is_due()
    }

    /// Whether this is not a forked child, and no process has freed the slot, as happens some time
    /// after the liveness lock was lost. A use that ends something asks only this.
    #[inline(always)]
    pub(crate) fn has_slot(&self) -> bool {
        self.is_mine() && self.is_in_its_slot()
    }

    #[inline(always)]
    fn is_in_its_slot(&self) -> bool {
        // SAFETY: in the mapping that `object` keeps alive.
        let identity = unsafe { self.identity.as_ref() };
        // ORDERING: Relaxed; only this participant's own end changes it, or the loss of its lock.
        identity.load(Ordering::Relaxed) == self.identity_value
    }

    /// Whether this is not a forked child, and the object was not removed, or is retired. If it was
    /// removed, the next use asks again.
    #[cold]
    fn has_its_object(&self) -> bool {
        if !self.is_mine() {
            return false;
        }
        if self.object.object_is_removed() {
            return self.object.is_retired();
        }
        self.removal_watch.asks();
        true
    }

    /// Whether this is the process that joined, not a forked child.
    #[inline(always)]
    pub(crate) fn is_mine(&self) -> bool {
        self.removal_watch.is_mine()
    }

    /// Refuses a participant that cannot act.
    #[inline]
    pub(crate) fn check_live(&self) -> Result<()> {
        if self.is_live() { Ok(()) } else { Err(self.not_live()) }
    }

    #[cold]
    fn not_live(&self) -> Error {
        if let Err(forked) = self.object.check_not_forked() {
            return forked;
        }
        if self.object.object_is_removed() {
            return self.object.closed();
        }
        let why = "the process closed the descriptor of its liveness lock: open the object again";
        self.error(ErrorKind::RoleLost, "use", why)
    }

    /// Frees the slot of another participant if that is dead. Returns whether no living
    /// participant has it.
    pub(crate) fn reap_slot(&self, slot: u32) -> bool {
        slot != self.me.slot() && self.object.participants().reap_slot(slot)
    }

    /// Records that a thread waits for what is at `place` in the payload, so that tools can show
    /// it, until the returned value is dropped. An attempt is not recorded.
    pub(crate) fn record_wait(&self, place: u64, until: Until) -> RecordedWait<'_> {
        if until == Until::Now {
            return RecordedWait(None);
        }
        let word = self.object.participants().waiting(self.me.slot());
        if let Some(word) = word {
            let waits = |word: u64| Some(place << 32 | u64::from((word as u32).wrapping_add(1)));
            // ORDERING: Relaxed; only shown to people.
            let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, waits);
        }
        RecordedWait(word)
    }

    /// An error about what was being done to this object.
    #[cold]
    pub(crate) fn error(
        &self,
        kind: ErrorKind,
        action: &'static str,
        why: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Error {
        Error::new(kind, why).doing(action).on_shared(self.object.label())
    }

    /// The error for an owner word that was not acquired.
    #[cold]
    pub(crate) fn acquire_error(&self, error: AcquireError, action: &'static str) -> Error {
        let holder = match error {
            AcquireError::Closed => return self.object.closed(),
            AcquireError::NotLive => return self.not_live(),
            AcquireError::Stopped(stop) => return self.stopped(stop, action),
            AcquireError::Held(holder) | AcquireError::TimedOut(holder) => holder,
            AcquireError::Contended => {
                let why = "whenever it was free, other participants acquired it or had it reserved";
                return self.error(ErrorKind::TimedOut, action, why);
            }
            AcquireError::Corrupt => return self.error(ErrorKind::Corrupt, action, owner::GARBAGE),
        };
        let why = "held it until the timeout";
        self.error(ErrorKind::TimedOut, action, why).by_peer(self.object.peer(holder))
    }

    /// The error for a wait that was stopped.
    #[cold]
    pub(crate) fn stopped(&self, stop: Stop, action: &'static str) -> Error {
        stop.error().doing(action).on_shared(self.object.label())
    }

    #[cold]
    pub(crate) fn timed_out(&self, action: &'static str) -> Error {
        self.error(ErrorKind::TimedOut, action, "the timeout expired")
    }
}

impl Liveness for Membership {
    fn is_dead(&self, id: ParticipantId) -> bool {
        id != self.me && self.object.is_dead(id)
    }

    fn reap_if_dead(&self, id: ParticipantId) -> bool {
        id != self.me && self.object.reap_if_dead(id)
    }

    fn object_is_removed(&self) -> bool {
        self.object.object_is_removed()
    }

    fn notices(&self) -> Option<ObjectNotices<'_>> {
        self.object.notices()
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        // What it holds names a slot that is left from here on: as if it had died.
        self.object.release_slot(self.me);
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Membership").field(&self.object.label()).finish()
    }
}

/// A record that a thread waits, until it is dropped.
pub(crate) struct RecordedWait<'a>(Option<&'a AtomicU64>);

impl Drop for RecordedWait<'_> {
    fn drop(&mut self) {
        if let Some(word) = self.0 {
            let ends = |word: u64| (word as u32 != 0).then(|| word - 1);
            // ORDERING: Relaxed; only shown to people.
            let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, ends);
        }
    }
}
