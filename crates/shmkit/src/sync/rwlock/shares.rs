//! The protocol of those who share, and of who wants it alone.
//!
//! ```text
//! line   | owner | slots used | value ...     data   | share | share | ...   64 bytes each
//! share  63            32 31                    2     1     0
//!        +---------------+-----------------------+--------+---+
//!        |  generation   |  threads that share   | ASLEEP | 0 |
//!        +---------------+-----------------------+--------+---+
//! ```
//!
//! A share exists only in its participant's own word: no total is stored, so that a dead reader's
//! share is gone with it, and readers of different processes touch no common line but to read it.
//!
//! | state of the owner word | who shares | who may leave it |
//! |---|---|---|
//! | free | anybody | a writer to exclusive, another to upgradable |
//! | held, UPGRADABLE | anybody | the holder: to exclusive, or to free |
//! | held, DRAINING | those who are in | the holder, once they have left |
//! | held, exclusive | nobody | the holder |
//!
//! # Why nobody shares with who has it alone
//!
//! | reader | writer |
//! |---|---|
//! | R1 adds 1 to its share | W1 exchanges the owner word for itself, exclusive |
//! | R2 looks at the owner word; exclusive: goes back | W2 looks at each share; not 0: waits |
//!
//! All four are sequentially consistent. If R2 does not see W1, then R1 comes before W2, which
//! waits. (Weaker orders let both look too early, as in Dekker's algorithm.)
//!
//! A share is changed in its participant's generation alone. So one that lost its slot while it
//! lived, as by closing descriptors, neither takes nor leaves a share of its successor's.
//!
//! # Why no writer sleeps for ever
//!
//! Before it sleeps on a share, it sets ASLEEP in it. Whoever leaves the share by a subtraction
//! that meets ASLEEP wakes it. Shares of the dead are found by asking, at once and after each
//! slice.

use std::time::Instant;

use crate::memory::atomic::{AtomicU64, Ordering, fence_in_model};
use crate::sync::owner::{AcquireError, Liveness, Mode, OwnerWord, ParticipantId, State};
use crate::sync::sleepers::{ASLEEP, Habit, Sleepers};
use crate::sync::spin::Spin;
use crate::sync::until::Until;

/// Words from one participant's share to the next: each has a cache line to itself.
pub(crate) const STRIDE: usize = 8;
/// One thread that shares.
const ONE: u64 = 1 << 2;
const COUNT: u64 = u32::MAX as u64 & !0b11;

/// A lock that can be shared: its words.
#[derive(Clone, Copy)]
pub(crate) struct Shares<'a> {
    pub(crate) owner: OwnerWord<'a>,
    /// One more than the highest slot that ever opened it.
    pub(crate) used: &'a AtomicU64,
    pub(crate) words: &'a [AtomicU64],
}

impl<'a> Shares<'a> {
    /// Makes the share of `me` its own: who had the slot before is gone, with what it shared.
    pub(crate) fn adopt(self, me: ParticipantId) {
        if let Some(mine) = self.share(me.slot) {
            // ORDERING: SeqCst; a writer that does not see it sees what was there before.
            let had = mine.swap(u64::from(me.generation) << 32, Ordering::SeqCst);
            if had & ASLEEP != 0 {
                Sleepers::new(mine).wake(had);
            }
        }
        // ORDERING: SeqCst; before the first share, as R1 before R2.
        self.used.fetch_max(u64::from(me.slot) + 1, Ordering::SeqCst);
    }

