//! A counter that can be waited for: what one more kind of object takes. For tests.

use std::time::Duration;

use crate::error::Result;
use crate::memory::atomic::Ordering;
use crate::object::{Builder, Kind, Line, Part, PartState, Payload, Planner, Primitive};
use crate::participant::Liveness;
use crate::wait::{
    ASLEEP, CLOSED, Checked, Extent, Poll, SleepTicket, Until, WaitLoop, WaitWord, Wake,
};

const ONE: u64 = 1 << 2;

/// A counter: it grows, and threads wait until it has a value.
#[derive(Debug)]
pub struct Counter {
    line: Line,
    wait_loop: WaitLoop,
}

impl Counter {
    /// Adds 1, and returns the new count.
    pub fn add(&self) -> Result<u64> {
        self.line.membership().check_live()?;
        let word = WaitWord::new(&self.line.fixed()[0]);
        // ORDERING: Relaxed; the exchange decides.
        let mut seen = word.load(Ordering::Relaxed);
        while seen & CLOSED == 0 {
            let more = (seen & !ASLEEP).wrapping_add(ONE);
            // ORDERING: AcqRel; pairs with the Acquire in `wait_for`.
            match word.change(seen, more, Ordering::AcqRel, Wake::All) {
                Ok(()) => return Ok(more / ONE),
                Err(found) => seen = found,
            }
        }
        Err(self.line.membership().object().closed())
    }

    /// Waits up to `timeout` until the count is at least `count`.
    pub fn wait_for(&self, count: u64, timeout: Duration) -> Result<()> {
        let (membership, until) = (self.line.membership(), Until::after(timeout));
        membership.check_live()?;
        let word = WaitWord::new(&self.line.fixed()[0]);
        let _recorded = membership.record_wait(self.line.place(), until);
        let closed = || membership.object().closed();
        // ORDERING: Acquire; pairs with the change in `add`.
        let poll = |_: &_| match word.load(Ordering::Acquire) {
            seen if seen / ONE >= count => Poll::Ready(Ok(())),
            seen if seen & CLOSED != 0 => Poll::Ready(Err(closed())),
            seen => Poll::Pending(SleepTicket::new(word, seen)),
        };
        let check =
            |_: Extent<'_>| membership.object_is_removed().then(|| Checked::Removed(Err(closed())));
        let waited = self.wait_loop.wait(membership.notices(), until, poll, check);
        let timed_out = || Err(membership.timed_out("wait for"));
        waited.result(timed_out, |stop| Err(membership.stopped(stop, "wait for")))
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Payload for Counter {
    type Initial = u64;

    const KIND: Kind = Kind::Counter;
    const ZEROS_ARE_INITIAL: bool = true;

    fn plan(planner: &mut Planner<'_>, initial: Option<&u64>) {
        let line = planner.line("count");
        planner.write_at(line, &(initial.unwrap_or(&0) * ONE).to_le_bytes());
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        Ok(Self { line: builder.line()?, wait_loop: builder.wait_loop() })
    }

    fn describe(part: &Part<'_>) -> Result<PartState> {
        let count = part.line::<1>()?[0].load(Ordering::Relaxed) / ONE;
        let (text, fields) = (format!("at {count}"), vec![("count", count.into())]);
        Ok(PartState { text, fields, changes: Some(count), ..PartState::primitive() })
    }
}

impl Primitive for Counter {}
