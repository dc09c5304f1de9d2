//! Which cases are measured, in which order, and for how long.
//!
//! ```text
//! round 1: 8 B: pipe, fifo, ..., 64 B: pipe, fifo, ...
//! round 2: the same
//! ```

use std::time::Duration;

use clap::builder::RangedU64ValueParser;

use super::children::Children;
use super::machine::Machine;
use super::mechanism::{Cannot, Mechanism};
use super::pair::{Case, measure};
use super::progress::Progress;
use super::results::{Cell, Row};
use super::sizes::SIZES;
use super::wait::Wait;
use crate::exit::Failure;
use crate::{format, units};

/// The most rounds.
const MAX_ROUNDS: u64 = 1000;
/// The shortest time for round trips, and again for messages one way.
const MIN_DURING: Duration = Duration::from_millis(1);
/// About how long two processes take to start, to get ready, and to end.
const STARTING: Duration = Duration::from_millis(8);

/// Parses a size that can be measured.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let bytes = units::bytes(text)?;
    let size = SIZES.into_iter().find(|size| *size as u64 == bytes);
    size.ok_or_else(|| {
        let sizes = SIZES.map(|size| format::bytes(size as u64)).join(", ");
        format!("the sizes are {sizes}")
    })
}

/// Parses a number of seconds.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|it| Duration::try_from_secs_f64(it).ok());
    let seconds = seconds.filter(|it| !it.is_zero());
    seconds.ok_or_else(|| "expected a number of seconds, such as 10 or 0.5".into())
}

/// Parses a number of rounds.
pub(super) fn rounds() -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(1..=MAX_ROUNDS)
}

/// What is measured.
pub(super) struct Plan {
    mechanisms: Vec<Mechanism>,
    sizes: Vec<usize>,
    rounds: u32,
    during: Duration,
}

impl Plan {
    /// Chooses mechanisms by the words of their names.
    pub(super) fn new(
        all: Vec<Mechanism>,
        only: &[String],
        sizes: &[usize],
        (rounds, time): (u32, Duration),
        machine: &Machine,
    ) -> anyhow::Result<Self> {
        for word in only {
            if !all.iter().any(|it| has_word(it.name, word)) {
                let names: Vec<_> = all.iter().map(|it| it.name).collect();
                let names = names.join(", ");
                let message = format!("no mechanism has the word \"{word}\": there are {names}");
                return Err(Failure::Usage(message).into());
            }
        }
        let is_chosen =
            |it: &Mechanism| only.is_empty() || only.iter().any(|word| has_word(it.name, word));
        let mechanisms: Vec<_> = all.into_iter().filter(is_chosen).collect();
        let mut sizes = sizes.to_vec();
        sizes.sort_unstable();
        sizes.dedup();
        let rows: usize = mechanisms.iter().map(|it| waits(it, machine).count()).sum();
        // Round trips, then messages one way.
        let parts = 2 * rounds * (rows * sizes.len()) as u32;
        let during = (time / parts.max(1)).max(MIN_DURING);
        Ok(Self { mechanisms, sizes, rounds, during })
    }

    /// Returns the time of round trips, and again of messages one way, for each case in each round.
    pub(super) fn during(&self) -> Duration {
        self.during
    }

    /// Measures each case in each round.
    pub(super) fn measure(
        &self,
        children: &Children,
        machine: &Machine,
    ) -> anyhow::Result<Vec<Row>> {
        let mut rows = self.rows(machine);
        let cases = rows.len() * self.sizes.len();
        let mut progress = Progress::new(self.rounds, cases, 2 * self.during + STARTING);
        for round in 0..self.rounds {
            progress.begin_round(round);
            for at in 0..self.sizes.len() {
                for Row { mechanism, wait, cells } in &mut rows {
                    let case = Case { mechanism: *mechanism, wait: *wait, size: self.sizes[at] };
                    progress.begin(round, &case);
                    if cells[at].cannot.is_none() {
                        let measured = measure(children, &case, self.during, machine.processors);
                        cells[at].add(measured?)?;
                    }
                }
            }
        }
        Ok(rows)
    }

    fn rows(&self, machine: &Machine) -> Vec<Row> {
        let rows = self.mechanisms.iter().flat_map(|mechanism| {
            mechanism.ways_to_wait().iter().map(|wait| {
                let mut cells: Vec<_> = self.sizes.iter().map(|size| Cell::new(*size)).collect();
                if !can_wait(*wait, machine) {
                    let why = "on one processor no side spins";
                    cells.iter_mut().for_each(|it| it.cannot = Some(Cannot(why.into())));
                }
                Row { mechanism: *mechanism, wait: *wait, cells }
            })
        });
        rows.collect()
    }
}

fn has_word(name: &str, word: &str) -> bool {
    name == word || name.split('-').any(|it| it == word)
}

fn can_wait(wait: Wait, machine: &Machine) -> bool {
    wait == Wait::Asleep || machine.has_two_processors()
}

fn waits<'a>(mechanism: &'a Mechanism, machine: &'a Machine) -> impl Iterator<Item = &'a Wait> {
    mechanism.ways_to_wait().iter().filter(|wait| can_wait(**wait, machine))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mechanisms_are_chosen_by_the_words_of_their_names() {
        assert!(has_word("unix-stream", "unix") && has_word("unix-stream", "unix-stream"));
        assert!(has_word("pipe", "pipe") && has_word("shmkit-pipe", "pipe"));
        assert!(!has_word("pipe", "pip") && !has_word("pipe", ""));
    }

    #[test]
    fn sizes_and_times_that_cannot_be_measured_are_refused() {
        assert_eq!((size("8"), size("4K"), size("1MiB")), (Ok(8), Ok(4096), Ok(1 << 20)));
        assert!(size("7").unwrap_err().contains("the sizes are 8 B, 64 B"));
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert!(["0", "-1", "x", "inf", "NaN"].iter().all(|it| seconds(it).is_err()));
    }
}
