//! Something that has happened, or has not yet.
//!
//! ```text
//! 63                         3   2     1        0
//! +---------------------------+-----+--------+--------+
//! |  how often it was set     | SET | ASLEEP | CLOSED |
//! +---------------------------+-----+--------+--------+
//! ```
//!
//! | state | manual reset | automatic reset |
//! |---|---|---|
//! | not set | anybody, to set; all who wait go on | the same; one who waits goes on |
//! | SET | anybody, by a reset | one who waits takes it: by the one exchange that clears it |
//!
//! The count tells those who waited when it was set, and look only after it was reset, that it was.
//!
//! # Why no wake is lost
//!
//! As in `sync::sleepers`. An automatic one wakes one at a time: who was woken announces the others
//! before he takes, so that whoever sets it next wakes the next.

use std::time::{Duration, Instant};

use super::membership::{Line, Membership};
use super::owner::Liveness;
use super::parts::{Builder, Planner, sealed::Parts};
use super::sleepers::{ASLEEP, CLOSED, Habit, Sleepers, Waiter};
use super::until::Until;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::object::{Kind, same_option};

const SET: u64 = 1 << 2;
const ONE: u64 = 1 << 3;

/// What becomes of an event that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Reset {
    /// It stays set, for all, until somebody resets it.
    Manual = 1,
    /// It is taken by one who waits, and is reset by that.
    Automatic = 2,
}

impl Reset {
    pub(super) fn of_number(number: u64) -> Option<Self> {
        [Self::Manual, Self::Automatic].into_iter().find(|it| *it as u64 == number)
    }

    /// The word for it, as `shm` prints it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Automatic => "automatic",
        }
    }
}

/// Why waiting for it ended without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventError {
    Closed,
    TimedOut,
}

/// The word of an event.
#[derive(Clone, Copy)]
pub(crate) struct EventWord<'a> {
    word: &'a AtomicU64,
    reset: Reset,
}

impl<'a> EventWord<'a> {
    pub(crate) fn new(word: &'a AtomicU64, reset: Reset) -> Self {
        Self { word, reset }
    }

    fn sleepers(self) -> Sleepers<'a> {
        Sleepers::new(self.word)
    }

    fn look(self) -> u64 {
        // ORDERING: Acquire; pairs with the Release in `set`.
        self.word.load(Ordering::Acquire)
    }

    pub(crate) fn is_set(self) -> bool {
        self.look() & SET != 0
    }

    /// False if the object was retired.
    pub(crate) fn set(self) -> bool {
        let mut had = self.look();
        while had & CLOSED == 0 {
            // One that is set already is set again all the same: whoever takes it, or looks after a
            // reset, has to see what was done before this.
            let set = match had & SET {
                0 => (had & !ASLEEP | SET).wrapping_add(ONE),
                _ => had,
            };
            // ORDERING: AcqRel; pairs with the Acquire in `look`: what was done before is seen.
            match self.word.compare_exchange(had, set, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) if had == set || had & ASLEEP == 0 => return true,
                Ok(_) => {
                    match self.reset {
                        Reset::Manual => self.sleepers().wake(had),
                        Reset::Automatic => self.sleepers().wake_one(had),
                    }
                    return true;
                }
                Err(found) => had = found,
            }
        }
        false
    }

    pub(crate) fn reset(self) {
        // ORDERING: AcqRel; in order with what others set.
        let had = self.word.fetch_and(!SET, Ordering::AcqRel);
        if had & (SET | ASLEEP) == SET | ASLEEP {
            crate::sys::wait::moved(self.word, had);
        }
    }

    /// Takes the event, if it is set and automatic. `among`: others may sleep for the next.
    fn take(self, among: bool) -> bool {
        if among && !self.sleepers().announce(|word| word & SET != 0) {
            return false;
        }
        let mut had = self.look();
        while had & SET != 0 {
            // CRASH: dying behind this is having taken it; before it, the event is another's.
            // ORDERING: AcqRel; pairs with the exchange in `set`.
            let taken =
                self.word.compare_exchange(had, had & !SET, Ordering::AcqRel, Ordering::Acquire);
            match taken {
                Ok(_) => return true,
                Err(found) => had = found,
            }
        }
        false
    }

    /// Waits until it is set, or was.
    pub(crate) fn wait(
        self,
        waiter: &mut Waiter,
        until: Until,
        is_gone: impl Fn() -> bool,
    ) -> Result<(), EventError> {
        self.wait_since(self.look(), waiter, until, is_gone)
    }

    /// The same for one who began to wait when the word was `begun`.
    fn wait_since(
        self,
        begun: u64,
        waiter: &mut Waiter,
        until: Until,
        is_gone: impl Fn() -> bool,
    ) -> Result<(), EventError> {
        let mut has_slept = false;
        let mut look = |slept: bool| {
            has_slept = slept;
            let now = self.look();
            let found = match self.reset {
                Reset::Manual => now & SET != 0 || (now ^ begun) / ONE != 0,
                Reset::Automatic => now & SET != 0 && self.take(slept),
            };
            let closed = || (now & CLOSED != 0).then_some(Err(EventError::Closed));
            found.then_some(Ok(())).or_else(closed)
        };
        if matches!(until, Until::Now) {
            return look(false).unwrap_or(Err(EventError::TimedOut));
        }
        let slow_look = || is_gone().then_some(Err(EventError::Closed));
        let found = waiter.take(self.sleepers(), until.deadline(), look, slow_look);
        if has_slept && found != Some(Ok(())) && self.reset == Reset::Automatic {
            // The wake that was taken here may have been for another, and so is the mark.
            self.sleepers().announce(|_| true);
            if self.is_set() {
                self.sleepers().wake_one(self.look());
            }
        }
        found.unwrap_or(Err(EventError::TimedOut))
    }
}

