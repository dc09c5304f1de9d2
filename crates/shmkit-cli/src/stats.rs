//! Rates and counts of messages on standard error.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use shmkit::ErrorKind;

use crate::format;
use crate::timeout_args::TimeLimit;

/// Whether to print rates and counts.
#[derive(Debug, clap::Args)]
pub(crate) struct StatsArgs {
    /// Print the rate each second, and the count at the end, on standard error
    #[arg(long)]
    stats: bool,
}

impl StatsArgs {
    pub(crate) fn begin(&self) -> Stats {
        let now = Instant::now();
        let none = Counts::default();
        Stats { is_on: self.stats, begun: now, printed: now, now: none, then: none }
    }
}

/// Messages, and their bytes.
#[derive(Clone, Copy, Default)]
struct Counts {
    messages: u64,
    bytes: u64,
}

/// Counts messages, and prints lines.
pub(crate) struct Stats {
    is_on: bool,
    begun: Instant,
    printed: Instant,
    now: Counts,
    /// What was counted when the last line was printed.
    then: Counts,
}

/// How often a line is printed.
const EVERY: Duration = Duration::from_secs(1);

impl Stats {
    /// Counts a message.
    pub(crate) fn count(&mut self, bytes: usize) {
        self.now.messages += 1;
        self.now.bytes += bytes as u64;
    }

    /// Returns how many messages were counted.
    pub(crate) fn messages(&self) -> u64 {
        self.now.messages
    }

    /// Waits up to the limit, with `wait`. None if it was time for a line, which says `more`, too.
    pub(crate) fn wait<T>(
        &mut self,
        limit: TimeLimit,
        more: impl FnOnce() -> String,
        wait: impl FnOnce(Option<Duration>) -> shmkit::Result<T>,
    ) -> shmkit::Result<Option<T>> {
        let next = self.is_on.then(|| EVERY.saturating_sub(self.printed.elapsed()));
        let left = limit.left();
        match wait(left.into_iter().chain(next).min()) {
            Err(error)
                if error.kind() == ErrorKind::TimedOut && limit.left() != Some(Duration::ZERO) =>
            {
                self.tick(more);
                Ok(None)
            }
            answer => answer.map(Some),
        }
    }

    /// Prints a line if it is time. `more` is what else it says.
    pub(crate) fn tick(&mut self, more: impl FnOnce() -> String) {
        if !self.is_on || self.printed.elapsed() < EVERY {
            return;
        }
        let rates = self.rates(self.then, self.printed.elapsed());
        print(format_args!("{rates}; {} so far{}", format::count(self.now.messages), more()));
        (self.printed, self.then) = (Instant::now(), self.now);
    }

    /// Prints what there was together.
    pub(crate) fn end(&self, more: impl FnOnce() -> String) {
        if !self.is_on {
            return;
        }
        let passed = self.begun.elapsed();
        let Counts { messages, bytes } = self.now;
        let (messages, bytes) = (format::count(messages), format::bytes(bytes));
        let (passed, rates) = (format::duration(passed), self.rates(Counts::default(), passed));
        print(format_args!("{messages} messages, {bytes} in {passed}: {rates}{}", more()));
    }

    fn rates(&self, since: Counts, passed: Duration) -> String {
        let seconds = passed.as_secs_f64().max(1e-9);
        let messages = (self.now.messages - since.messages) as f64 / seconds;
        let bytes = (self.now.bytes - since.bytes) as f64 / seconds;
        format!("{}, {}/s", format::rate(messages), format::bytes(bytes as u64))
    }
}

/// Prints a line. A closed standard error is not a failure.
fn print(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
