//! A mutex without a value.

use crate::error::{Error, Result};
use crate::object::{Builder, Holder, Holding, Line, Membership, Part, PartState, Planner, WORDS};
use crate::participant::owner::{AcquireError, Acquired, Mode, OwnerWord, State};
use crate::wait::{Until, WaitLoop};

/// How many bytes of the line are used before the value.
pub(crate) const USED: u64 = 16;

pub(super) const HOLDS: Holding = Holding::new(
    "holds it",
    "holds it {} times",
    "while it held {part}: the next locker gets OwnerDied",
);

/// A handle to a mutex; or to another lock's owner word, which is acquired like a mutex.
#[derive(Debug)]
pub(crate) struct RawMutex {
    pub(crate) line: Line,
    pub(super) wait_loop: WaitLoop,
}

impl RawMutex {
    /// Plans the lock, and returns where its line is.
    pub(crate) fn plan(planner: &mut Planner<'_>) -> u64 {
        let line = planner.line("owner");
        planner.word("handed", line + 8, WORDS);
        line
    }

    pub(crate) fn build(builder: &mut Builder) -> Result<Self> {
        Ok(Self { line: builder.line()?, wait_loop: builder.lock_loop() })
    }

    #[inline(always)]
    pub(crate) fn membership(&self) -> &Membership {
        self.line.membership()
    }

    #[inline(always)]
    pub(crate) fn word(&self) -> OwnerWord<'_> {
        let [owner, handed, ..] = self.line.fixed();
        OwnerWord::of_lock(owner).with_handed(handed)
    }

    /// Acquires the lock. `until` is called only if it is not free.
    #[inline(always)]
    pub(crate) fn acquire(
        &self,
        mode: Mode,
        until: impl FnOnce() -> Until,
    ) -> Result<Acquired, AcquireError> {
        match self.acquire_uncontended(mode) {
            true => Ok(Acquired::Clean),
            false => self.acquire_slowly(mode, until()),
        }
    }

    /// Acquires a lock that is free and has no mark: one exchange.
    #[inline(always)]
    pub(crate) fn acquire_uncontended(&self, mode: Mode) -> bool {
        let membership = self.membership();
        membership.is_live() && self.word().acquire_uncontended(membership.me(), mode)
    }

    #[cold]
    pub(crate) fn acquire_slowly(
        &self,
        mode: Mode,
        until: Until,
    ) -> Result<Acquired, AcquireError> {
        let membership = self.membership();
        if !membership.is_live() {
            return Err(AcquireError::NotLive);
        }
        let _recorded = membership.record_wait(self.line.place(), until);
        self.word().acquire(membership.me(), mode, membership, &self.wait_loop, until)
    }

    /// The error for a lock that was not acquired.
    #[cold]
    pub(crate) fn refused(&self, error: AcquireError) -> Error {
        self.membership().acquire_error(error, "lock")
    }

    /// Releases the lock, if this process holds it.
    #[inline(always)]
    pub(crate) fn release(&self) {
        let membership = self.membership();
        if membership.is_mine() {
            self.word().release(membership.me());
        }
    }

    /// Whether this participant can act, and holds the lock of an object that was not removed.
    pub(crate) fn is_held(&self) -> bool {
        let (membership, state) = (self.membership(), self.word().look());
        membership.is_live() && state.holder() == Some(membership.me()) && !state.is_closed()
    }

    /// Clears the mark that a holder died.
    pub(crate) fn mark_consistent(&self) {
        self.word().mark_consistent(self.membership().me());
    }

    /// Whether no holder died since the mark was cleared.
    pub(crate) fn is_consistent(&self) -> bool {
        !self.word().look().is_inconsistent()
    }

    /// Whether the holder is dead.
    pub(crate) fn holder_is_dead(&self) -> bool {
        self.word().holder_is_dead(self.membership())
    }
}

/// Describes a mutex, for a process that does not know its type.
pub(crate) fn describe(part: &Part<'_>) -> Result<PartState> {
    let state = OwnerWord::of_lock(&part.line::<1>()?[0]).look();
    let holders: Vec<_> = state.holder().map(|id| part.held_by(id, HOLDS)).into_iter().collect();
    Ok(describe_lock(state, !holders.is_empty(), holders))
}

/// Frees a mutex that a dead participant holds, and leaves it inconsistent. For a process that does
/// not know its type.
pub(crate) fn reap(part: &Part<'_>) -> Result<()> {
    OwnerWord::of_lock(&part.line::<1>()?[0]).reap(part, |_| ())
}

/// Describes a lock with this owner word and these holders, of which one is `exclusive` or none.
pub(super) fn describe_lock(state: State, exclusive: bool, holders: Vec<Holder>) -> PartState {
    let shared = !holders.is_empty() && !exclusive;
    let text = match (exclusive, shared) {
        (true, _) => "locked",
        (false, true) => "shared",
        (false, false) => "free",
    };
    let died = if state.is_inconsistent() { ", inconsistent: a holder died" } else { "" };
    PartState {
        text: format!("{text}{died}"),
        fields: vec![
            ("exclusive", exclusive.into()),
            ("shared", shared.into()),
            ("inconsistent", state.is_inconsistent().into()),
        ],
        holders,
        is_sound: state.is_sound(),
        ..PartState::primitive()
    }
}