/// Something that has happened, or has not yet: one sets it, others wait for it.
///
/// # If a process dies
///
/// Who dies waiting took nothing: an automatic event that had not been taken goes to another. Who
/// set it has done so for good.
///
/// # Examples
///
/// ```
/// use shmkit::sync::{Reset, named};
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let options = named::Event::options().directory(directory.path());
/// # let open_or_create = |name, reset| options.open_or_create(name, reset);
/// # /*
/// let ready = named::Event::open_or_create("camera/ready", Reset::Manual)?;
/// # */
/// # let ready = open_or_create("camera/ready", Reset::Manual)?;
/// ready.set()?;
/// ready.wait()?; // at once, here and in every other process
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Event {
    line: Line,
    reset: Reset,
    habit: Habit,
}

impl Event {
    /// Sets the event: lets all go on who wait, or one if it is reset automatically. What is set
    /// already stays so.
    ///
    /// # Errors
    ///
    /// `Closed` if the object was removed, `Forked`, `RoleLost`.
    pub fn set(&self) -> Result<()> {
        self.membership().check()?;
        if self.word().set() { Ok(()) } else { Err(self.membership().object().closed()) }
    }

    /// Resets the event: who waits from now on waits until it is set again.
    ///
    /// # Errors
    ///
    /// `Forked`, `RoleLost`.
    pub fn reset(&self) -> Result<()> {
        self.membership().check()?;
        self.word().reset();
        Ok(())
    }

    /// Whether it is set at this moment.
    pub fn is_set(&self) -> bool {
        self.word().is_set()
    }

    /// Waits until the event is set. One that is reset automatically is taken by that.
    ///
    /// # Errors
    ///
    /// `Closed` if the object was removed, `Forked`, `RoleLost`.
    pub fn wait(&self) -> Result<()> {
        self.wait_within(Until::Ever)
    }

    /// Whether the event is set; takes it then, if it is reset automatically.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn try_wait(&self) -> Result<bool> {
        self.membership().check()?;
        match self.word().wait(&mut self.habit.waiter(), Until::Now, || false) {
            Ok(()) => Ok(true),
            Err(EventError::TimedOut) => Ok(false),
            Err(EventError::Closed) => Err(self.membership().object().closed()),
        }
    }

    /// Waits up to `timeout` until the event is set.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and as [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<()> {
        self.wait_within(Until::after(timeout))
    }

    /// Waits until `deadline` on the monotonic clock, or until the event is set.
    ///
    /// # Errors
    ///
    /// As [`wait_timeout`](Self::wait_timeout).
    pub fn wait_until(&self, deadline: Instant) -> Result<()> {
        self.wait_within(Until::Deadline(deadline))
    }

    fn membership(&self) -> &Membership {
        self.line.membership()
    }

    fn word(&self) -> EventWord<'_> {
        EventWord::new(&self.line.fixed()[0], self.reset)
    }

    fn wait_within(&self, until: Until) -> Result<()> {
        let membership = self.membership();
        membership.check()?;
        let _waiting = membership.waiting(self.line.place());
        let mut waiter = self.habit.waiter();
        let answer = self.word().wait(&mut waiter, until, || membership.is_gone());
        self.habit.keep(&waiter);
        answer.map_err(|miss| match miss {
            EventError::Closed => membership.object().closed(),
            EventError::TimedOut => membership.timed_out("wait for"),
        })
    }
}

#[allow(private_interfaces, reason = "nobody else makes primitives")]
impl Parts for Event {
    type Initial = Reset;
    const KIND: Kind = Kind::Event;

    fn plan(planner: &mut Planner, initial: Option<&Reset>) {
        let line = planner.line("event");
        if let Some(reset) = initial {
            planner.write(line + 8, &(*reset as u64).to_le_bytes());
        }
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        let line = builder.line()?;
        // ORDERING: Relaxed; written before the object had its name.
        let number = line.fixed()[1].load(Ordering::Relaxed);
        let reset = Reset::of_number(number).ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, format!("an event cannot be of kind {number}"))
        })?;
        Ok(Self { line, reset, habit: Habit::default() })
    }

    fn check(&self, asked: &Reset) -> Result<()> {
        same_option("the event's reset", Some(*asked), self.reset, |it| it.as_str().into())
    }
}

#[cfg(all(test, loom))]
mod models;
