//! The owner word: one of several processes has it, and a dead one does not keep it.
//!
//! ```text
//! 63            32 31  29 28     13      12  11           1     0
//! +---------------+------+---------+---------+-------------+--------+
//! |  generation   |  0   |  deaths | WAITERS |  slot + 1   | CLOSED |     of a role
//! +---------------+------+---------+---------+-------------+--------+
//!     of a lock: 26..19 turns, 18 DONE, 17 DRAINING, 16 UPGRADABLE, 14 READERS, 13 INCONSISTENT
//! ```
//!
//! Slot and generation name the participant that has it. The low half is what waiters sleep on.
//!
//! | state | slot + 1 | who may leave it, and how |
//! |---|---|---|
//! | free | 0 | anybody, by writing himself in |
//! | held | not 0 | the holder, to free; once he is dead anybody, by replacing him |
//! | CLOSED | any | nobody; a holder still leaves |
//!
//! Replacing a dead holder adds 1 to deaths in the same exchange, or sets INCONSISTENT in a lock.
//!
//! | bit | set by | cleared by |
//! |---|---|---|
//! | WAITERS | who goes to sleep on the word | the holder when he frees it, and then wakes one |
//! | READERS | who goes to sleep until others may share | the same, and then all are woken |
//! | turns | who sleeps again after waiting for 1 ms, to 255 | he, by taking it or giving up |
//! | INCONSISTENT | who replaces a dead one in a critical section | a holder who mends it |
//! | UPGRADABLE | a holder with whom others may share | the holder |
//! | DRAINING | a holder who still waits for those who share | the holder |
//! | DONE | a holder who has done what is done once | nobody |
//! | CLOSED | the one who retires the object | nobody |
//!
//! # Why no waiter sleeps for ever
//!
//! Whoever sleeps saw WAITERS or READERS set in the very low half that the kernel compares. A word
//! with WAITERS is freed by an exchange that sees the bit, and one waiter is woken. He cannot know
//! whether there are others, so he sets the bit again in the exchange by which he takes the word,
//! or before he sleeps again; or he wakes one more when he gives up.
//! Where a wake is swallowed by a process being killed, the others' slices end.
//!
//! # Why nobody starves
//!
//! A word is taken by whoever comes first, which is fastest while it is short; but who comes first
//! is seldom he who has to be woken. So one that was woken in vain, 1 ms after he began to wait,
//! has the next 255 turns be for those who slept, and then whoever waits and has not yet slept for
//! the word leaves it to them, and sleeps. (An attempt does not.) They are woken in the order in
//! which they went to sleep; each who takes the word leaves one turn less, and he who asked none.
//! Writers leave it to readers in the same way, where there are turns and READERS is set.
//! A turn that was left to somebody who is dead or stopped is taken after a slice.
//!
//! # If a process dies
//!
//! A dead holder stays in the word until someone who wants it asks about him: at once in
//! [`OwnerWord::try_acquire`], in [`OwnerWord::acquire`] when the liveness has not been asked for
//! a slice. The one exchange that replaces him names his generation, so that of two who found him
//! dead only one does.

mod death_watch;
mod state;
mod waiting;

use std::time::Instant;

pub(crate) use self::death_watch::DeathWatch;
#[cfg(test)]
use self::state::CLOSED;
use self::state::{DONE, DRAINING, INCONSISTENT, READERS, UPGRADABLE, WAITERS};
pub(crate) use self::state::{ParticipantId, State, Use};
use self::waiting::Wait;
use super::spin::Spin;
use super::until::Until;
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::sys::wait;

/// How often an exchange is tried before the word counts as contended.
const TRIES: u32 = 64;

/// Who knows about life and death.
pub(crate) trait Liveness {
    /// Whether the participant is dead: the slot has another generation, or its lock is free.
    fn is_dead(&self, holder: ParticipantId) -> bool;

    /// Whether it is time to ask, which costs a call of the system: once in a slice.
    fn is_due(&self) -> bool {
        false
    }

    /// Whether the object was removed without telling those who wait.
    fn is_gone(&self) -> bool {
        false
    }
}

/// How a word is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// By one alone.
    Exclusive,
    /// Of a lock: by one with whom others may share, until he wants it alone.
    Upgradable,
    /// Of a lock: by one who wants it alone, and still waits for those who share.
    Draining,
}

impl Mode {
    #[inline(always)]
    fn bits(self) -> u64 {
        match self {
            Self::Exclusive => 0,
            Self::Upgradable => UPGRADABLE,
            Self::Draining => DRAINING,
        }
    }
}

