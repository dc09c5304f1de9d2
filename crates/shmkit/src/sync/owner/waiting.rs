//! Waiting for an owner word: looking for a while, then sleeping, with a turn for who starves.

use std::time::Instant;

use super::state::{READERS, State, WAITERS};
use super::{AcquireError, Acquired, Liveness, Mode, OwnerWord, ParticipantId};
use crate::sync::sleepers::{SLICE, STARVES_AFTER};
use crate::sync::spin::{Spin, Spinning};
use crate::sync::until::Until;
use crate::sys::wait;

/// One who waits.
pub(super) struct Wait<'a, R> {
    owner: OwnerWord<'a>,
    liveness: &'a R,
    spinning: Spinning<'a>,
    until: Until,
    since: Instant,
    slept: bool,
    /// Whether it asked for the next turn.
    starving: bool,
    /// When it is time to look for what no wake tells.
    slice: Option<Instant>,
    /// How long it leaves the word to those whose turn it is.
    leaving_until: Option<Instant>,
}

impl<'a, R: Liveness> Wait<'a, R> {
    pub(super) fn new(
        owner: OwnerWord<'a>,
        liveness: &'a R,
        spin: &'a Spin,
        until: Until,
        since: Instant,
    ) -> Self {
        Self {
            owner,
            liveness,
            spinning: spin.begin(),
            until,
            since,
            slept: false,
            starving: false,
            slice: None,
            leaving_until: None,
        }
    }

    /// Waits for the word, and takes it.
    pub(super) fn acquire(
        &mut self,
        me: ParticipantId,
        mode: Mode,
    ) -> Result<Acquired, AcquireError> {
        loop {
            let state = self.owner.free_to_take()?;
            let Some(holder) = state.holder() else {
                if self.is_reserved_for_others(state) {
                    self.yield_handoff(state)?;
                } else if self.owner.take(state, me, mode, self.slept, self.is_reserved_for_it()) {
                    return Ok(Acquired::Free);
                }
                continue;
            };
            if self.spinning.again() {
                continue;
            }
            if let Some(taken) = self.look_slowly(state, holder, Some((me, mode)))? {
                return Ok(taken);
            }
            self.sleep(state, WAITERS);
        }
    }

    /// Waits until nobody is in the word who excludes those who share.
    pub(super) fn sharing(&mut self) -> Result<(), AcquireError> {
        loop {
            let state = self.owner.free_to_take()?;
            let holder = state.holder().filter(|_| state.is_exclusive());
            let Some(holder) = holder else { return Ok(()) };
            if self.spinning.again() {
                continue;
            }
            if self.look_slowly(state, holder, None)?.is_none() {
                self.sleep(state, READERS);
            }
        }
    }

    /// What is to be done when the waiting is over.
    pub(super) fn end(self, well: bool) {
        if self.starving && !well {
            self.owner.drop_handoffs();
        }
        if self.slept && !well {
            // The wake that was taken here may have been for another.
            wait::wake_one(self.owner.word, self.owner.look().word);
        }
        self.spinning.end(well && !self.slept);
    }

    /// Whether a free word is left to others for now.
    fn is_reserved_for_others(&self, state: State) -> bool {
        state.has_handoffs()
            && !self.has_left_it_long_enough()
            && (!self.slept || state.has(READERS))
    }

    /// Whether those whose turn it was are dead, or stand still.
    fn has_left_it_long_enough(&self) -> bool {
        self.leaving_until.is_some_and(|until| until <= Instant::now())
    }

    /// Whether it is what the turns were for, if there are any; or they are for nobody.
    fn is_reserved_for_it(&self) -> bool {
        self.starving || self.has_left_it_long_enough()
    }

    /// Sleeps while the word is free for others.
    fn yield_handoff(&mut self, state: State) -> Result<(), AcquireError> {
        let now = Instant::now();
        if self.until.is_over(now) {
            return Err(AcquireError::Busy);
        }
        let slice = *self.leaving_until.get_or_insert(now + SLICE);
        self.slice = Some(slice);
        self.sleep(state, WAITERS);
        Ok(())
    }

    /// Looks for what no wake tells, when it is time; ends the waiting when the time is over.
    fn look_slowly(
        &mut self,
        state: State,
        holder: ParticipantId,
        next: Option<(ParticipantId, Mode)>,
    ) -> Result<Option<Acquired>, AcquireError> {
        let now = Instant::now();
        let late = self.until.is_over(now);
        let due = self.slice.map_or_else(|| self.liveness.is_due(), |slice| slice <= now);
        if self.slice.is_none() || due {
            self.slice = Some(now + SLICE);
        }
        if !late && !due {
            return Ok(None);
        }
        if due && self.liveness.is_gone() {
            return Err(AcquireError::Closed);
        }
        match self.owner.replace(state, holder, next, self.liveness) {
            Ok(Some(taken)) => Ok(Some(taken)),
            Err(AcquireError::Corrupt) => Err(AcquireError::Corrupt),
            _ if late => Err(AcquireError::TimedOut(holder)),
            _ => Ok(None),
        }
    }

    /// Sleeps while `state` holds, marked as having somebody who waits.
    fn sleep(&mut self, state: State, marks: u64) {
        let of_lock = state.of == super::Use::Lock;
        let starves = self.slept && of_lock && self.since.elapsed() >= STARVES_AFTER;
        let marked = state.with(marks);
        let marked = if starves { marked.with_handoffs() } else { marked };
        if state != marked && !self.owner.mark(state, marked) {
            return;
        }
        self.starving |= starves;
        let slice = self.slice.unwrap_or_else(|| Instant::now() + SLICE);
        // CRASH: dying with a mark set costs the holder a wake for nobody, and others a slice.
        wait::wait(self.owner.word, marked.word, Some(self.until.or_before(slice)));
        self.slept = true;
    }
}
