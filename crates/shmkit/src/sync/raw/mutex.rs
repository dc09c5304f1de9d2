//! A mutex without a value.

use crate::error::Result;
use crate::object::{Builder, Holding, Line, Membership, Part, PartState, Planner, ValueType};
use crate::participant::owner::{AcquireError, Mode, OwnerWord};
use crate::wait::{Until, WaitLoop};

/// How many bytes of the line are used before the value.
pub(crate) const USED: u64 = 8;

const HOLDS: Holding = Holding::new(
    "holds it",
    "holds it {} times",
    "while it held {part}: the next locker gets OwnerDied",
);

/// Plans the words of a mutex, and a value of this type. Returns where the value is.
pub(crate) fn plan(planner: &mut Planner<'_>, value: ValueType<'_>) -> u64 {
    planner.line("owner");
    planner.value(value, USED)
}

/// An open mutex.
#[derive(Debug)]
pub(crate) struct RawMutex {
    line: Line,
    wait_loop: WaitLoop,
}

impl RawMutex {
    pub(crate) fn build(builder: &mut Builder) -> Result<Self> {
        Ok(Self { line: builder.line()?, wait_loop: WaitLoop::of_lock() })
    }

    pub(crate) fn line(&self) -> &Line {
        &self.line
    }

    #[inline(always)]
    pub(crate) fn membership(&self) -> &Membership {
        self.line.membership()
    }

    #[inline(always)]
    fn owner(&self) -> OwnerWord<'_> {
        OwnerWord::of_lock(&self.line.fixed()[0])
    }

    /// Acquires a lock that is free and has no mark: one exchange.
    #[inline(always)]
    pub(crate) fn acquire_uncontended(&self) -> bool {
        let membership = self.membership();
        membership.is_live() && self.owner().acquire_uncontended(membership.me(), Mode::Exclusive)
    }

    /// Acquires the lock. Returns whether it is inconsistent; `None` if it is held and this is an
    /// attempt.
    #[cold]
    pub(crate) fn acquire(&self, until: Until) -> Result<Option<bool>> {
        let membership = self.membership();
        membership.check_live()?;
        let acquired = {
            let _recorded = membership.record_wait(self.line.place(), until);
            let (me, mode) = (membership.me(), Mode::Exclusive);
            self.owner().acquire(me, mode, membership, &self.wait_loop, until)
        };
        match acquired {
            Ok(_) => Ok(Some(!self.is_consistent())),
            Err(AcquireError::Held(_) | AcquireError::Contended) if until == Until::Now => Ok(None),
            Err(error) => Err(membership.acquire_error(error, "lock")),
        }
    }

    /// Releases the lock, if this process holds it.
    #[inline(always)]
    pub(crate) fn release(&self) {
        let membership = self.membership();
        if membership.is_mine() {
            self.owner().release(membership.me());
        }
    }

    /// Clears the mark that a holder died.
    pub(crate) fn mark_consistent(&self) {
        self.owner().mark_consistent(self.membership().me());
    }

    /// Whether no holder died since the mark was cleared.
    pub(crate) fn is_consistent(&self) -> bool {
        !self.owner().look().is_inconsistent()
    }

    /// Whether the holder is dead.
    pub(crate) fn holder_is_dead(&self) -> bool {
        self.owner().holder_is_dead(self.membership())
    }
}

/// Describes a mutex, for a process that does not know its type.
pub(crate) fn describe(part: &Part<'_>) -> Result<PartState> {
    let state = OwnerWord::of_lock(&part.line::<1>()?[0]).look();
    let holders: Vec<_> = state.holder().map(|id| part.held_by(id, HOLDS)).into_iter().collect();
    let text = lock_text(state.holder().is_some(), false, state.is_inconsistent());
    Ok(PartState {
        text,
        fields: vec![
            ("exclusive", state.holder().is_some().into()),
            ("shared", false.into()),
            ("inconsistent", state.is_inconsistent().into()),
        ],
        holders,
        is_sound: state.is_sound(),
        ..PartState::primitive()
    })
}

/// Returns the state of a lock in one line.
pub(crate) fn lock_text(exclusive: bool, shared: bool, inconsistent: bool) -> String {
    let state = match (exclusive, shared) {
        (true, _) => "locked",
        (false, true) => "shared",
        (false, false) => "free",
    };
    let inconsistent = if inconsistent { ", inconsistent: a holder died" } else { "" };
    format!("{state}{inconsistent}")
}
