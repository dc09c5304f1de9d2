//! Sharing a lock, and excluding the readers that share it.
//!
//! ```text
//! line   | owner | slots used | value ...     data   | share | share | ...   64 bytes each
//! share  63            32 31                    2     1     0
//!        +---------------+-----------------------+--------+---+
//!        |  generation   |  threads that share   | ASLEEP | 0 |
//!        +---------------+-----------------------+--------+---+
//! ```
//!
//! A share exists only in its participant's own word. No total is stored, so a dead reader's share
//! can be removed without repairing a total. Readers of different processes write to no common
//! cache line.
//!
//! | state of the owner word | who may share | who may leave it |
//! |---|---|---|
//! | free | any reader | a writer, to exclusive; an upgradable reader, to upgradable |
//! | held, UPGRADABLE | any reader | the holder: to exclusive, or to free |
//! | held, DRAINING | readers that already share | the holder, once they have left |
//! | held, exclusive | no reader | the holder |
//!
//! # Why no reader shares a lock that a writer holds
//!
//! | reader | writer |
//! |---|---|
//! | R1 adds 1 to its share | W1 stores itself in the owner word, exclusive |
//! | R2 looks at the owner word; exclusive: undoes R1 | W2 looks at each share; not 0: waits |
//!
//! All four are sequentially consistent. If R2 does not see W1, then R1 comes before W2, and the
//! writer waits. (With weaker orderings both could look too early, as in Dekker's algorithm.)
//!
//! After W1 every new share is undone. So the writer looks at the shares one after the other, and
//! does not look again at a share that it once found to be 0.
//!
//! A share is changed only in its participant's generation. So a participant that lost its slot
//! while it lived, for example by closing descriptors, neither adds to nor subtracts from the share
//! of its successor.
//!
//! # Why no writer sleeps forever
//!
//! Before a writer sleeps on a share, it sets ASLEEP in it. The subtraction that finds ASLEEP wakes
//! the writer. The slow check finds the shares of dead participants.

use crate::memory::atomic::{AtomicU64, Ordering, fence_in_model};
use crate::participant::owner::{AcquireError, Acquired, Mode, OwnerWord, State};
use crate::participant::{GENERATION_MASK, Liveness, MAX_PARTICIPANTS, ParticipantId};
use crate::wait::{
    ASLEEP, Checked, Extent, Poll, SleepTicket, Standing, Until, WaitLoop, WaitWord, Wake,
};

/// Words from one participant's share to the next: each has a cache line to itself.
pub(crate) const STRIDE: usize = 8;
/// One thread that shares.
const ONE: u64 = 1 << 2;
const COUNT: u64 = u32::MAX as u64 & !0b11;
/// How many times sharing is attempted while the owner word changes.
const TRIES: u32 = 64;

/// The words of a lock that can be shared.
#[derive(Clone, Copy)]
pub(crate) struct Shares<'a> {
    pub(crate) owner: OwnerWord<'a>,
    /// One more than the highest slot that ever opened the lock.
    pub(crate) used: &'a AtomicU64,
    pub(crate) words: &'a [AtomicU64],
}

/// This participant's share, with the owner word.
#[derive(Clone, Copy)]
pub(crate) struct OwnShare<'a> {
    pub(crate) owner: OwnerWord<'a>,
    pub(crate) word: &'a AtomicU64,
    pub(crate) me: ParticipantId,
}

impl<'a> OwnShare<'a> {
    /// Shares the lock, if no holder excludes readers and the owner word is not reserved. Not even
    /// for readers: `poll_share` ends that handoff. Returns the state of the owner word.
    #[inline]
    pub(crate) fn try_share(self) -> Result<State, AcquireError> {
        self.share_unless(State::is_reserved)
    }

    /// Shares the lock, if no holder excludes readers and it is not reserved.
    #[inline]
    fn share_unless(self, is_reserved: impl Fn(State) -> bool) -> Result<State, AcquireError> {
        // CRASH: dying from here on leaves a dead participant's share: a slow check removes it.
        // ORDERING: SeqCst; R1 before R2, see above.
        let had = self.word.fetch_add(ONE, Ordering::SeqCst);
        crash_point!("rwlock: shared, owner not yet seen");
        if !self.is_mine(had) {
            // ORDERING: Relaxed; nothing was read under this share.
            self.word.fetch_sub(ONE, Ordering::Relaxed);
            return Err(AcquireError::Contended);
        }
        fence_in_model();
        let state = self.owner.look();
        if state.is_sound() && !state.is_closed() && !state.is_exclusive() && !is_reserved(state) {
            return Ok(state);
        }
        self.unshare();
        if had & ASLEEP != 0 {
            // A writer that sleeps saw the share as it was before this addition.
            WaitWord::new(self.word).wake(had, Wake::Moved);
        }
        Err(match state.holder() {
            _ if !state.is_sound() => AcquireError::Corrupt,
            _ if state.is_closed() => AcquireError::Closed,
            Some(holder) => AcquireError::Held(holder),
            None => AcquireError::Contended,
        })
    }

