//! A read-write lock without a value.

use super::mutex::lock_text;
use super::shares::{OwnShare, STRIDE, Shares};
use crate::error::Result;
use crate::memory::atomic::AtomicU64;
use crate::object::{
    Builder, Holding, Line, Membership, Part, PartState, Planner, SLEEP, ValueType, WORDS, Words,
};
use crate::participant::owner::{AcquireError, Mode, OwnerWord, State};
use crate::wait::{Until, WaitLoop};

/// How many bytes of the line are used before the value.
pub(crate) const USED: u64 = 16;

const READS: Holding = Holding::new(
    "reads",
    "reads {} times",
    "while it read {part}: the value is whole, and the share is free",
);
const MAY_UPGRADE: Holding = Holding::new(
    "reads, and may upgrade",
    "reads {} times, and may upgrade",
    "while it read {part}: the value is whole, and the lock is free",
);
const HOLDS: Holding = Holding::new(
    "holds it",
    "holds it {} times",
    "while it held {part}: the next locker gets OwnerDied",
);

/// Plans the words of a read-write lock, and a value of this type. Returns where the value is.
pub(crate) fn plan(planner: &mut Planner<'_>, value: ValueType<'_>) -> u64 {
    let line = planner.line("owner");
    planner.word("used", line + 8, WORDS);
    let value = planner.value(value, USED);
    planner.words_for_each("shares", SLEEP, STRIDE as u64);
    value
}

/// A way to hold a read-write lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Shared with other readers.
    Read,
    /// Shared with other readers, with the right to become a writer.
    Upgradable,
    /// Exclusively.
    Write,
}

/// An open read-write lock.
#[derive(Debug)]
pub(crate) struct RawRwLock {
    line: Line,
    shares: Words<0>,
    own_share: Words<1>,
    wait_loop: WaitLoop,
    /// By which writers wait for readers to leave.
    drain_loop: WaitLoop,
}

impl RawRwLock {
    /// Builds the lock, and `value` between its line and its shares.
    pub(crate) fn build<V>(
        builder: &mut Builder,
        value: impl FnOnce(&mut Builder, &Line) -> Result<V>,
    ) -> Result<(Self, V)> {
        let line = builder.line()?;
        let value = value(builder, &line)?;
        let shares = builder.words_for_each(STRIDE)?;
        let own_share = shares.part(line.membership().me().slot() as usize * STRIDE)?;
        let (wait_loop, drain_loop) = (WaitLoop::of_lock(), WaitLoop::default());
        let lock = Self { line, shares, own_share, wait_loop, drain_loop };
        lock.shares().adopt(lock.membership().me());
        Ok((lock, value))
    }

    #[inline(always)]
    pub(crate) fn membership(&self) -> &Membership {
        self.line.membership()
    }

