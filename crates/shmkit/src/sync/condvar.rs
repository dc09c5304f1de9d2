//! A condition variable, for any of the locks here.

use std::mem;
use std::ptr;
use std::time::{Duration, Instant};

use super::lock_error::{Guard, LockError, LockResult};
use super::raw::waiters::{Ended, RECORDS, RegisterError, Waiters};
use crate::error::{ErrorKind, Result};
use crate::object::{
    Builder, Holding, Kind, Line, Membership, Part, PartState, Payload, Planner, Primitive, SLEEP,
    WORDS, Words,
};
use crate::participant::owner::Acquired;
use crate::participant::{Liveness, ParticipantId};
use crate::sys::notices::ObjectNotices;
use crate::wait::{Until, WaitLoop};

/// A condition variable: threads wait for a condition, together with any of the locks here.
///
/// Each waiter has a record in shared memory, by which it is notified. So no notification is lost,
/// and only waiters that can go on are woken: after [`notify_all`](Self::notify_all), one at a
/// time. Up to 896 threads can wait at a time.
///
/// As with `std`, a wait may end without a notification, though rarely: check the condition again,
/// or use [`wait_while`](Self::wait_while).
///
/// # If a process dies
///
/// A notification of a waiter that dies before it goes on is given to another waiter, within 50 ms.
/// Notifying never waits for a dead process. A process that dies with the lock may have died before
/// it notified: then one waiter acquires the lock and gets [`OwnerDied`](LockError::OwnerDied).
/// After repairing the data, call [`notify_all`](Self::notify_all). Notify before you release the
/// lock: no waiter learns of a death between the two.
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
    wait_loop: WaitLoop,
}