    /// Adds one more thread that shares: for a holder of the owner word that lets readers share.
    pub(crate) fn share_more(self) {
        let more = |share| self.is_mine(share).then(|| share + ONE);
        // ORDERING: SeqCst; before the owner word is released, as R1.
        let _ = self.word.fetch_update(Ordering::SeqCst, Ordering::Relaxed, more);
    }

    /// Returns a share.
    ///
    /// # If a process dies
    /// If the reader dies between the change and the wake, the writer looks again at the end of its
    /// slice.
    #[inline]
    pub(crate) fn unshare(self) {
        let nothing = self.me.to_bits() & GENERATION_MASK;
        // ORDERING: Release; pairs with the load in `sharer`: a writer changes the value after the
        // readers have read it. A share without a mark has no sleepers.
        let word = WaitWord::new(self.word);
        if let Err(share) = word.change(nothing | ONE, nothing, Ordering::Release, Wake::Nobody) {
            self.unshare_slowly(share);
        }
    }

    /// The same, if other threads also share, or a writer sleeps.
    #[cold]
    fn unshare_slowly(self, mut share: u64) {
        while self.is_mine(share) && share & COUNT != 0 {
            let less = (share - ONE) & !ASLEEP;
            // ORDERING: Release; as in `unshare`.
            match WaitWord::new(self.word).change(share, less, Ordering::Release, Wake::All) {
                Ok(()) => return,
                Err(found) => share = found,
            }
        }
    }

    /// Returns whether a share has the generation of this participant.
    #[inline(always)]
    fn is_mine(self, share: u64) -> bool {
        (share ^ self.me.to_bits()) >> 32 == 0
    }

    /// Shares the lock, if no holder excludes readers; otherwise returns what to sleep on.
    pub(crate) fn poll_share(self, standing: &Standing) -> Poll<'a, Result<State, AcquireError>> {
        let mut tries = 0;
        loop {
            let polled = self.owner.poll_sharing(standing);
            if !matches!(polled, Poll::Ready(Ok(_))) {
                return polled;
            }
            let is_reserved = |state| self.owner.is_reserved_for_writers(state, standing);
            match self.share_unless(is_reserved) {
                Ok(state) => {
                    self.owner.end_handoff_to_readers(state);
                    if standing.patience_is_over {
                        self.owner.drop_handoffs();
                    }
                    return Poll::Ready(Ok(state));
                }
                Err(AcquireError::Held(_) | AcquireError::Contended) if tries < TRIES => tries += 1,
                Err(AcquireError::Held(_)) => return Poll::Ready(Err(AcquireError::Contended)),
                Err(refused) => return Poll::Ready(Err(refused)),
            }
        }
    }

    /// Shares the lock, waiting as long as `until` says for a holder that excludes it.
    #[cold]
    pub(crate) fn share_within(
        self,
        liveness: &impl Liveness,
        wait_loop: &WaitLoop,
        until: Until,
    ) -> Result<Acquired, AcquireError> {
        let waited = wait_loop.wait(
            liveness.notices(),
            until,
            |standing| self.poll_share(standing),
            |_| {
                let refused = self.owner.replace_dead_holder(None, liveness)?.err()?;
                Some(Checked::Found(Err(refused)))
            },
        );
        self.owner.conclude(waited, until).map(State::acquired)
    }
}

impl<'a> Shares<'a> {
    /// Makes the slot's share the share of `me`: the slot's previous participant has left or died,
    /// and its share ends.
    pub(crate) fn adopt(self, me: ParticipantId) {
        if let Some(mine) = self.share(me.slot()) {
            // ORDERING: SeqCst; a writer that does not see it sees the previous share.
            let had = mine.swap(u64::from(me.generation()) << 32, Ordering::SeqCst);
            if had & ASLEEP != 0 {
                WaitWord::new(mine).wake(had, Wake::All);
            }
        }
        // ORDERING: SeqCst; before the first share, as R1 before R2.
        self.used.fetch_max(u64::from(me.slot()) + 1, Ordering::SeqCst);
    }