    #[inline(always)]
    fn share(self, slot: u32) -> Option<&'a AtomicU64> {
        self.words.get(slot as usize * STRIDE)
    }

    /// Shares, if nobody excludes it. What the owner word says.
    #[inline]
    pub(crate) fn try_share(self, me: ParticipantId) -> Result<State, AcquireError> {
        let mine = self.share(me.slot).ok_or(AcquireError::Corrupt)?;
        // CRASH: dying from here on leaves a share that is a dead one's: nobody waits for it long.
        // ORDERING: SeqCst; R1 before R2, see above.
        let had = mine.fetch_add(ONE, Ordering::SeqCst);
        crash_point!("rwlock: shared, owner not yet seen");
        if !is_of(had, me) {
            // ORDERING: Relaxed; it was never read by.
            mine.fetch_sub(ONE, Ordering::Relaxed);
            return Err(AcquireError::Busy);
        }
        fence_in_model();
        let state = self.owner.look();
        if state.is_sound() && !state.is_closed() && !state.is_exclusive() {
            return Ok(state);
        }
        self.unshare(me);
        if had & ASLEEP != 0 {
            // Whoever sleeps saw the share as it was, without this one.
            Sleepers::new(mine).wake(had);
        }
        Err(match state.holder() {
            _ if !state.is_sound() => AcquireError::Corrupt,
            Some(holder) if !state.is_closed() => AcquireError::Held(holder),
            _ => AcquireError::Closed,
        })
    }

    /// One more thread shares: for one who has the lock in a way that lets it.
    pub(crate) fn share_more(self, me: ParticipantId) {
        if let Some(mine) = self.share(me.slot) {
            let more = |share| is_of(share, me).then(|| share + ONE);
            // ORDERING: SeqCst; before the owner word is given up, as R1.
            let _ = mine.fetch_update(Ordering::SeqCst, Ordering::Relaxed, more);
        }
    }

    /// Gives a share back.
    #[inline]
    pub(crate) fn unshare(self, me: ParticipantId) {
        let Some(mine) = self.share(me.slot) else { return };
        let less =
            |share| (is_of(share, me) && share & COUNT != 0).then(|| (share - ONE) & !ASLEEP);
        // ORDERING: Release; pairs with the look in `drain`: who changes the value comes behind
        // those who read it.
        let Ok(had) = mine.fetch_update(Ordering::Release, Ordering::Relaxed, less) else { return };
        if had & ASLEEP != 0 {
            // CRASH: dying here loses the wake; the writer's slice ends.
            crash_point!("rwlock: share given back, nobody woken");
            Sleepers::new(mine).wake(had);
        }
    }

    /// Shares, if nobody excludes it; or if who does is dead, and it is time to ask about that.
    #[cold]
    pub(crate) fn attempt(
        self,
        me: ParticipantId,
        liveness: &impl Liveness,
    ) -> Result<State, AcquireError> {
        match self.try_share(me) {
            Err(AcquireError::Held(holder)) if liveness.is_due() => {
                self.owner.reap(holder, liveness)?;
                self.try_share(me)
            }
            answer => answer,
        }
    }

    /// Shares, waiting as long as `until` says for who excludes it.
    #[cold]
    pub(crate) fn share_slowly(
        self,
        me: ParticipantId,
        liveness: &impl Liveness,
        spin: &Spin,
        until: Until,
    ) -> Result<State, AcquireError> {
        let since = Instant::now();
        loop {
            self.owner.await_sharing(liveness, spin, since, until)?;
            match self.try_share(me) {
                Ok(state) => {
                    // A turn that was kept for those who share is over.
                    self.owner.end_handoff_of_readers(state);
                    return Ok(state);
                }
                Err(AcquireError::Held(_)) => {}
                Err(refused) => return Err(refused),
            }
        }
    }

    /// Whether nobody shares at this moment.
    #[inline]
    pub(crate) fn nobody_shares(self) -> bool {
        fence_in_model();
        self.first_sharer().is_none()
    }

    /// Who shares, and how many threads of each.
    pub(crate) fn sharers(self) -> impl Iterator<Item = (ParticipantId, u64)> {
        (0..(self.words.len() / STRIDE) as u32).filter_map(move |slot| {
            let word = self.share(slot)?;
            // ORDERING: Relaxed; for people.
            let threads = (word.load(Ordering::Relaxed) & COUNT) / ONE;
            sharer(word, slot).map(|holder| (holder, threads))
        })
    }

    #[inline]
    fn first_sharer(self) -> Option<(&'a AtomicU64, ParticipantId)> {
        // ORDERING: SeqCst; W1 before W2, see above.
        let used = self.used.load(Ordering::SeqCst);
        (0..used.min(1 << 10) as u32).find_map(|slot| {
            let word = self.share(slot)?;
            sharer(word, slot).map(|holder| (word, holder))
        })
    }

    /// Takes away what the dead shared: all at once, since looking is seldom.
    fn forget_the_dead(self, liveness: &impl Liveness) {
        for slot in 0..(self.words.len() / STRIDE) as u32 {
            let Some(word) = self.share(slot) else { return };
            if let Some(holder) = sharer(word, slot).filter(|it| liveness.is_dead(*it)) {
                forget(word, holder);
            }
        }
    }

    /// Waits until nobody shares any more, and goes in: for one who has the owner word, draining.
    #[cold]
    pub(crate) fn drain(
        self,
        me: ParticipantId,
        liveness: &impl Liveness,
        habit: &Habit,
        until: Until,
    ) -> Result<(), AcquireError> {
        let mut due = false;
        fence_in_model();
        while let Some((word, holder)) = self.first_sharer() {
            if matches!(until, Until::Now) {
                due = due || liveness.is_due();
                if !due || !liveness.is_dead(holder) {
                    return Err(AcquireError::Held(holder));
                }
                forget(word, holder);
                continue;
            }
            let has_left = || sharer(word, holder.slot) != Some(holder);
            let mut waiter = habit.waiter();
            let left = waiter.wait(
                Sleepers::new(word),
                until.deadline(),
                || has_left().then_some(Ok(())),
                || {
                    self.forget_the_dead(liveness);
                    let left = has_left().then_some(Ok(()));
                    left.or_else(|| liveness.is_gone().then_some(Err(AcquireError::Closed)))
                },
            );
            habit.keep(&waiter);
            left.unwrap_or(Err(AcquireError::TimedOut(holder)))?;
        }
        // CRASH: dying before this is no death in the middle of a change: nothing was changed.
        crash_point!("rwlock: drained, not yet in");
        self.owner.change_mode(me, Mode::Exclusive);
        Ok(())
    }
}

/// Whether a share is in the generation in which `me` has the slot.
#[inline(always)]
fn is_of(share: u64, me: ParticipantId) -> bool {
    (share >> 32) as u32 == me.generation
}

/// Who shares, by its word.
#[inline(always)]
fn sharer(word: &AtomicU64, slot: u32) -> Option<ParticipantId> {
    // ORDERING: SeqCst; W1 before W2. As Acquire it pairs with the Release in `unshare`.
    let share = word.load(Ordering::SeqCst);
    (share & COUNT != 0).then_some(ParticipantId { slot, generation: (share >> 32) as u32 })
}

/// Takes away what a dead one shared, unless its slot is another's by now.
fn forget(word: &AtomicU64, dead: ParticipantId) {
    // ORDERING: Relaxed; nobody reads by it, and the exchange decides.
    let share = word.load(Ordering::Relaxed);
    if is_of(share, dead) {
        let nothing = u64::from(dead.generation) << 32;
        // ORDERING: Relaxed; as above.
        let _ = word.compare_exchange(share, nothing, Ordering::Relaxed, Ordering::Relaxed);
    }
}

#[cfg(all(test, loom))]
#[allow(unsafe_code, reason = "what a lock guards")]
mod models;
