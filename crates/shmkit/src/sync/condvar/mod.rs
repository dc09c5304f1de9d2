//! A condition that others wait for, together with a lock.

mod waiters;

use std::mem;
use std::time::{Duration, Instant};

pub(super) use self::waiters::Waiters;
use self::waiters::{Ended, EnlistError, RECORDS};
use super::lock_error::{Guard, LockError, LockResult};
use super::membership::{Line, Membership, Words};
use super::owner::{Liveness, ParticipantId};
use super::parts::{Builder, Planner, sealed::Parts};
use super::sleepers::Habit;
use super::until::Until;
use crate::error::{ErrorKind, Result};
use crate::object::Kind;

/// A condition that others wait for, together with a lock: any of the locks here.
///
/// Each who waits has a record in shared memory, by which it is notified; so no notification is
/// lost, and only those are woken who can go on: after [`notify_all`](Self::notify_all) one at a
/// time. Up to 896 threads can wait at a time.
///
/// As with `std`, a wait may end without a notification, if seldom: look at what you wait for
/// again, or use [`wait_while`](Self::wait_while).
///
/// # If a process dies
///
/// A notification that went to a waiter which died before it went on is given to another who
/// waits, within 50 ms of its next look. Notifying never waits for the dead. Who dies with the lock
/// may have died before it notified: one who waits takes the lock then, and is told. To mend what
/// it guards is to notify the others, too. And notify before you give the lock back: of a death
/// between the two nobody is told.
///
/// # Examples
///
/// ```
/// use shmkit::sync::named;
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let options = named::Mutex::<u32>::options().directory(directory.path());
/// # let jobs = options.open_or_create("jobs", 1)?;
/// # let options = named::Condvar::options().directory(directory.path());
/// # let more = options.open_or_create("jobs/more", ())?;
/// # /*
/// let jobs = named::Mutex::<u32>::open_or_create("jobs", 0)?;
/// let more = named::Condvar::open_or_create("jobs/more", ())?;
/// # */
/// let mut waiting = more.wait_while(jobs.lock()?, |jobs| *jobs == 0)?;
/// *waiting -= 1;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Condvar {
    line: Line,
    records: Words<0>,
    habit: Habit,
}

