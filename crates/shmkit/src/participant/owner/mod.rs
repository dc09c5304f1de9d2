//! The owner word: one participant at a time holds it, and a dead holder is replaced.
//!
//! ```text
//! 63            32 31  29 28     13 12         2     1        0
//! +---------------+------+---------+------------+--------+--------+
//! |  generation   |  0   | deaths  |  slot + 1  | ASLEEP | CLOSED |     of a role
//! +---------------+------+---------+------------+--------+--------+
//!     of a lock: 26..19 handoffs, 18 DONE, 17 DRAINING, 16 UPGRADABLE, 15 TO_READERS, 14 READERS,
//!     13 INCONSISTENT
//! ```
//!
//! Slot and generation name the holder. Waiters sleep on the low half.
//!
//! | state | slot + 1 | who may leave it, and how |
//! |---|---|---|
//! | free | 0 | any participant, by storing its own id |
//! | held | not 0 | the holder, to free; once the holder is dead any participant, by replacing it |
//! | CLOSED | any | no process; a holder can still release |
//!
//! Replacing a dead holder adds 1 to deaths in the same exchange, or sets INCONSISTENT in a lock.
//!
//! | bit | set by | cleared by |
//! |---|---|---|
//! | ASLEEP | a waiter before it sleeps on the word | a release that wakes one of these |
//! | READERS | a waiter before it sleeps until it may share | a release that wakes all of these |
//! | handoffs | a starving waiter, when it sleeps again: sets 1 or 255 | see `handoff` |
//! | TO_READERS | a starving waiter that wants to share | see `handoff` |
//! | INCONSISTENT | the replacer of a holder that died in it | a holder that repaired the data |
//! | UPGRADABLE | a holder that lets readers share | the holder |
//! | DRAINING | a holder that still waits for readers to leave | the holder |
//! | DONE | a holder that has done what must be done once | no process |
//! | CLOSED | the process that retires the object | no process |
//!
//! # Why no waiter sleeps forever
//!
//! A waiter that sleeps saw ASLEEP or READERS set in the same low half that the kernel compares. A
//! release that sees ASLEEP clears it and wakes one waiter. If the word is left to readers, the
//! release keeps ASLEEP, and the reader that clears TO_READERS wakes one. If the word is left to
//! writers, the release keeps READERS, and the writer that acquires the word releases it later. A
//! waiter that is woken cannot know whether there are other waiters, so it sets the bit again in
//! the exchange by which it acquires the word, or before it sleeps again; or it wakes one more when
//! it gives up. If a wake is lost because the woken process is being killed, the other waiters look
//! again at the end of their slices.
//!
//! # If a process dies
//!
//! A dead holder stays in the word until the slow check of a process that wants the word. The
//! exchange that replaces the holder names its generation, so of two processes that found it dead
//! only one replaces it.

mod death_watch;
mod handoff;
mod readiness;
mod state;

pub(crate) use self::death_watch::{DeathWatch, after_report};
pub(crate) use self::state::{Acquired, State, Use};
use self::state::{DONE, DRAINING, INCONSISTENT, READERS, UPGRADABLE};
use super::{Liveness, ParticipantId};
use crate::error::{Error, ErrorKind};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::wait::{
    ASLEEP, Checked, Poll, SharedMoment, SleepTicket, Standing, Stop, Until, WaitLoop, WaitWord,
    Waited, Wake,
};

/// How many times an exchange is attempted before the word counts as contended.
const TRIES: u32 = 64;

/// What an error says of a word that is garbage.
pub(crate) const GARBAGE: &str = "its owner word has a value that no participant writes";

/// How a word is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Exclusively.
    Exclusive,
    /// Only in a lock: readers may share it until the holder upgrades.
    Upgradable,
    /// Only in a lock: the holder waits for the readers to leave, to hold it exclusively.
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

/// Why the word was not acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcquireError {
    /// A living participant holds it.
    Held(ParticipantId),
    /// The object was retired.
    Closed,
    /// The time is over, and this participant holds it.
    TimedOut(ParticipantId),
    /// The wait was stopped.
    Stopped(Stop),
    /// Other participants changed the word in each of many attempts, or it is reserved for one.
    Contended,
    /// The word has a value that no participant writes.
    Corrupt,
    /// The caller cannot act: it is a forked child, or it lost its slot.
    NotLive,
}

/// The owner word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnerWord<'a> {
    word: &'a AtomicU64,
    of: Use,
    /// When a handoff last took place. It is marked if that was to readers.
    handed: Option<SharedMoment<'a>>,
}

impl<'a> OwnerWord<'a> {
    /// An owner word of a role.
    #[inline(always)]
    pub(crate) fn of_role(word: &'a AtomicU64) -> Self {
        Self { word, of: Use::Role, handed: None }
    }