    #[inline(always)]
    fn share(self, slot: u32) -> Option<&'a AtomicU64> {
        self.words.get(slot as usize * STRIDE)
    }

    /// Returns whether no reader shares at this moment.
    #[inline]
    pub(crate) fn nobody_shares(self) -> bool {
        self.first_sharer(0).is_none()
    }

    /// Returns the participants that share, and how many threads of each.
    pub(crate) fn sharers(self) -> impl Iterator<Item = (ParticipantId, u64)> {
        (0..(self.words.len() / STRIDE) as u32).filter_map(move |slot| {
            let word = self.share(slot)?;
            // ORDERING: Relaxed; only shown to people.
            let threads = (word.load(Ordering::Relaxed) & COUNT) / ONE;
            sharer(word, slot).map(|(holder, _)| (holder, threads))
        })
    }

    /// Returns the first participant from a slot on that shares, and its share.
    #[inline]
    fn first_sharer(self, first: u32) -> Option<(ParticipantId, &'a AtomicU64, u64)> {
        fence_in_model();
        // ORDERING: SeqCst; W1 before W2, see above.
        let used = self.used.load(Ordering::SeqCst);
        (first..used.min(MAX_PARTICIPANTS.into()) as u32).find_map(|slot| {
            let word = self.share(slot)?;
            sharer(word, slot).map(|(holder, share)| (holder, word, share))
        })
    }

    /// Returns ready once no slot from `first` on shares; otherwise returns what to sleep on. Moves
    /// `first` past the slots that do not share. For the draining holder of the owner word.
    pub(crate) fn poll_drained(self, first: &mut u32) -> Poll<'a, Result<(), AcquireError>> {
        match self.first_sharer(*first) {
            None => Poll::Ready(Ok(())),
            Some((holder, word, share)) => {
                *first = holder.slot();
                Poll::Pending(SleepTicket::new(WaitWord::new(word), share))
            }
        }
    }

    /// Removes the shares of the dead participants in this extent.
    pub(super) fn forget_the_dead(self, liveness: &impl Liveness, extent: Extent<'_>) {
        extent.each_slot((self.words.len() / STRIDE) as u32, |slot| {
            let Some((word, (holder, share))) =
                self.share(slot).and_then(|word| Some((word, sharer(word, slot)?)))
            else {
                return false;
            };
            if liveness.reap_if_dead(holder) {
                let nothing = u64::from(holder.generation()) << 32;
                // ORDERING: Relaxed; nothing is read after it. If it fails, another participant has
                // the share.
                let word = WaitWord::new(word);
                let _ = word.change(share, nothing, Ordering::Relaxed, Wake::All);
            }
            true
        });
    }

    /// Waits until no reader shares any more, and makes the lock exclusive: for the draining holder
    /// of the owner word.
    #[cold]
    pub(crate) fn drain(
        self,
        me: ParticipantId,
        liveness: &impl Liveness,
        wait_loop: &WaitLoop,
        until: Until,
    ) -> Result<(), AcquireError> {
        let mut first = 0;
        let waited = wait_loop.wait(
            liveness.notices(),
            until,
            |_| self.poll_drained(&mut first),
            |extent| {
                self.forget_the_dead(liveness, extent);
                liveness.object_is_removed().then_some(Checked::Found(Err(AcquireError::Closed)))
            },
        );
        match (waited.found, self.first_sharer(first)) {
            (Some(outcome), _) => outcome?,
            (None, Some((holder, ..))) => {
                return Err(match waited.stopped {
                    Some(stop) => AcquireError::Stopped(stop),
                    None if until == Until::Now => AcquireError::Held(holder),
                    None => AcquireError::TimedOut(holder),
                });
            }
            (None, None) => {}
        }
        // CRASH: dying before this is not a death in a critical section: nothing was changed.
        crash_point!("rwlock: drained, not yet in");
        self.owner.change_mode(me, Mode::Exclusive);
        Ok(())
    }
}

/// Returns the participant that shares, and its share.
#[inline(always)]
fn sharer(word: &AtomicU64, slot: u32) -> Option<(ParticipantId, u64)> {
    // ORDERING: SeqCst; W1 before W2. As Acquire it pairs with the Release in `unshare`.
    let share = word.load(Ordering::SeqCst);
    let holder = ParticipantId::new(slot, (share >> 32) as u32);
    (share & COUNT != 0).then_some((holder, share))
}

#[cfg(all(test, loom))]
#[allow(unsafe_code, reason = "what a lock guards")]
mod models;

#[cfg(all(test, not(loom)))]
mod tests;