/// How the word was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acquired {
    /// From nobody.
    Free,
    /// From this one, who died with it: what he left half-done is to be completed.
    FromDead(ParticipantId),
}

/// Why it was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcquireError {
    /// A living participant has it.
    Held(ParticipantId),
    /// The object was retired.
    Closed,
    /// The time is over; this one has it.
    TimedOut(ParticipantId),
    /// Others changed the word in each of many tries, or one of them has the next turn.
    Busy,
    /// The word holds what no participant writes.
    Corrupt,
}

/// The owner word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnerWord<'a> {
    word: &'a AtomicU64,
    of: Use,
}

impl<'a> OwnerWord<'a> {
    /// Of a role, over `word`.
    #[inline(always)]
    pub(crate) fn role(word: &'a AtomicU64) -> Self {
        Self { word, of: Use::Role }
    }

    /// Of a lock, over `word`.
    #[inline(always)]
    pub(crate) fn lock(word: &'a AtomicU64) -> Self {
        Self { word, of: Use::Lock }
    }

    #[inline(always)]
    fn state(self, word: u64) -> State {
        State { word, of: self.of }
    }

    /// What the word says now.
    #[inline]
    pub(crate) fn look(self) -> State {
        // ORDERING: SeqCst; as Acquire it pairs with the exchanges below. More than that only for
        // those who share, who have announced it just before: see `sync::rwlock`.
        self.state(self.word.load(Ordering::SeqCst))
    }

    /// Whether `me` has it: one load, to be asked before each change.
    #[inline]
    pub(crate) fn is_held_by(self, me: ParticipantId) -> bool {
        // ORDERING: Relaxed; only `me` writes himself in, and nothing of others is read by it.
        let state = self.state(self.word.load(Ordering::Relaxed));
        state.holder() == Some(me)
    }

    /// Takes a word in which nothing is, not even a mark: one exchange, and no look before it.
    #[inline(always)]
    pub(crate) fn acquire_at_once(self, me: ParticipantId, mode: Mode) -> bool {
        let empty = self.state(0);
        self.exchange(empty, empty.held_by(me, mode.bits()), Ordering::SeqCst).is_ok()
    }

    /// Takes the word for `me` if nobody has it, or a dead one.
    #[inline]
    pub(crate) fn try_acquire(
        self,
        me: ParticipantId,
        mode: Mode,
        liveness: &impl Liveness,
    ) -> Result<Acquired, AcquireError> {
        for _ in 0..TRIES {
            let state = self.free_to_take()?;
            let taken = match state.holder() {
                None => self.take(state, me, mode, false, false).then_some(Acquired::Free),
                Some(holder) => self.replace(state, holder, Some((me, mode)), liveness)?,
            };
            if let Some(taken) = taken {
                return Ok(taken);
            }
        }
        Err(AcquireError::Busy)
    }

    /// Takes the word for `me` if nobody has it; or a dead one, if it is time to ask about that.
    #[inline]
    pub(crate) fn attempt(
        self,
        me: ParticipantId,
        mode: Mode,
        liveness: &impl Liveness,
    ) -> Result<Acquired, AcquireError> {
        match self.free_to_take()?.holder() {
            Some(holder) if !liveness.is_due() => Err(AcquireError::Held(holder)),
            _ => self.try_acquire(me, mode, liveness),
        }
    }

    /// Takes the word for `me`, waiting for a living holder as long as `until` says.
    ///
    /// # If a process dies
    /// A dead holder is replaced as soon as he is asked about, a slice after the waiting began at
    /// the latest.
    #[inline]
    pub(crate) fn acquire(
        self,
        me: ParticipantId,
        mode: Mode,
        liveness: &impl Liveness,
        spin: &Spin,
        until: Until,
    ) -> Result<Acquired, AcquireError> {
        if self.acquire_at_once(me, mode) {
            return Ok(Acquired::Free);
        }
        let state = self.free_to_take()?;
        let is_free = state.holder().is_none() && !state.has_handoffs();
        if is_free && self.take(state, me, mode, false, false) {
            return Ok(Acquired::Free);
        }
        self.acquire_slowly(me, mode, Wait::new(self, liveness, spin, until, Instant::now()))
    }

    #[cold]
    fn acquire_slowly(
        self,
        me: ParticipantId,
        mode: Mode,
        mut wait: Wait<'_, impl Liveness>,
    ) -> Result<Acquired, AcquireError> {
        let taken = wait.acquire(me, mode);
        wait.end(taken.is_ok());
        taken
    }