    /// An owner word of a lock.
    #[inline(always)]
    pub(crate) fn of_lock(word: &'a AtomicU64) -> Self {
        Self { word, of: Use::Lock, handed: None }
    }

    /// The same with the word for the time of the last handoff.
    #[inline(always)]
    pub(crate) fn with_handed(self, handed: &'a AtomicU64) -> Self {
        Self { handed: Some(SharedMoment::in_word(handed)), ..self }
    }

    #[inline(always)]
    fn wait_word(self) -> WaitWord<'a> {
        match self.of {
            Use::Role => WaitWord::new(self.word),
            Use::Lock => WaitWord::new(self.word).with_sharers(READERS),
        }
    }

    #[inline(always)]
    fn state(self, word: u64) -> State {
        State { word, of: self.of }
    }

    /// Returns what the word says now.
    #[inline]
    pub(crate) fn look(self) -> State {
        // ORDERING: SeqCst; as Acquire it pairs with the exchanges below. Acquire would be too weak
        // for a reader, which has just stored its share: see `sync::raw::shares`.
        self.state(self.word.load(Ordering::SeqCst))
    }

    /// Returns whether `me` holds the word: one load, before each change of what it guards.
    #[inline]
    pub(crate) fn is_held_by(self, me: ParticipantId) -> bool {
        // ORDERING: Relaxed; only `me` stores its own id, and no other data is read after it.
        let state = self.state(self.word.load(Ordering::Relaxed));
        state.holder() == Some(me)
    }

    /// Acquires a word that is free and has no mark: one exchange, without a look before it.
    #[inline(always)]
    pub(crate) fn acquire_uncontended(self, me: ParticipantId, mode: Mode) -> bool {
        let empty = self.state(0);
        let mine = empty.with_holder(me, mode.bits());
        // ORDERING: SeqCst; as in `take`. A word without a mark has no sleepers.
        self.exchange(empty, mine, Ordering::SeqCst, Wake::Nobody).is_ok()
    }

    /// Acquires the word for `me` if it is free; otherwise returns what to sleep on.
    pub(crate) fn poll_acquire(
        self,
        me: ParticipantId,
        mode: Mode,
        standing: &Standing,
    ) -> Poll<'a, Result<Acquired, AcquireError>> {
        let mut tries = 0;
        loop {
            let state = match self.check_state() {
                Ok(state) => state,
                Err(refused) => return Poll::Ready(Err(refused)),
            };
            if state.holder().is_some() {
                return Poll::Pending(self.ticket(state, ASLEEP, standing));
            }
            if self.is_reserved_for_others(state, standing) {
                return Poll::Reserved(self.ticket(state, ASLEEP, standing));
            }
            if self.take(state, me, mode, standing) {
                return Poll::Ready(Ok(state.acquired()));
            }
            tries += 1;
            if tries == TRIES {
                return Poll::Pending(self.ticket(state, ASLEEP, standing));
            }
        }
    }

    /// Returns the state if no holder excludes readers; otherwise returns what to sleep on.
    pub(crate) fn poll_sharing(self, standing: &Standing) -> Poll<'a, Result<State, AcquireError>> {
        match self.check_state() {
            Ok(state) if state.is_exclusive() => {
                Poll::Pending(match self.writers_run(state, standing) {
                    Some(left) => SleepTicket::new(self.wait_word(), state.word)
                        .sharing()
                        .unmarked(true)
                        .for_at_most(left),
                    None => self.ticket(state, READERS, standing),
                })
            }
            Ok(state) if self.is_reserved_for_writers(state, standing) => {
                Poll::Reserved(self.ticket(state, READERS, standing))
            }
            found => Poll::Ready(found),
        }
    }

    /// Acquires the word for `me`, waiting for a living holder as long as `until` says.
    ///
    /// # If a process dies
    /// A dead holder is replaced at the slow check, at the latest a slice after the wait began.
    #[cold]
    pub(crate) fn acquire(
        self,
        me: ParticipantId,
        mode: Mode,
        liveness: &impl Liveness,
        wait_loop: &WaitLoop,
        until: Until,
    ) -> Result<Acquired, AcquireError> {
        let waited = wait_loop.wait(
            liveness.notices(),
            until,
            |standing| self.poll_acquire(me, mode, standing),
            |_| self.replace_dead_holder(Some((me, mode)), liveness).map(Checked::Found),
        );
        self.conclude(waited, until)
    }

    /// Makes the slow check for a waiter that wants to be `next`, or that wants to share.
    ///
    /// A dead holder is replaced by `next`, or removed from the word.
    pub(crate) fn replace_dead_holder(
        self,
        next: Option<(ParticipantId, Mode)>,
        liveness: &impl Liveness,
    ) -> Option<Result<Acquired, AcquireError>> {
        if liveness.object_is_removed() {
            return Some(Err(AcquireError::Closed));
        }
        let state = self.look();
        if !state.is_sound() {
            return Some(Err(AcquireError::Corrupt));
        }
        match self.replace(state, state.holder()?, next, liveness) {
            Ok(taken) => taken.filter(|_| next.is_some()).map(Ok),
            Err(AcquireError::Corrupt) => Some(Err(AcquireError::Corrupt)),
            Err(_) => None,
        }
    }

    /// Removes a dead holder from the word, for a process that does not want it. Before that, it
    /// calls `finish` for the dead holder.
    pub(crate) fn reap(
        self,
        liveness: &impl Liveness,
        finish: impl FnOnce(ParticipantId),
    ) -> Result<(), Error> {
        let garbage = || Error::new(ErrorKind::Corrupt, GARBAGE);
        let state = self.look();
        if !state.is_sound() {
            return Err(garbage());
        }
        let Some(dead) = state.holder().filter(|it| liveness.reap_if_dead(*it)) else {
            return Ok(());
        };
        finish(dead);
        match self.replace_dead_holder(None, liveness) {
            Some(Err(AcquireError::Corrupt)) => Err(garbage()),
            // It was replaced, by this process or by another, or the object is removed.
            _ => Ok(()),
        }
    }

    /// Returns the outcome of a wait. After a wait that failed, cancels the handoffs it requested.
    pub(crate) fn conclude<T>(
        self,
        waited: Waited<Result<T, AcquireError>>,
        until: Until,
    ) -> Result<T, AcquireError> {
        let Waited { slept, requested, .. } = waited;
        let timed_out = || match self.look().holder() {
            Some(holder) if until == Until::Now => AcquireError::Held(holder),
            Some(holder) => AcquireError::TimedOut(holder),
            None => AcquireError::Contended,
        };
        let outcome = waited.result(|| Err(timed_out()), |stop| Err(AcquireError::Stopped(stop)));
        if outcome.is_err() && requested {
            self.drop_handoffs();
        }
        if outcome.is_err() && slept {
            self.leave_queue();
        }
        outcome
    }

    /// Releases the word. False if `me` does not hold it any more.
    ///
    /// # If a process dies
    /// If the holder dies between the release and the wake, sleeping waiters look again at the end
    /// of their slice.
    #[inline(always)]
    pub(crate) fn release(self, me: ParticipantId) -> bool {
        let mine = self.state(0).with_holder(me, 0);
        // ORDERING: Release; pairs with the Acquire in `take`: the next holder sees what was done.
        // A word without a mark has no sleepers.
        match self.exchange(mine, self.state(0), Ordering::Release, Wake::Nobody) {
            Ok(()) => true,
            Err(found) => self.release_slowly(me, found, 0),
        }
    }

    /// Releases the word, and sets DONE.
    pub(crate) fn release_done(self, me: ParticipantId) -> bool {
        self.release_slowly(me, self.look(), DONE)
    }

    /// Releases the word, and leaves it inconsistent.
    pub(crate) fn release_inconsistent(self, me: ParticipantId) -> bool {
        self.release_slowly(me, self.look(), INCONSISTENT)
    }

    #[cold]
    fn release_slowly(self, me: ParticipantId, mut state: State, marks: u64) -> bool {
        while state.holder() == Some(me) {
            let (free, wake) = self.released(state);
            // ORDERING: Release; as in `release`.
            match self.exchange(state, free.with(marks), Ordering::Release, wake) {
                Ok(()) => return true,
                Err(found) => state = found,
            }
        }
        false
    }

    /// Changes how `me` holds the word: from exclusive to upgradable and back, from draining to
    /// exclusive. False if `me` does not hold it any more.
    pub(crate) fn change_mode(self, me: ParticipantId, mode: Mode) -> bool {
        self.update(me, |state| {
            let state = state.without(UPGRADABLE | DRAINING).with(mode.bits());
            // Waiting readers may share the lock now.
            if mode == Mode::Upgradable { state.without(READERS) } else { state }
        })
    }

    /// Clears INCONSISTENT: the holder has repaired the data.
    pub(crate) fn mark_consistent(self, me: ParticipantId) -> bool {
        self.update(me, |state| state.without(INCONSISTENT))
    }

    fn update(self, me: ParticipantId, change: impl Fn(State) -> State) -> bool {
        let mut state = self.look();
        while state.holder() == Some(me) {
            let changed = change(state);
            let lets_readers_in = state.has(READERS) && !changed.has(READERS);
            let wake = if lets_readers_in { Wake::Sharers } else { Wake::Moved };
            // ORDERING: SeqCst; the holder looks at the shares of readers after it: see
            // `sync::raw::shares`.
            match self.exchange(state, changed, Ordering::SeqCst, wake) {
                Ok(()) => return true,
                Err(found) => state = found,
            }
        }
        false
    }

    /// Closes the word: no participant can acquire it any more, and all waiters get `Closed`.
    #[cfg(test)]
    pub(crate) fn close(self) {
        self.wait_word().close();
    }

    /// Returns the state, if the word can be acquired.
    #[inline(always)]
    fn check_state(self) -> Result<State, AcquireError> {
        let state = self.look();
        if !state.is_sound() {
            return Err(AcquireError::Corrupt);
        }
        if state.is_closed() { Err(AcquireError::Closed) } else { Ok(state) }
    }

    /// Returns how to sleep while the word is `state`. A starving waiter also requests a handoff.
    fn ticket(self, state: State, mark: u64, standing: &Standing) -> SleepTicket<'a> {
        let (marked, shares) = (state.with(mark), mark == READERS);
        let ticket = SleepTicket::new(self.wait_word(), state.word);
        let ticket = if shares { ticket.sharing() } else { ticket };
        match self.request(state, shares, standing) {
            Some(request) => ticket.marked(marked.with_handoffs(request).word).requesting(),
            None => ticket.marked(marked.word),
        }
    }

    /// Acquires a free word. Keeps its mark if threads may sleep. Subtracts one handoff, or clears
    /// the handoffs if `me` requested them or has lost patience.
    #[inline(always)]
    fn take(self, state: State, me: ParticipantId, mode: Mode, standing: &Standing) -> bool {
        let mut mine = state.with_holder(me, mode.bits());
        if state.has_handoffs() && !standing.requested && !standing.patience_is_over {
            mine = mine.with_handoffs_after(state);
        }
        // Threads may also sleep on a free word, if they left it to another thread.
        if standing.slept || state.has(ASLEEP) {
            mine = mine.with(ASLEEP);
        }
        // ORDERING: SeqCst; as Acquire it pairs with the Release in `release`. A writer looks at
        // the shares of readers after it: see `sync::raw::shares`.
        let is_taken = self.exchange(state, mine, Ordering::SeqCst, Wake::Moved).is_ok();
        if is_taken && state.has_handoffs() {
            self.record_handoff(false);
        }
        is_taken
    }

    /// Replaces `holder`, if it is dead, by `next`, or frees the word. `None`: the word changed.
    #[cold]
    fn replace(
        self,
        state: State,
        holder: ParticipantId,
        next: Option<(ParticipantId, Mode)>,
        liveness: &impl Liveness,
    ) -> Result<Option<Acquired>, AcquireError> {
        // A participant does not acquire a role that it already has: so another process stored this
        // id, and the wait would never end. (A lock may be held by another thread of the
        // participant.)
        if next.is_some_and(|(me, _)| me == holder) && self.of == Use::Role {
            return Err(AcquireError::Corrupt);
        }
        if !liveness.reap_if_dead(holder) {
            return Err(AcquireError::Held(holder));
        }
        let dead = state.with_death();
        let next = match next {
            // Other threads may wait for the same dead holder.
            Some((me, mode)) => dead.with_holder(me, mode.bits()).with(ASLEEP),
            None => dead.without_holder(),
        };
        // CRASH: dying after this makes `me` a dead holder, with what the last holder left.
        // ORDERING: SeqCst; what the dead holder stored is seen, since the kernel's report of its
        // death orders those stores before; and as in `take`. All waiters are woken: they wait for
        // a different holder now.
        let taken = self.exchange(state, next, Ordering::SeqCst, Wake::All).is_ok();
        Ok(taken.then_some(match self.of {
            Use::Role => Acquired::Inconsistent,
            Use::Lock => next.acquired(),
        }))
    }

    /// Whether its holder is dead. The dead holder's slot is freed.
    pub(crate) fn holder_is_dead(self, liveness: &impl Liveness) -> bool {
        self.look().holder().is_some_and(|holder| liveness.reap_if_dead(holder))
    }

    #[inline(always)]
    fn exchange(self, from: State, to: State, order: Ordering, wake: Wake) -> Result<(), State> {
        self.wait_word().change(from.word, to.word, order, wake).map_err(|word| self.state(word))
    }
}

#[cfg(all(test, loom))]
#[allow(unsafe_code, reason = "what a lock guards")]
mod models;

#[cfg(all(test, not(loom)))]
mod tests;
