//! An event: a flag that threads wait for.

use std::time::{Duration, Instant};

use super::raw::event::{EventError, EventWord, at_first};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::Ordering;
use crate::object::{
    Builder, Kind, KindFlags, Line, Membership, Options, Part, PartState, Payload, Planner,
    Primitive, Value, WORDS, Watched, check_option,
};
use crate::wait::{Until, WaitLoop};

pub use super::raw::event::Reset;

/// An event: a flag that one process sets and others wait for.
///
/// A new event is not set, unless [`Options::initially_set`] says so.
///
/// # If a process dies
///
/// A process that dies while it waits took nothing: an automatic event that it had not taken goes
/// to another waiter. An event that a process set before its death stays set.
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
    wait_loop: WaitLoop,
}

impl Event {
    /// Sets the event: all waiters go on, or one if the reset is automatic. An event that is set
    /// already stays set.
    ///
    /// # Errors
    ///
    /// `Forked`, `RoleLost`; `Closed` if the object was removed.
    pub fn set(&self) -> Result<()> {
        self.membership().check_live()?;
        if self.word().set() { Ok(()) } else { Err(self.membership().object().closed()) }
    }

    /// Resets the event: threads wait from now on until it is set again.
    ///
    /// # Errors
    ///
    /// `Forked`, `RoleLost`.
    pub fn reset(&self) -> Result<()> {
        self.membership().check_live()?;
        self.word().reset();
        Ok(())
    }

    /// Returns whether it is set at this moment.
    pub fn is_set(&self) -> bool {
        self.word().is_set()
    }

    /// Waits until the event is set. Takes it if the reset is automatic.
    ///
    /// # Errors
    ///
    /// `Forked`, `RoleLost`; `Closed` if the object was removed.
    pub fn wait(&self) -> Result<()> {
        self.wait_within(Until::Ever)
    }

    /// Returns whether the event is set. Takes it if the reset is automatic.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait).
    pub fn try_wait(&self) -> Result<bool> {
        match self.wait_within(Until::Now) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Waits up to `timeout` until the event is set.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and those of [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<()> {
        self.wait_within(Until::after(timeout))
    }

    /// Waits until `deadline` on the monotonic clock, or until the event is set.
    ///
    /// # Errors
    ///
    /// Those of [`wait_timeout`](Self::wait_timeout).
    pub fn wait_until(&self, deadline: Instant) -> Result<()> {
        self.wait_within(Until::Deadline(deadline))
    }

    fn membership(&self) -> &Membership {
        self.line.membership()
    }

    fn word(&self) -> EventWord<'_> {
        EventWord::new(&self.line.fixed()[0], self.reset)
    }

    /// What a source needs.
    pub(super) fn watched(&self) -> (Watched, u64, Reset) {
        (self.membership().watched(), self.line.place(), self.reset)
    }

    fn wait_within(&self, until: Until) -> Result<()> {
        let membership = self.membership();
        membership.check_live()?;
        let _recorded = membership.record_wait(self.line.place(), until);
        let word = self.word();
        let waited = word.wait(word.look(), &self.wait_loop, until, membership);
        waited.map_err(|error| match error {
            EventError::Closed => membership.object().closed(),
            EventError::TimedOut => membership.timed_out("wait for"),
            EventError::Stopped(stop) => membership.stopped(stop, "wait for"),
        })
    }
}

/// The flag of an object that is an event which was created set.
const FLAG_BEGAN_SET: u32 = 1 << 16;

impl Options<Event> {
    /// Sets whether a new event is set from the start. Default: false.
    ///
    /// No process finds it in another state before. The events of a group begin not set.
    pub fn initially_set(mut self, is_set: bool) -> Self {
        self.choices.kind_flags.choose(FLAG_BEGAN_SET, is_set);
        self
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Payload for Event {
    type Initial = Reset;

    const KIND: Kind = Kind::Event;
    const ZEROS_ARE_INITIAL: bool = true;

    #[allow(unsafe_code, reason = "it writes to the place that it is given")]
    unsafe fn complete_zeros(zeros: *mut Reset) {
        // SAFETY: the caller's promise.
        unsafe { zeros.write(Reset::Manual) };
    }

    fn plan(planner: &mut Planner<'_>, initial: Option<&Reset>) {
        let line = planner.line("event");
        planner.word("reset", line + 8, WORDS);
        if let Some(reset) = initial {
            let is_set = planner.flags() & FLAG_BEGAN_SET != 0;
            planner.write_at(line, &at_first(is_set).to_le_bytes());
            planner.write_at(line + 8, &(*reset as u64).to_le_bytes());
        }
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        let line = builder.line()?;
        // ORDERING: Relaxed; written before the object could be opened.
        let number = line.fixed()[1].load(Ordering::Relaxed);
        let reset = Reset::from_number(number).ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, format!("the reset of an event cannot be {number}"))
        })?;
        Ok(Self { line, reset, wait_loop: builder.wait_loop() })
    }

    fn check_begun_with(&self, asked: &Reset) -> Result<()> {
        check_option("the event's reset", Some(*asked), self.reset, |it| it.as_str().into())
    }

    fn check_flags(asked: KindFlags, found: u32) -> Result<()> {
        asked.check("initially set", FLAG_BEGAN_SET, found)
    }

    fn describe(part: &Part<'_>) -> Result<PartState> {
        let line = part.line::<2>()?;
        // ORDERING: Relaxed; written before the object could be opened.
        let reset = Reset::from_number(line[1].load(Ordering::Relaxed));
        let set = EventWord::new(&line[0], reset.unwrap_or(Reset::Manual)).is_set();
        let (text, name) = (if set { "set" } else { "not set" }, reset.map(Reset::as_str));
        Ok(PartState {
            text: format!("{text}, {} reset", name.unwrap_or("unknown")),
            fields: vec![("set", set.into()), ("reset", Value::Word(name))],
            is_sound: reset.is_some(),
            ..PartState::primitive()
        })
    }
}

impl Primitive for Event {}