    /// Waits, as long as `until` says, until nobody has the word who excludes those who share.
    ///
    /// `since` is when this waiting for a share began.
    ///
    /// # If a process dies
    /// A dead holder is taken out of the word, as in [`acquire`](Self::acquire).
    #[cold]
    pub(crate) fn await_sharing(
        self,
        liveness: &impl Liveness,
        spin: &Spin,
        since: Instant,
        until: Until,
    ) -> Result<(), AcquireError> {
        let mut wait = Wait::new(self, liveness, spin, until, since);
        let shared = wait.sharing();
        wait.end(shared.is_ok());
        shared
    }

    /// Takes `holder` out of the word if he is dead.
    pub(crate) fn reap(
        self,
        holder: ParticipantId,
        liveness: &impl Liveness,
    ) -> Result<(), AcquireError> {
        let state = self.look();
        match state.holder() == Some(holder) {
            true => self.replace(state, holder, None, liveness).map(|_| ()),
            false => Ok(()),
        }
    }

    /// Gives the word back. `false`: it was no longer `me` who had it.
    ///
    /// # If a process dies
    /// Between giving back and waking: the sleepers look again at the end of their slice.
    #[inline]
    pub(crate) fn release(self, me: ParticipantId) -> bool {
        let mine = self.state(0).held_by(me, 0);
        // ORDERING: Release; pairs with the Acquire in `take`: the next one sees what was done.
        match self.exchange(mine, self.state(0), Ordering::Release) {
            Ok(()) => true,
            Err(found) => self.release_slowly(me, found, 0),
        }
    }

    /// The same, once what is done once is done.
    pub(crate) fn release_done(self, me: ParticipantId) -> bool {
        self.release_slowly(me, self.look(), DONE)
    }

    /// The same, leaving the word marked.
    pub(crate) fn release_inconsistent(self, me: ParticipantId) -> bool {
        self.release_slowly(me, self.look(), INCONSISTENT)
    }

    #[cold]
    fn release_slowly(self, me: ParticipantId, mut state: State, marks: u64) -> bool {
        while state.holder() == Some(me) {
            // ORDERING: Release; as in `release`.
            match self.exchange(state, state.free().with(marks), Ordering::Release) {
                Ok(()) => {
                    self.wake_next(state);
                    return true;
                }
                Err(found) => state = found,
            }
        }
        false
    }

    /// Wakes those who can go on after a change from `had`.
    fn wake_next(self, had: State) {
        if !had.has_waiters() {
            return;
        }
        // CRASH: dying here loses this wake; the waiters' slices end.
        crash_point!("owner: freed, nobody woken");
        if had.of == Use::Lock && had.has(READERS) {
            wait::wake_all(self.word, had.word);
        } else {
            wait::wake_one(self.word, had.word);
        }
    }

    /// Changes what `me` holds: from exclusive to upgradable and back, from draining to in.
    /// `false`: it was no longer `me` who had it.
    pub(crate) fn change_mode(self, me: ParticipantId, mode: Mode) -> bool {
        self.change(me, |state| {
            let state = state.without(UPGRADABLE | DRAINING).with(mode.bits());
            // Whoever waits to share may.
            if mode == Mode::Upgradable { state.without(READERS) } else { state }
        })
    }

    /// Takes the mark away: what was half-done is mended.
    pub(crate) fn unmark(self, me: ParticipantId) -> bool {
        self.change(me, |state| state.without(INCONSISTENT))
    }

    fn change(self, me: ParticipantId, change: impl Fn(State) -> State) -> bool {
        let mut state = self.look();
        while state.holder() == Some(me) {
            // ORDERING: SeqCst; the others' shares are looked at behind it: see `sync::rwlock`.
            match self.exchange(state, change(state), Ordering::SeqCst) {
                Ok(()) => {
                    if state.has(READERS) && !change(state).has(READERS) {
                        wait::wake_all(self.word, state.word);
                    } else if state.has_waiters() {
                        wait::moved(self.word, state.word);
                    }
                    return true;
                }
                Err(found) => state = found,
            }
        }
        false
    }

    /// Closes the word for good: nobody takes it any more, and all who wait are told.
    #[cfg(test)]
    pub(crate) fn close(self) {
        // ORDERING: Release; pairs with the Acquire in `look`.
        let had = self.word.fetch_or(CLOSED, Ordering::Release);
        wait::wake_all(self.word, had);
    }

