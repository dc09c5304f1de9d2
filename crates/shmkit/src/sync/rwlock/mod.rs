//! A value that many may read at a time, or one change, in whatever process.
#![allow(unsafe_code, reason = "references to what a held lock guards")]

mod guards;
mod shares;

use std::time::{Duration, Instant};

pub use guards::{NotUpgraded, ReadGuard, UpgradableGuard, WriteGuard};

use self::shares::STRIDE;
pub(super) use self::shares::Shares;
use super::lock_error::{self, LockError, LockResult, attempted};
use super::membership::{Line, Membership, Words};
use super::owner::{AcquireError, Mode, OwnerWord, State};
use super::parts::{Builder, Planner, sealed::Parts};
use super::sleepers::Habit;
use super::spin::Spin;
use super::until::Until;
use super::value::{NoData, Value};
use crate::error::Result;
use crate::memory::atomic::AtomicU64;
use crate::object::Kind;
use crate::shareable::Shareable;

/// A value that many may read at a time, or one change, in whatever process.
///
/// There are three ways to have it. Any number of [`read`](Self::read) guards go together, and with
/// one [`upgradable_read`](Self::upgradable_read), which can become a write guard without letting
/// another in between; [`write`](Self::write) excludes all others. Each guard can be turned into a
/// weaker one at once, and into a stronger one by trying, or, from upgradable, by waiting.
///
/// Readers of different processes write to no common memory, so they do not slow each other down.
/// A writer that waits keeps new readers out; readers that have waited for 1 ms keep the next
/// writers out. A thread that has a guard and asks for a second one may wait for itself.
///
/// A panic marks nothing: the guard is dropped in good order. A process that ends without dropping
/// it, as by `exit`, counts as dead.
///
/// # If a process dies
///
/// A dead reader's share is gone with it. A writer that dies may leave the value half-changed: who
/// takes the lock next, in any way, is told [`OwnerDied`](LockError::OwnerDied), until one calls
/// [`mark_consistent`](WriteGuard::mark_consistent). Who dies waiting takes nothing.
///
/// # Examples
///
/// ```
/// use shmkit::sync::named;
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let options = named::RwLock::<[f64; 3]>::options().directory(directory.path());
/// # let open_or_create = |name, value| options.open_or_create(name, value);
/// # /*
/// let limits = named::RwLock::<[f64; 3]>::open_or_create("limits", [1.0, 1.0, 0.5])?;
/// # */
/// # let limits = open_or_create("limits", [1.0, 1.0, 0.5])?;
/// assert_eq!(limits.read()?[2], 0.5);
/// let seen = limits.upgradable_read()?;
/// if seen[2] < 1.0 {
///     seen.upgrade()?[2] = 1.0;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RwLock<T: Shareable = NoData> {
    line: Line,
    shares: Words<0>,
    value: Value<T, 16>,
    spin: Spin,
    habit: Habit,
}

