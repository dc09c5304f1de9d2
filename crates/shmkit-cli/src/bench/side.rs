//! One side of a mechanism, and what both sides do with it, the same for each mechanism.
//!
//! ```text
//!            first side                  second side
//! round trip ask:  send, receive  <───>  echo: receive, send
//! one way    pour: send           ────>  take: receive
//!                  receive        <────        send, after the last message
//! ```
//!
//! The sender writes each word of a message, and the receiver reads each word.

use std::time::{Duration, Instant};

use anyhow::bail;
use hdrhistogram::Histogram;

use super::payload::LAST;
use crate::sys;

/// How a process sends messages to the other one, and receives messages from it.
pub(super) trait Side {
    /// Fills a message with this number, and sends it.
    fn send(&mut self, number: u64) -> anyhow::Result<()>;

    /// Waits for the next message, reads all of it, and returns its number; none if it is not
    /// whole.
    fn receive(&mut self) -> anyhow::Result<Option<u64>>;
}

/// The longest round trip that is told apart.
const MAX_NS: u64 = 100_000_000_000;
/// The significant digits of a round trip.
const DIGITS: u8 = 3;
/// How many messages are sent between two looks at the clock.
const MESSAGES_PER_LOOK: u64 = 16;
/// The part of the time at the beginning whose round trips do not count.
const WARM_UP: u32 = 10;

/// Returns a histogram of nanoseconds, without values.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MAX_NS, DIGITS).expect("the bounds are valid")
}

/// The round trips of the first side.
pub(super) struct Asked {
    pub(super) ns: Histogram<u64>,
    /// The processor time of this process, as a share of the time that passed.
    pub(super) busy: f64,
}

/// Counts the processor time of this process.
pub(super) struct Busy {
    since: Instant,
    before: Duration,
}

impl Busy {
    pub(super) fn begin() -> Self {
        Self { since: Instant::now(), before: sys::processor_time() }
    }

    /// Returns the share of the time that has passed.
    pub(super) fn share(&self) -> f64 {
        let busy = sys::processor_time().saturating_sub(self.before);
        busy.as_secs_f64() / self.since.elapsed().as_secs_f64().max(1e-9)
    }
}

/// Sends messages, and waits for the answer to each.
pub(super) fn ask(side: &mut impl Side, during: Duration) -> anyhow::Result<Asked> {
    let (mut ns, mut number) = (histogram(), 0);
    let (busy, start) = (Busy::begin(), Instant::now());
    let (counts_from, end) = (start + during / WARM_UP, start + during);
    let mut sent_at = start;
    loop {
        number += 1;
        let last = if sent_at >= end { LAST } else { 0 };
        side.send(number | last)?;
        expect(receive(side)?, number | last)?;
        // One look at the clock ends a round trip, and begins the next one.
        let answered_at = Instant::now();
        if sent_at >= counts_from {
            ns.saturating_record((answered_at - sent_at).as_nanos() as u64);
        }
        if last != 0 {
            return Ok(Asked { ns, busy: busy.share() });
        }
        sent_at = answered_at;
    }
}

/// Answers each message. Returns the share of the time for which this process was busy.
pub(super) fn echo(side: &mut impl Side) -> anyhow::Result<f64> {
    let (busy, mut expected) = (Busy::begin(), 0);
    loop {
        let number = receive(side)?;
        expected += 1;
        expect(number & !LAST, expected)?;
        side.send(number)?;
        if number & LAST != 0 {
            return Ok(busy.share());
        }
    }
}

/// Sends messages as fast as it can, and waits until the other side has received the last one.
pub(super) fn pour(side: &mut impl Side, during: Duration) -> anyhow::Result<()> {
    let (start, mut number) = (Instant::now(), 0);
    while start.elapsed() < during {
        for _ in 0..MESSAGES_PER_LOOK {
            number += 1;
            side.send(number)?;
        }
    }
    side.send((number + 1) | LAST)?;
    expect(receive(side)?, LAST)
}

/// The messages of the second side.
pub(super) struct Taken {
    /// Without the first one, at which the clock started.
    pub(super) messages: u64,
    pub(super) elapsed: Duration,
}