    /// The state, if the word can be taken by someone.
    #[inline(always)]
    fn free_to_take(self) -> Result<State, AcquireError> {
        let state = self.look();
        if !state.is_sound() {
            return Err(AcquireError::Corrupt);
        }
        if state.is_closed() { Err(AcquireError::Closed) } else { Ok(state) }
    }

    /// Takes a word in which nobody is; keeps it marked for waiters where there may be some, and
    /// leaves one turn less, or none to one whose turn it is.
    #[inline(always)]
    fn take(
        self,
        state: State,
        me: ParticipantId,
        mode: Mode,
        waiters: bool,
        is_reserved_for_it: bool,
    ) -> bool {
        let mut mine = state.held_by(me, mode.bits());
        if state.has_handoffs() && !is_reserved_for_it {
            mine = mine.with_handoffs_after(state);
        }
        // Some may sleep on a free word, too, which they left to another.
        if waiters || state.has(WAITERS) {
            mine = mine.with(WAITERS);
        }
        // ORDERING: SeqCst; as Acquire it pairs with the Release in `release`. The others' shares
        // are looked at behind it: see `sync::rwlock`.
        let taken = self.exchange(state, mine, Ordering::SeqCst).is_ok();
        if taken && state.has_waiters() {
            wait::moved(self.word, state.word);
        }
        taken
    }

    /// Takes the word from `holder` if he is dead, for the next or for nobody. `None`: it changed
    /// meanwhile.
    #[cold]
    fn replace(
        self,
        state: State,
        holder: ParticipantId,
        next: Option<(ParticipantId, Mode)>,
        liveness: &impl Liveness,
    ) -> Result<Option<Acquired>, AcquireError> {
        // Nobody asks for a role that he has: then another wrote him in, and waiting would never
        // end. A lock may be had by another thread.
        if next.is_some_and(|(me, _)| me == holder) && self.of == Use::Role {
            return Err(AcquireError::Corrupt);
        }
        if !liveness.is_dead(holder) {
            return Err(AcquireError::Held(holder));
        }
        let holder_died = state.holder_died();
        let next = match next {
            // Others may wait for the same dead one.
            Some((me, mode)) => holder_died.held_by(me, mode.bits()).with(WAITERS),
            None => holder_died.free(),
        };
        // CRASH: dying behind this makes `me` a dead holder, with what the last one left.
        // ORDERING: SeqCst; what the dead one stored is seen, since the system's word for his
        // death orders it before; and as in `take`.
        let taken = self.exchange(state, next, Ordering::SeqCst).is_ok();
        if taken && state.has_waiters() {
            // Who waits for the dead one has to see that he waits for another.
            wait::wake_all(self.word, state.word);
        }
        Ok(taken.then_some(Acquired::FromDead(holder)))
    }

    /// Marks a word for one who goes to sleep on it. `false`: it changed meanwhile.
    fn mark(self, state: State, marked: State) -> bool {
        // ORDERING: Relaxed; the mark carries nothing, and the kernel compares the word itself.
        let done = self.exchange(state, marked, Ordering::Relaxed).is_ok();
        if done && state.has_waiters() {
            wait::moved(self.word, state.word);
        }
        done
    }

    /// Ends the turn that a word had for readers when one of them saw it in `state`.
    pub(crate) fn end_handoff_of_readers(self, state: State) {
        if state.has_handoffs() && state.has(READERS) {
            self.drop_handoffs();
        }
    }

    /// Takes back what was asked for by one who does not wait any longer.
    fn drop_handoffs(self) {
        let mut state = self.look();
        while state.has_handoffs() {
            let dropped = state.without_handoffs();
            // ORDERING: Relaxed; as in `mark`.
            match self.exchange(state, dropped, Ordering::Relaxed) {
                Ok(()) => return wait::wake_all(self.word, state.word),
                Err(found) => state = found,
            }
        }
    }

    #[inline(always)]
    fn exchange(self, from: State, to: State, order: Ordering) -> Result<(), State> {
        // ORDERING: as given on success; Relaxed on failure, after which the word is loaded anew.
        let found = self.word.compare_exchange(from.word, to.word, order, Ordering::Relaxed);
        found.map(|_| ()).map_err(|word| self.state(word))
    }
}

#[cfg(all(test, loom))]
#[allow(unsafe_code, reason = "what a lock guards")]
mod models;

#[cfg(all(test, not(loom)))]
mod tests;
