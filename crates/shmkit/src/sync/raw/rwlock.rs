//! A read-write lock without a value.

use super::mutex::{HOLDS, RawMutex, describe_lock};
use super::shares::{OwnShare, STRIDE, Shares};
use crate::error::Result;
use crate::object::{
    Builder, Holding, Line, Membership, Part, PartState, Planner, SLEEP, WORDS, Words,
};
use crate::participant::owner::{AcquireError, Acquired, Mode, OwnerWord, State};
use crate::wait::{Extent, Until, WaitLoop};

/// How many bytes of the line are used before the value.
pub(crate) const USED: u64 = 24;

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

/// A handle to a read-write lock.
#[derive(Debug)]
pub(crate) struct RawRwLock {
    /// Writers hold it, and the upgradable reader.
    pub(crate) owner: RawMutex,
    shares: Words<0>,
    own_share: Words<1>,
    /// By which writers wait for readers to leave.
    drain_loop: WaitLoop,
}

impl RawRwLock {
    /// Plans the lock, and `value` between its line and its shares.
    pub(crate) fn plan(planner: &mut Planner<'_>, value: impl FnOnce(&mut Planner<'_>)) {
        let line = RawMutex::plan(planner);
        planner.word("used", line + 16, WORDS);
        value(planner);
        planner.words_for_each("shares", SLEEP, STRIDE as u64);
    }

    /// Builds the lock, and `value` between its line and its shares.
    pub(crate) fn build<V>(
        builder: &mut Builder,
        value: impl FnOnce(&mut Builder, &Line) -> Result<V>,
    ) -> Result<(Self, V)> {
        let owner = RawMutex::build(builder)?;
        let value = value(builder, &owner.line)?;
        let shares = builder.words_for_each(STRIDE)?;
        let me = owner.membership().me();
        let own_share = shares.part(me.slot() as usize * STRIDE)?;
        let lock = Self { owner, shares, own_share, drain_loop: builder.wait_loop() };
        lock.shares().adopt(me);
        Ok((lock, value))
    }

    #[inline(always)]
    fn membership(&self) -> &Membership {
        self.owner.membership()
    }

    #[inline(always)]
    fn shares(&self) -> Shares<'_> {
        let used = &self.owner.line.fixed()[2];
        Shares { owner: self.owner.word(), used, words: self.shares.all() }
    }

    #[inline(always)]
    fn own_share(&self) -> OwnShare<'_> {
        let (owner, word) = (self.owner.word(), &self.own_share.fixed()[0]);
        OwnShare { owner, word, me: self.membership().me() }
    }

    /// Acquires the lock.
    #[inline(always)]
    pub(crate) fn acquire(&self, hold: Hold, until: Until) -> Result<Acquired, AcquireError> {
        match hold {
            Hold::Read => match self.share_at_once() {
                Some(state) => Ok(state.acquired()),
                None => self.share(until),
            },
            Hold::Upgradable => self.owner.acquire(Mode::Upgradable, || until),
            Hold::Write => match self.owner.acquire_uncontended(Mode::Exclusive) {
                true => self.exclude_readers(until),
                false => self.write_slowly(until),
            },
        }
    }

    /// Releases the lock, if this process holds it.
    #[inline(always)]
    pub(crate) fn release(&self, hold: Hold) {
        match hold {
            Hold::Read if self.membership().is_mine() => self.own_share().unshare(),
            Hold::Read => {}
            Hold::Upgradable | Hold::Write => self.owner.release(),
        }
    }

    #[inline(always)]
    fn share_at_once(&self) -> Option<State> {
        self.membership().is_live().then(|| self.own_share().try_share())?.ok()
    }

    #[cold]
    fn share(&self, until: Until) -> Result<Acquired, AcquireError> {
        let membership = self.membership();
        if !membership.is_live() {
            return Err(AcquireError::NotLive);
        }
        let _recorded = membership.record_wait(self.owner.line.place(), until);
        self.own_share().share_within(membership, &self.owner.wait_loop, until)
    }

    /// Waits for the readers, after the owner word was acquired at once.
    #[inline(always)]
    fn exclude_readers(&self, until: Until) -> Result<Acquired, AcquireError> {
        // CRASH: dying before this look leaves the lock inconsistent, although nothing was changed.
        if !self.shares().nobody_shares() {
            self.owner.word().change_mode(self.membership().me(), Mode::Draining);
            self.drain(Mode::Exclusive, until)?;
        }
        Ok(Acquired::Clean)
    }

    #[cold]
    fn write_slowly(&self, until: Until) -> Result<Acquired, AcquireError> {
        let acquired = self.owner.acquire_slowly(Mode::Draining, until)?;
        self.drain(Mode::Exclusive, until)?;
        Ok(acquired)
    }

    /// Waits until no reader shares the lock, whose owner word this participant holds. If that
    /// fails, the owner word is left upgradable, or released if `otherwise` is exclusive.
    #[cold]
    fn drain(&self, otherwise: Mode, until: Until) -> Result<(), AcquireError> {
        let membership = self.membership();
        let drained = {
            let _recorded = membership.record_wait(self.owner.line.place(), until);
            self.shares().drain(membership.me(), membership, &self.drain_loop, until)
        };
        if drained.is_err() {
            match otherwise {
                Mode::Upgradable => self.owner.word().change_mode(membership.me(), otherwise),
                _ => self.owner.word().release(membership.me()),
            };
        }
        drained
    }

    /// Makes the only reader a writer, if there are no other holders.
    pub(crate) fn try_upgrade_reader(&self) -> Result<(), AcquireError> {
        self.owner.acquire_slowly(Mode::Draining, Until::Now)?;
        // No other writer can acquire the lock in between, since the owner word is held.
        self.own_share().unshare();
        let (me, membership) = (self.membership().me(), self.membership());
        let drained = self.shares().drain(me, membership, &self.drain_loop, Until::Now);
        if drained.is_err() {
            self.downgrade_to_reader();
        }
        drained
    }

    /// Makes a reader an upgradable reader, if there is no other one, and no writer waits.
    pub(crate) fn try_into_upgradable(&self) -> Result<(), AcquireError> {
        self.owner.acquire_slowly(Mode::Upgradable, Until::Now)?;
        // From here on it shares the lock through the owner word.
        self.own_share().unshare();
        Ok(())
    }

    /// Makes an upgradable reader a writer, once all other readers have left.
    pub(crate) fn upgrade(&self, until: Until) -> Result<(), AcquireError> {
        let membership = self.membership();
        let may_act = membership.is_live();
        if !may_act || !self.owner.word().change_mode(membership.me(), Mode::Draining) {
            return Err(AcquireError::NotLive);
        }
        self.drain(Mode::Upgradable, until)
    }

    /// Makes the holder of the owner word a reader.
    pub(crate) fn downgrade_to_reader(&self) {
        self.own_share().share_more();
        self.owner.release();
    }

    /// Makes a writer an upgradable reader.
    pub(crate) fn downgrade_to_upgradable(&self) {
        self.owner.word().change_mode(self.membership().me(), Mode::Upgradable);
    }
}