/// Whether a wait with a time ended by that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether it ended by its time, and not by a notification.
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    /// Gives the lock up, waits for a notification, and takes the lock again.
    ///
    /// # If a process dies
    ///
    /// If one dies with the lock meanwhile, the wait ends within 50 ms, and this tells as taking
    /// the lock does.
    ///
    /// # Errors
    ///
    /// Those of taking the lock again; `InvalidArgument`, with the lock given back once, for a lock
    /// that this thread has more than once; `Full` if too many wait; `Closed` if the condition was
    /// removed, `Forked`, `RoleLost`. With all but [`LockError::OwnerDied`] the lock is given up.
    pub fn wait<G: Guard>(&self, guard: G) -> LockResult<G> {
        let (guard, _) = self.wait_within(guard, Until::Ever).map_err(|it| it.map(|it| it.0))?;
        Ok(guard)
    }

    /// The same, for as long as `condition` holds.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_while<G>(
        &self,
        mut guard: G,
        mut condition: impl FnMut(&mut G::Target) -> bool,
    ) -> LockResult<G>
    where
        G: Guard + std::ops::DerefMut<Target: Sized>,
    {
        while condition(&mut guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// The same as [`wait`](Self::wait), up to `timeout`.
    ///
    /// # Errors
    ///
    /// As there. That the time is over is no error.
    pub fn wait_timeout<G: Guard>(
        &self,
        guard: G,
        timeout: Duration,
    ) -> LockResult<(G, WaitTimeoutResult)> {
        self.wait_within(guard, Until::after(timeout))
    }

    /// The same as [`wait`](Self::wait), until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As there. That the time is over is no error.
    pub fn wait_until<G: Guard>(
        &self,
        guard: G,
        deadline: Instant,
    ) -> LockResult<(G, WaitTimeoutResult)> {
        self.wait_within(guard, Until::Deadline(deadline))
    }

    /// The same as [`wait_while`](Self::wait_while), up to `timeout`.
    ///
    /// # Errors
    ///
    /// As there. That the time is over is no error.
    pub fn wait_timeout_while<G>(
        &self,
        mut guard: G,
        timeout: Duration,
        mut condition: impl FnMut(&mut G::Target) -> bool,
    ) -> LockResult<(G, WaitTimeoutResult)>
    where
        G: Guard + std::ops::DerefMut<Target: Sized>,
    {
        let until = Until::after(timeout);
        while condition(&mut guard) {
            if until.is_over(Instant::now()) {
                return Ok((guard, WaitTimeoutResult(true)));
            }
            (guard, _) = self.wait_within(guard, until)?;
        }
        Ok((guard, WaitTimeoutResult(false)))
    }

    /// Lets one go on who waits, if any does.
    ///
    /// # Errors
    ///
    /// `Closed` if the object was removed, `Forked`, `RoleLost`.
    pub fn notify_one(&self) -> Result<()> {
        self.check()?;
        self.waiters().notify_one();
        Ok(())
    }

    /// Lets all go on who wait, one after the other.
    ///
    /// # Errors
    ///
    /// `Closed` if the object was removed, `Forked`, `RoleLost`.
    pub fn notify_all(&self) -> Result<()> {
        self.check()?;
        self.waiters().notify_all();
        Ok(())
    }

    fn wait_within<G: Guard>(
        &self,
        mut guard: G,
        until: Until,
    ) -> LockResult<(G, WaitTimeoutResult)> {
        let membership = self.membership();
        membership.check()?;
        guard.check_wait()?;
        let index = match self.waiters().enlist(membership.me(), membership) {
            Ok(index) => index,
            Err(EnlistError::Notified) => return Ok((guard, WaitTimeoutResult(false))),
            Err(EnlistError::Full) => {
                let why = format!("{RECORDS} wait already");
                return Err(membership.error(ErrorKind::Full, "wait for", why).into());
            }
        };
        guard.suspend();
        crash_point!("condvar: waiting");
        let ended = {
            let _waiting = membership.waiting(self.line.place());
            let liveness = ConditionLiveness { membership, guard: &guard };
            self.waiters().wait(index, membership.me(), &liveness, &self.habit, until)
        };
        crash_point!("condvar: notified, lock not yet taken");
        if let Err(error) = self.check_whole(ended, &guard) {
            mem::forget(guard);
            return Err(error.into());
        }
        let marked = match guard.resume() {
            Ok(marked) => marked,
            Err(error) => {
                mem::forget(guard);
                if ended.is_notified() {
                    // It does not go on, so another does. First, so that one too many may be
                    // notified if this one dies here, and never one too few.
                    self.waiters().notify_one();
                    self.go_on(index);
                }
                return Err(error.into());
            }
        };
        if ended.is_notified() {
            self.go_on(index);
        }
        let answer = (guard, WaitTimeoutResult(ended == Ended::TimedOut));
        if marked { Err(LockError::OwnerDied(answer)) } else { Ok(answer) }
    }

    /// What a notified one does once it has the lock: what comes from here on is not another's.
    fn go_on(&self, index: usize) {
        self.waiters().leave(index, self.membership().me());
        self.waiters().wake_notified(index + 1);
    }

    /// Refuses to go on where the condition or the lock is gone, or this participant's place.
    fn check_whole(&self, ended: Ended, guard: &impl Guard) -> Result<()> {
        let (membership, other) = (self.membership(), guard.membership());
        match ended {
            Ended::Closed if membership.is_gone() => Err(membership.object().closed()),
            Ended::Closed if other.is_gone() => Err(other.object().closed()),
            Ended::Lost => {
                membership.check()?;
                let why = "its place among those who wait was given away".into();
                Err(membership.error(ErrorKind::RoleLost, "wait for", why))
            }
            _ => Ok(()),
        }
    }

    /// Refuses to notify those of a removed condition.
    fn check(&self) -> Result<()> {
        self.membership().check()?;
        match self.waiters().is_closed() {
            true => Err(self.membership().object().closed()),
            false => Ok(()),
        }
    }

    fn membership(&self) -> &Membership {
        self.line.membership()
    }

    fn waiters(&self) -> Waiters<'_> {
        Waiters::of(self.line.fixed(), self.records.all())
    }
}

/// Looks for what ends the waiting without a notification: the object's end, or a death with the
/// lock that the waiter has given up.
struct ConditionLiveness<'a, G> {
    membership: &'a Membership,
    guard: &'a G,
}

impl<G: Guard> Liveness for ConditionLiveness<'_, G> {
    fn is_dead(&self, holder: ParticipantId) -> bool {
        self.membership.is_dead(holder)
    }

    fn is_gone(&self) -> bool {
        self.guard.holder_is_dead()
            || self.membership.is_gone()
            || self.guard.membership().is_gone()
    }
}

#[allow(private_interfaces, reason = "nobody else makes primitives")]
impl Parts for Condvar {
    type Initial = ();
    const KIND: Kind = Kind::Condvar;

    fn plan(planner: &mut Planner, _: Option<&()>) {
        planner.line("condvar");
        planner.words("records", RECORDS);
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        let (line, records) = (builder.line()?, builder.words(RECORDS)?);
        Ok(Self { line, records, habit: Habit::default() })
    }
}