impl<T: Shareable> RwLock<T> {
    /// Takes the lock to read, with others, waiting for as long as others stand in the way.
    ///
    /// # If a process dies
    ///
    /// What a dead one has is not waited for: it is asked about at once, or at the end of the 50 ms
    /// since this handle asked last.
    ///
    /// # Errors
    ///
    /// [`LockError::OwnerDied`], with the lock. Or [`LockError::Failed`]: `Closed` if the object
    /// was removed; `Corrupt` if its bytes are no value of the type (see
    /// [`write_replacing`](Self::write_replacing)), or its words are garbage; `Forked` in a forked
    /// child; `RoleLost` if the process closed descriptors that were not its own.
    #[inline]
    pub fn read(&self) -> LockResult<ReadGuard<'_, T>> {
        self.read_within(Until::Ever)
    }

    /// Takes the lock to read, with others, if nobody who lives stands in the way.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    #[inline]
    pub fn try_read(&self) -> LockResult<Option<ReadGuard<'_, T>>> {
        let taken = match self.share_at_once() {
            None => self.share_slowly(Until::Now)?,
            taken => taken,
        };
        self.maybe_taken(taken, |lock| ReadGuard { lock })
    }

    /// Takes the lock to read, with others, waiting up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`, naming who stands in the way; and as [`read`](Self::read).
    #[inline]
    pub fn read_timeout(&self, timeout: Duration) -> LockResult<ReadGuard<'_, T>> {
        self.read_within(Until::after(timeout))
    }

    /// Takes the lock to read, with others, waiting until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`read_timeout`](Self::read_timeout).
    #[inline]
    pub fn read_until(&self, deadline: Instant) -> LockResult<ReadGuard<'_, T>> {
        self.read_within(Until::Deadline(deadline))
    }

    /// Takes the lock to read with others, and maybe to write later, waiting as long as it takes.
    ///
    /// # If a process dies
    ///
    /// What a dead one has is not waited for: it is asked about at once, or at the end of the 50 ms
    /// since this handle asked last.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    #[inline]
    pub fn upgradable_read(&self) -> LockResult<UpgradableGuard<'_, T>> {
        self.upgradable_read_within(Until::Ever)
    }

    /// Takes the lock to read with others, and maybe to write later, if nobody who lives stands in
    /// the way.
    ///
    /// # Errors
    ///
    /// As [`upgradable_read`](Self::upgradable_read).
    #[inline]
    pub fn try_upgradable_read(&self) -> LockResult<Option<UpgradableGuard<'_, T>>> {
        let taken = match self.take_at_once(Mode::Upgradable) {
            true => Some(false),
            false => self.acquire(Mode::Upgradable, Until::Now)?,
        };
        self.maybe_taken(taken, |lock| UpgradableGuard { lock })
    }

    /// Takes the lock to read with others, and maybe to write later, waiting up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`, naming who stands in the way; and as [`upgradable_read`](Self::upgradable_read).
    #[inline]
    pub fn upgradable_read_timeout(&self, timeout: Duration) -> LockResult<UpgradableGuard<'_, T>> {
        self.upgradable_read_within(Until::after(timeout))
    }

    /// Takes the lock to read with others, and maybe to write later, waiting until `deadline` on
    /// the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`upgradable_read_timeout`](Self::upgradable_read_timeout).
    #[inline]
    pub fn upgradable_read_until(&self, deadline: Instant) -> LockResult<UpgradableGuard<'_, T>> {
        self.upgradable_read_within(Until::Deadline(deadline))
    }

    /// Takes the lock to write, alone, waiting for as long as others stand in the way.
    ///
    /// # If a process dies
    ///
    /// What a dead one has is not waited for: it is asked about at once, or at the end of the 50 ms
    /// since this handle asked last.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    #[inline]
    pub fn write(&self) -> LockResult<WriteGuard<'_, T>> {
        self.write_within(Until::Ever)
    }

    /// Takes the lock to write, alone, if nobody who lives stands in the way.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    #[inline]
    pub fn try_write(&self) -> LockResult<Option<WriteGuard<'_, T>>> {
        self.maybe_taken(self.enter_alone(Until::Now)?, |lock| WriteGuard { lock })
    }

    /// Takes the lock to write, alone, waiting up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`, naming who stands in the way; and as [`write`](Self::write).
    #[inline]
    pub fn write_timeout(&self, timeout: Duration) -> LockResult<WriteGuard<'_, T>> {
        self.write_within(Until::after(timeout))
    }

    /// Takes the lock to write, alone, waiting until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`write_timeout`](Self::write_timeout).
    #[inline]
    pub fn write_until(&self, deadline: Instant) -> LockResult<WriteGuard<'_, T>> {
        self.write_within(Until::Deadline(deadline))
    }

    /// Takes the lock to write, and puts `value` in place of whatever bytes are there: also where a
    /// dead process left none that are a value. No mark of a death is left.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write), but for what it says of the value.
    pub fn write_replacing(&self, value: T) -> Result<WriteGuard<'_, T>> {
        self.acquire(Mode::Draining, Until::Ever)?;
        // SAFETY: the lock is held, and excludes everybody.
        unsafe { self.value.set(value) };
        let mut guard = WriteGuard { lock: self };
        guard.mark_consistent();
        Ok(guard)
    }

    #[inline(always)]
    fn read_within(&self, until: Until) -> LockResult<ReadGuard<'_, T>> {
        let marked = match self.share_at_once() {
            Some(marked) => marked,
            None => self.certainly(self.share_slowly(until)?)?,
        };
        self.taken(ReadGuard { lock: self }, marked)
    }

    #[inline(always)]
    fn upgradable_read_within(&self, until: Until) -> LockResult<UpgradableGuard<'_, T>> {
        let marked = match self.take_at_once(Mode::Upgradable) {
            true => false,
            false => self.certainly(self.acquire(Mode::Upgradable, until)?)?,
        };
        self.taken(UpgradableGuard { lock: self }, marked)
    }

    #[inline(always)]
    fn write_within(&self, until: Until) -> LockResult<WriteGuard<'_, T>> {
        let marked = self.certainly(self.enter_alone(until)?)?;
        self.taken(WriteGuard { lock: self }, marked)
    }

    #[inline(always)]
    fn share_at_once(&self) -> Option<bool> {
        let membership = self.membership();
        let state = membership.is_well().then(|| self.shares().try_share(membership.me()))?;
        state.ok().map(State::is_inconsistent)
    }

    /// Takes the lock alone; as [`share_slowly`](Self::share_slowly).
    #[inline(always)]
    fn enter_alone(&self, until: Until) -> Result<Option<bool>> {
        if !self.take_at_once(Mode::Exclusive) {
            return self.acquire(Mode::Draining, until);
        }
        // CRASH: dying before this look leaves a mark, though nothing was changed.
        if self.shares().nobody_shares() {
            return Ok(Some(false));
        }
        self.owner().change_mode(self.membership().me(), Mode::Draining);
        self.drain(Mode::Exclusive, until)
    }

    /// What comes of waiting, which ends in a lock or an error.
    fn certainly(&self, taken: Option<bool>) -> Result<bool> {
        taken.ok_or_else(|| self.membership().refused(AcquireError::Busy, "lock"))
    }

    /// Gives back what this process has of the owner word.
    #[inline]
    fn unlock(&self) {
        let membership = self.membership();
        if membership.is_mine() {
            self.owner().release(membership.me());
        }
    }

    /// Gives a share of this process's back.
    #[inline]
    fn unshare(&self) {
        let membership = self.membership();
        if membership.is_mine() {
            self.shares().unshare(membership.me());
        }
    }

    #[inline(always)]
    fn membership(&self) -> &Membership {
        self.line.membership()
    }

    #[inline(always)]
    fn owner(&self) -> OwnerWord<'_> {
        OwnerWord::lock(&self.line.fixed()[0])
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
    fn take_at_once(&self, mode: Mode) -> bool {
        self.membership().is_well() && self.owner().acquire_at_once(self.membership().me(), mode)
    }

    /// Takes a share. Whether the lock is marked by a death; nothing if it could not be at once,
    /// and was not to be waited for.
    #[cold]
    fn share_slowly(&self, until: Until) -> Result<Option<bool>> {
        let membership = self.membership();
        membership.check()?;
        let shared = match until {
            Until::Now => self.shares().attempt(membership.me(), &self.line),
            _ => {
                let _waiting = membership.waiting(self.line.place());
                self.shares().share_slowly(membership.me(), &self.line, &self.spin, until)
            }
        };
        self.outcome(shared, until).map(|state| state.map(State::is_inconsistent))
    }

    /// Takes the owner word, upgradable or draining, and the lock; as
    /// [`share_slowly`](Self::share_slowly).
    #[cold]
    fn acquire(&self, mode: Mode, until: Until) -> Result<Option<bool>> {
        let membership = self.membership();
        membership.check()?;
        let taken = match until {
            Until::Now => self.owner().attempt(membership.me(), mode, &self.line),
            _ => {
                let _waiting = membership.waiting(self.line.place());
                self.owner().acquire(membership.me(), mode, &self.line, &self.spin, until)
            }
        };
        if self.outcome(taken, until)?.is_none() {
            return Ok(None);
        }
        match mode {
            Mode::Upgradable => Ok(Some(self.owner().look().is_inconsistent())),
            _ => self.drain(Mode::Exclusive, until),
        }
    }

    /// Waits until nobody shares what this one has: if that fails, it is left in `instead`, or
    /// given up where that is exclusive. As [`share_slowly`](Self::share_slowly).
    #[cold]
    fn drain(&self, instead: Mode, until: Until) -> Result<Option<bool>> {
        let membership = self.membership();
        let drained = {
            let _waiting = membership.waiting(self.line.place());
            self.shares().drain(membership.me(), &self.line, &self.habit, until)
        };
        if drained.is_err() {
            match instead {
                Mode::Upgradable => self.owner().change_mode(membership.me(), instead),
                _ => self.owner().release(membership.me()),
            };
        }
        let drained = self.outcome(drained, until)?;
        Ok(drained.map(|()| self.owner().look().is_inconsistent()))
    }

    /// Others standing in the way is no error of an attempt.
    fn outcome<R>(&self, outcome: Result<R, AcquireError>, until: Until) -> Result<Option<R>> {
        match outcome {
            Ok(done) => Ok(Some(done)),
            Err(AcquireError::Held(_) | AcquireError::Busy) if matches!(until, Until::Now) => {
                Ok(None)
            }
            Err(refused) => Err(self.membership().refused(refused, "lock")),
        }
    }

    /// The guard of a lock that was just taken.
    #[inline(always)]
    fn taken<G>(&self, guard: G, marked: bool) -> LockResult<G> {
        crash_point!("rwlock: taken");
        // SAFETY: the lock is held, in the way that `guard` says.
        if !unsafe { self.value.is_valid() } {
            return Err(self.membership().corrupt("lock", lock_error::NO_VALUE).into());
        }
        if marked { Err(LockError::OwnerDied(guard)) } else { Ok(guard) }
    }

    /// The guard of an attempt, if it came to one.
    #[inline(always)]
    fn maybe_taken<'a, G>(
        &'a self,
        taken: Option<bool>,
        guard: impl FnOnce(&'a Self) -> G,
    ) -> LockResult<Option<G>> {
        match taken {
            None => Ok(None),
            Some(marked) => attempted(self.taken(guard(self), marked)),
        }
    }
}

#[allow(private_interfaces, reason = "nobody else makes primitives")]
impl<T: Shareable> Parts for RwLock<T> {
    type Initial = T;
    const KIND: Kind = Kind::RwLock;

    fn plan(planner: &mut Planner, initial: Option<&T>) {
        let line = planner.line("rwlock");
        planner.words_for_each("shares", STRIDE);
        Value::<T, 16>::plan(planner, line, initial);
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        let line = builder.line()?;
        let shares = builder.words_for_each(STRIDE)?;
        let value = Value::build(builder, &line)?;
        let (spin, habit) = (Spin::default(), Habit::default());
        let lock = Self { line, shares, value, spin, habit };
        lock.shares().adopt(lock.membership().me());
        Ok(lock)
    }
}