    #[inline(always)]
    fn owner(&self) -> OwnerWord<'_> {
        OwnerWord::of_lock(&self.line.fixed()[0])
    }

    #[inline(always)]
    fn used(&self) -> &AtomicU64 {
        &self.line.fixed()[1]
    }

    #[inline(always)]
    fn shares(&self) -> Shares<'_> {
        Shares { owner: self.owner(), used: self.used(), words: self.shares.all() }
    }

    #[inline(always)]
    fn own_share(&self) -> OwnShare<'_> {
        let word = &self.own_share.fixed()[0];
        OwnShare { owner: self.owner(), word, me: self.membership().me() }
    }

    /// Acquires the lock. Returns whether it is inconsistent; `None` if other holders exclude it
    /// and this is an attempt.
    #[inline(always)]
    pub(crate) fn acquire(&self, hold: Hold, until: Until) -> Result<Option<bool>> {
        match hold {
            Hold::Read => match self.share_at_once() {
                Some(inconsistent) => Ok(Some(inconsistent)),
                None => self.share(until),
            },
            Hold::Upgradable => match self.acquire_uncontended(Mode::Upgradable) {
                true => Ok(Some(false)),
                false => self.acquire_owner(Mode::Upgradable, until),
            },
            Hold::Write => match self.acquire_uncontended(Mode::Exclusive) {
                true => self.enter(until),
                false => self.acquire_owner(Mode::Draining, until),
            },
        }
    }

    /// Releases the lock, if this process holds it.
    #[inline(always)]
    pub(crate) fn release(&self, hold: Hold) {
        let membership = self.membership();
        if !membership.is_mine() {
            return;
        }
        match hold {
            Hold::Read => self.own_share().unshare(),
            _ => {
                self.owner().release(membership.me());
            }
        }
    }

    #[inline(always)]
    fn share_at_once(&self) -> Option<bool> {
        let membership = self.membership();
        let state = membership.is_live().then(|| self.own_share().try_share())?;
        state.ok().map(State::is_inconsistent)
    }

    #[inline(always)]
    fn acquire_uncontended(&self, mode: Mode) -> bool {
        let membership = self.membership();
        membership.is_live() && self.owner().acquire_uncontended(membership.me(), mode)
    }

    /// Waits for the readers, after the owner word was acquired at once.
    #[inline(always)]
    fn enter(&self, until: Until) -> Result<Option<bool>> {
        // CRASH: dying before this look leaves the lock inconsistent, although nothing was changed.
        if self.shares().nobody_shares() {
            return Ok(Some(false));
        }
        self.owner().change_mode(self.membership().me(), Mode::Draining);
        self.drain(Mode::Exclusive, until)
    }

    #[cold]
    fn share(&self, until: Until) -> Result<Option<bool>> {
        let membership = self.membership();
        membership.check_live()?;
        let shared = {
            let _recorded = membership.record_wait(self.line.place(), until);
            self.own_share().share_within(membership, &self.wait_loop, until)
        };
        self.outcome(shared, until).map(|state| state.map(State::is_inconsistent))
    }

    #[cold]
    fn acquire_owner(&self, mode: Mode, until: Until) -> Result<Option<bool>> {
        let membership = self.membership();
        membership.check_live()?;
        let acquired = {
            let _recorded = membership.record_wait(self.line.place(), until);
            self.owner().acquire(membership.me(), mode, membership, &self.wait_loop, until)
        };
        if self.outcome(acquired, until)?.is_none() {
            return Ok(None);
        }
        match mode {
            Mode::Upgradable => Ok(Some(!self.is_consistent())),
            _ => self.drain(Mode::Exclusive, until),
        }
    }

    /// Waits until no reader shares the lock, whose owner word this participant holds. If that
    /// fails, the owner word is left upgradable, or released if `otherwise` is exclusive.
    #[cold]
    fn drain(&self, otherwise: Mode, until: Until) -> Result<Option<bool>> {
        let membership = self.membership();
        let drained = {
            let _recorded = membership.record_wait(self.line.place(), until);
            self.shares().drain(membership.me(), membership, &self.drain_loop, until)
        };
        if drained.is_err() {
            match otherwise {
                Mode::Upgradable => self.owner().change_mode(membership.me(), otherwise),
                _ => self.owner().release(membership.me()),
            };
        }
        let drained = self.outcome(drained, until)?;
        Ok(drained.map(|()| !self.is_consistent()))
    }

    /// For an attempt, a lock that is held is not an error.
    fn outcome<R>(&self, outcome: Result<R, AcquireError>, until: Until) -> Result<Option<R>> {
        match outcome {
            Ok(done) => Ok(Some(done)),
            Err(AcquireError::Held(_) | AcquireError::Contended) if until == Until::Now => Ok(None),
            Err(error) => Err(self.membership().acquire_error(error, "lock")),
        }
    }

    /// Makes the only reader a writer. `None` if there are other holders.
    pub(crate) fn try_upgrade_reader(&self) -> Result<Option<()>> {
        if !self.try_own(Mode::Draining)? {
            return Ok(None);
        }
        // No other writer can acquire the lock in between, since the owner word is held.
        self.own_share().unshare();
        let (me, membership) = (self.membership().me(), self.membership());
        match self.shares().drain(me, membership, &self.drain_loop, Until::Now) {
            Ok(()) => Ok(Some(())),
            Err(error) => {
                self.own_share().share_more();
                self.owner().release(me);
                self.outcome(Err(error), Until::Now)
            }
        }
    }

    /// Makes a reader an upgradable reader. `None` if there is another one, or a writer waits.
    pub(crate) fn try_into_upgradable(&self) -> Result<Option<()>> {
        if !self.try_own(Mode::Upgradable)? {
            return Ok(None);
        }
        // From here on it shares the lock through the owner word.
        self.own_share().unshare();
        Ok(Some(()))
    }

    /// Acquires the owner word, if no participant holds it.
    fn try_own(&self, mode: Mode) -> Result<bool> {
        let membership = self.membership();
        membership.check_live()?;
        let (me, wait_loop) = (membership.me(), &self.wait_loop);
        let acquired = self.owner().acquire(me, mode, membership, wait_loop, Until::Now);
        Ok(self.outcome(acquired, Until::Now)?.is_some())
    }

    /// Makes an upgradable reader a writer, once all other readers have left. `None` if there are
    /// other readers and this is an attempt.
    pub(crate) fn upgrade(&self, until: Until) -> Result<Option<()>> {
        let membership = self.membership();
        membership.check_live()?;
        if !self.owner().change_mode(membership.me(), Mode::Draining) {
            let why = "another participant took over the lock: this process closed its descriptors";
            return Err(membership.error(crate::ErrorKind::RoleLost, "upgrade", why));
        }
        Ok(self.drain(Mode::Upgradable, until)?.map(|_| ()))
    }

    /// Makes the holder of the owner word a reader.
    pub(crate) fn downgrade_to_reader(&self) {
        self.own_share().share_more();
        self.release(Hold::Write);
    }

    /// Makes a writer an upgradable reader.
    pub(crate) fn downgrade_to_upgradable(&self) {
        self.owner().change_mode(self.membership().me(), Mode::Upgradable);
    }

    /// Clears the mark that a writer died.
    pub(crate) fn mark_consistent(&self) {
        self.owner().mark_consistent(self.membership().me());
    }

    /// Whether no writer died since the mark was cleared.
    pub(crate) fn is_consistent(&self) -> bool {
        !self.owner().look().is_inconsistent()
    }

    /// Whether the participant in the owner word is dead.
    pub(crate) fn holder_is_dead(&self) -> bool {
        self.owner().holder_is_dead(self.membership())
    }
}

/// Describes a read-write lock, for a process that does not know its type.
pub(crate) fn describe(part: &Part<'_>) -> Result<PartState> {
    let line = part.line::<2>()?;
    let owner = OwnerWord::of_lock(&line[0]);
    let shares = Shares { owner, used: &line[1], words: part.words()? };
    let state = owner.look();
    let exclusive = state.is_exclusive();
    let holding = if exclusive { HOLDS } else { MAY_UPGRADE };
    let mut holders: Vec<_> =
        state.holder().map(|id| part.held_by(id, holding)).into_iter().collect();
    let sharers = shares.sharers();
    holders.extend(sharers.map(|(id, times)| part.holder(id.slot(), Some(id), READS, times)));
    let shared = !holders.is_empty() && !exclusive;
    Ok(PartState {
        text: lock_text(exclusive, shared, state.is_inconsistent()),
        fields: vec![
            ("exclusive", exclusive.into()),
            ("shared", shared.into()),
            ("inconsistent", state.is_inconsistent().into()),
        ],
        holders,
        is_sound: state.is_sound(),
        ..PartState::primitive()
    })
}