/// Whether a wait with a timeout ended by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Returns whether the timeout expired before a notification.
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    /// Releases the lock, waits for a notification, and acquires the lock again.
    ///
    /// # If a process dies
    ///
    /// If a process dies while it holds the lock, the wait ends within 50 ms, with
    /// [`LockError::OwnerDied`].
    ///
    /// # Errors
    ///
    /// Those of acquiring the lock; `Forked`, `RoleLost`; `InvalidArgument` for a lock that this
    /// thread holds more than once; `Full` if 896 threads wait; `Closed` if the condition or the
    /// lock was removed. With all but [`LockError::OwnerDied`] the lock is released.
    pub fn wait<G: Guard>(&self, guard: G) -> LockResult<G> {
        let (guard, _) = self.wait_within(guard, Until::Ever).map_err(|it| it.map(|it| it.0))?;
        Ok(guard)
    }

    /// Waits as [`wait`](Self::wait) does, as long as `condition` is true.
    ///
    /// The condition is called while the lock is held. It gets a `&mut T` from an exclusive guard,
    /// a `&T` from a shared one, a copy of the value from a
    /// [`ReentrantGuard`](super::ReentrantGuard), and `()` from an
    /// [`AnyLockGuard`](super::AnyLockGuard).
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait).
    pub fn wait_while<G: Guard>(
        &self,
        guard: G,
        condition: impl FnMut(G::Value<'_>) -> bool,
    ) -> LockResult<G> {
        let waited = self.wait_within_while(guard, Until::Ever, condition);
        waited.map(|it| it.0).map_err(|error| error.map(|it| it.0))
    }

    /// Waits as [`wait`](Self::wait) does, up to `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait). An expired timeout is not an error.
    pub fn wait_timeout<G: Guard>(
        &self,
        guard: G,
        timeout: Duration,
    ) -> LockResult<(G, WaitTimeoutResult)> {
        self.wait_within(guard, Until::after(timeout))
    }

    /// Waits as [`wait`](Self::wait) does, until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait). A deadline that has passed is not an error.
    pub fn wait_until<G: Guard>(
        &self,
        guard: G,
        deadline: Instant,
    ) -> LockResult<(G, WaitTimeoutResult)> {
        self.wait_within(guard, Until::Deadline(deadline))
    }

    /// Waits as [`wait_while`](Self::wait_while) does, up to `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait). An expired timeout is not an error.
    pub fn wait_timeout_while<G: Guard>(
        &self,
        guard: G,
        timeout: Duration,
        condition: impl FnMut(G::Value<'_>) -> bool,
    ) -> LockResult<(G, WaitTimeoutResult)> {
        self.wait_within_while(guard, Until::after(timeout), condition)
    }

    /// Waits as [`wait_while`](Self::wait_while) does, until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait). A deadline that has passed is not an error.
    pub fn wait_until_while<G: Guard>(
        &self,
        guard: G,
        deadline: Instant,
        condition: impl FnMut(G::Value<'_>) -> bool,
    ) -> LockResult<(G, WaitTimeoutResult)> {
        self.wait_within_while(guard, Until::Deadline(deadline), condition)
    }

    fn wait_within_while<G: Guard>(
        &self,
        mut guard: G,
        until: Until,
        mut condition: impl FnMut(G::Value<'_>) -> bool,
    ) -> LockResult<(G, WaitTimeoutResult)> {
        while guard.check(&mut condition) {
            if until.is_over(Instant::now()) {
                return Ok((guard, WaitTimeoutResult(true)));
            }
            (guard, _) = self.wait_within(guard, until)?;
        }
        Ok((guard, WaitTimeoutResult(false)))
    }

    /// Notifies one waiter, if there is one.
    ///
    /// # Errors
    ///
    /// `Forked`, `RoleLost`; `Closed` if the object was removed.
    pub fn notify_one(&self) -> Result<()> {
        self.check()?;
        self.waiters().notify_one();
        Ok(())
    }

    /// Notifies all waiters, which go on one after the other.
    ///
    /// # Errors
    ///
    /// `Forked`, `RoleLost`; `Closed` if the object was removed.
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
        membership.check_live()?;
        guard.check_wait()?;
        let index = match self.waiters().register(membership.me(), membership) {
            Ok(index) => index,
            Err(RegisterError::Notified) => return Ok((guard, WaitTimeoutResult(false))),
            Err(RegisterError::Full) => {
                let why = format!("{RECORDS} threads already wait, the maximum: try again later");
                return Err(membership.error(ErrorKind::Full, "wait for", why).into());
            }
        };
        guard.suspend();
        crash_point!("condvar: waiting");
        let ended = {
            let _recorded = membership.record_wait(self.line.place(), until);
            let (me, liveness) = (membership.me(), ConditionLiveness { membership, guard: &guard });
            self.waiters().wait(index, me, &liveness, &self.wait_loop, until)
        };
        crash_point!("condvar: notified, lock not yet taken");
        if let Err(error) = self.check_usable(ended, &guard) {
            mem::forget(guard);
            return Err(error.into());
        }
        let acquired = match guard.resume() {
            Ok(acquired) => acquired,
            Err(error) => {
                mem::forget(guard);
                if ended.is_notified() {
                    // It does not go on, so another waiter does. It is notified first: if this one
                    // dies here, one waiter too many is notified, and never one too few.
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
        match acquired {
            Acquired::Clean => Ok(answer),
            Acquired::Inconsistent => Err(LockError::OwnerDied(answer)),
        }
    }

    /// Consumes the notification of a waiter that has the lock again, and wakes the next one.
    fn go_on(&self, index: usize) {
        self.waiters().leave(index, self.membership().me());
        self.waiters().wake_notified(index + 1);
    }

    /// Refuses to go on if the condition or the lock was removed, or this participant lost its
    /// slot.
    fn check_usable(&self, ended: Ended, guard: &impl Guard) -> Result<()> {
        let (membership, other) = (self.membership(), guard.membership());
        match ended {
            Ended::Closed if membership.object_is_removed() => Err(membership.object().closed()),
            Ended::Closed if other.object_is_removed() => Err(other.object().closed()),
            Ended::Stopped(stop) => Err(membership.stopped(stop, "wait for")),
            Ended::Lost => {
                membership.check_live()?;
                let why = "another participant has this waiter's record";
                Err(membership.error(ErrorKind::RoleLost, "wait for", why))
            }
            _ => Ok(()),
        }
    }

    /// Refuses to notify the waiters of a removed condition.
    fn check(&self) -> Result<()> {
        self.membership().check_live()?;
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

/// What ends a wait without a notification: the end of the object or of the lock's object, or a
/// death with the lock that the waiter has released.
struct ConditionLiveness<'a, G> {
    membership: &'a Membership,
    guard: &'a G,
}

impl<G: Guard> Liveness for ConditionLiveness<'_, G> {
    fn is_dead(&self, id: ParticipantId) -> bool {
        self.membership.is_dead(id)
    }

    fn reap_if_dead(&self, id: ParticipantId) -> bool {
        self.membership.reap_if_dead(id)
    }

    fn object_is_removed(&self) -> bool {
        self.guard.holder_is_dead()
            || self.membership.object_is_removed()
            || self.guard.membership().object_is_removed()
    }

    fn notices(&self) -> Option<ObjectNotices<'_>> {
        // Those of the one object do not tell what happens in the other.
        let is_one_object = ptr::eq(self.membership.object(), self.guard.membership().object());
        self.membership.notices().filter(|_| is_one_object)
    }
}

const WAITS: Holding = Holding::waiting("waits", "while it waited for {part}");

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Payload for Condvar {
    type Initial = ();

    const KIND: Kind = Kind::Condvar;
    const ZEROS_ARE_INITIAL: bool = true;

    fn plan(planner: &mut Planner<'_>, _: Option<&()>) {
        let line = planner.line("closed");
        planner.word("next", line + 8, WORDS);
        planner.words("records", SLEEP, RECORDS as u64);
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        let (line, records) = (builder.line()?, builder.words(RECORDS)?);
        Ok(Self { line, records, wait_loop: builder.wait_loop() })
    }

    fn describe(part: &Part<'_>) -> Result<PartState> {
        let waiters = Waiters::of(part.line()?, part.words()?);
        let (waiting, notified) = waiters.count();
        Ok(PartState {
            text: format!("{waiting} waiting, {notified} notified"),
            fields: vec![("notified", (notified as u64).into())],
            holders: waiters.holders().map(|id| part.held_by(id, WAITS)).collect(),
            ..PartState::primitive()
        })
    }

    fn reap(part: &Part<'_>) -> Result<()> {
        Waiters::of(part.line()?, part.words()?).reap(part);
        Ok(())
    }
}

impl Primitive for Condvar {}
