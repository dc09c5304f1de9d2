//! What is measured at the moment, on standard error.

use std::io::{IsTerminal, Write, stderr};
use std::time::Duration;

use super::pair::Case;
use crate::format;
use crate::output;

/// One line, which is rewritten on a terminal. Elsewhere a line for each round.
pub(super) struct Progress {
    is_terminal: bool,
    rounds: u32,
    cases: usize,
    done: usize,
    /// About how long a case takes.
    case_time: Duration,
}

impl Progress {
    pub(super) fn new(rounds: u32, cases: usize, case_time: Duration) -> Self {
        Self { is_terminal: stderr().is_terminal(), rounds, cases, done: 0, case_time }
    }

    fn left(&self) -> Duration {
        let all = self.cases as u32 * self.rounds;
        self.case_time * all.saturating_sub(self.done as u32)
    }

    pub(super) fn begin_round(&self, round: u32) {
        if !self.is_terminal {
            let (rounds, left) = (self.rounds, format::duration(self.left()));
            output::note(format_args!("round {} of {rounds}, about {left} left", round + 1));
        }
    }

    pub(super) fn begin(&mut self, round: u32, case: &Case) {
        if self.is_terminal {
            let (rounds, left) = (self.rounds, self.left().as_secs());
            let (name, wait) = (case.mechanism.name, case.wait.as_str());
            let size = format::bytes(case.size as u64);
            let line =
                format!("round {} of {rounds}, {left} s left: {name}, {wait}, {size}", round + 1);
            let _ = write!(stderr().lock(), "\rshm: {line}\x1b[K");
        }
        self.done += 1;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_terminal {
            let _ = write!(stderr().lock(), "\r\x1b[K");
        }
    }
}