/// The words of a read-write lock, for a process that does not know its type.
fn shares_in<'a>(part: &Part<'a>) -> Result<Shares<'a>> {
    let line = part.line::<3>()?;
    let owner = OwnerWord::of_lock(&line[0]);
    Ok(Shares { owner, used: &line[2], words: part.words()? })
}

/// Removes dead readers from a read-write lock. Frees it if a dead participant holds it, and then
/// leaves it inconsistent. For a process that does not know its type.
pub(crate) fn reap(part: &Part<'_>) -> Result<()> {
    let shares = shares_in(part)?;
    shares.owner.reap(part, |_| ())?;
    shares.forget_the_dead(part, Extent::Everything);
    Ok(())
}

/// Describes a read-write lock, for a process that does not know its type.
pub(crate) fn describe(part: &Part<'_>) -> Result<PartState> {
    let shares = shares_in(part)?;
    let state = shares.owner.look();
    let exclusive = state.is_exclusive();
    let holding = if exclusive { HOLDS } else { MAY_UPGRADE };
    let mut holders: Vec<_> =
        state.holder().map(|id| part.held_by(id, holding)).into_iter().collect();
    let sharers = shares.sharers();
    holders.extend(sharers.map(|(id, times)| part.holder(id.slot(), Some(id), READS, times)));
    Ok(describe_lock(state, exclusive, holders))
}