/// Receives messages as fast as it can.
pub(super) fn take(side: &mut impl Side, keeps_all: bool) -> anyhow::Result<Taken> {
    let mut previous = receive(side)?;
    let (start, mut messages) = (Instant::now(), 0);
    while previous & LAST == 0 {
        let number = receive(side)?;
        let next = number & !LAST;
        if next <= previous || (keeps_all && next != previous + 1) {
            bail!("message {next} came after message {previous}");
        }
        (previous, messages) = (number, messages + 1);
    }
    let elapsed = start.elapsed();
    side.send(LAST)?;
    Ok(Taken { messages, elapsed })
}

fn receive(side: &mut impl Side) -> anyhow::Result<u64> {
    match side.receive()? {
        Some(number) => Ok(number),
        None => bail!("a message arrived that is not the one that was sent"),
    }
}

fn expect(number: u64, expected: u64) -> anyhow::Result<()> {
    if number == expected {
        return Ok(());
    }
    bail!("message {} arrived instead of message {}", number & !LAST, expected & !LAST)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;

    use super::*;

    /// A side in this process, which can lose, repeat or spoil messages on their way.
    struct Channel {
        to: Sender<u64>,
        from: Receiver<u64>,
        /// What becomes of the message with a number.
        passes: fn(u64) -> VecDeque<u64>,
    }

    const SPOILED: u64 = u64::MAX;

    impl Side for Channel {
        fn send(&mut self, number: u64) -> anyhow::Result<()> {
            for number in (self.passes)(number) {
                self.to.send(number)?;
            }
            Ok(())
        }

        fn receive(&mut self) -> anyhow::Result<Option<u64>> {
            Ok(Some(self.from.recv()?).filter(|number| *number != SPOILED))
        }
    }

    fn pair(passes: fn(u64) -> VecDeque<u64>) -> [Channel; 2] {
        let ((to_first, first), (to_second, second)) = (channel(), channel());
        let first = Channel { to: to_second, from: first, passes };
        [first, Channel { to: to_first, from: second, passes: |number| [number].into() }]
    }

    const DURING: Duration = Duration::from_millis(2);

    #[test]
    fn both_sides_count_the_same_messages() {
        let [mut first, mut second] = pair(|number| [number].into());
        let other = thread::spawn(move || {
            echo(&mut second).unwrap();
            take(&mut second, true).unwrap()
        });
        let asked = ask(&mut first, DURING).unwrap();
        pour(&mut first, DURING).unwrap();
        let taken = other.join().unwrap();
        assert!(!asked.ns.is_empty() && taken.messages > 0);
        assert!(!taken.elapsed.is_zero());
    }

    /// Returns the error of the receiver, one way.
    fn error_of(passes: fn(u64) -> VecDeque<u64>, keeps_all: bool) -> Option<String> {
        let [mut first, mut second] = pair(passes);
        let other = thread::spawn(move || take(&mut second, keeps_all));
        // It fails if the receiver has left.
        let _ = pour(&mut first, DURING);
        other.join().unwrap().err().map(|error| error.to_string())
    }

    #[test]
    fn messages_that_are_lost_repeated_or_spoiled_are_an_error() {
        let lost = |number| if number == 5 { [].into() } else { [number].into() };
        let after = |error: Option<String>| error.unwrap();
        assert_eq!(after(error_of(lost, true)), "message 6 came after message 4");
        assert_eq!(error_of(lost, false), None);
        let repeated = |number| if number == 5 { [4, 5].into() } else { [number].into() };
        assert_eq!(after(error_of(repeated, false)), "message 4 came after message 4");
        let spoiled = |number| if number == 5 { [SPOILED].into() } else { [number].into() };
        assert!(after(error_of(spoiled, true)).contains("not the one that was sent"));
    }

    #[test]
    fn another_answer_is_an_error() {
        let [mut first, mut second] = pair(|number| [number].into());
        let other = thread::spawn(move || {
            receive(&mut second).unwrap();
            second.send(7)
        });
        let error = ask(&mut first, DURING).err().unwrap().to_string();
        assert_eq!(error, "message 7 arrived instead of message 1");
        other.join().unwrap().unwrap();
    }
}
