//! The results of the demonstration: as text, as JSON, and which promises were broken.

use std::time::Duration;

use anyhow::bail;
use serde_json::{Value as Json, json};

use super::values::BLOCK_WORDS;
use crate::format::{bytes, count, duration, rate};
use crate::{output, sys};

/// A reader that waits for 100 values per second uses less than this share of a core.
const MAX_READER_PERCENT: f64 = 2.0;
/// In a shorter time the start of the reader counts for too much.
const MIN_JUDGED: Duration = Duration::from_secs(1);
/// The reader gets the death notice within this time.
const MAX_TOLD_MS: f64 = 100.0;
const IN_TIME: &str = "a death is reported within 100 ms";

/// The results of a writer and a reader.
pub(super) struct Sharing {
    written: u64,
    seconds: f64,
    seen: u64,
    missed: u64,
    torn: u64,
    delay_us: [f64; 3],
    reader_cpu_percent: f64,
}

impl Sharing {
    pub(super) fn from_reports(written: &Json, seen: &Json) -> Option<Self> {
        let delay = |which| seen["delay_us"][which].as_f64();
        Some(Self {
            written: written["written"].as_u64()?,
            seconds: written["seconds"].as_f64()?,
            seen: seen["seen"].as_u64()?,
            missed: seen["missed"].as_u64()?,
            torn: seen["torn"].as_u64()?,
            delay_us: [delay("p50")?, delay("p99")?, delay("max")?],
            reader_cpu_percent: seen["reader_cpu_percent"].as_f64()?,
        })
    }

    pub(super) fn text(&self) -> String {
        let Self { written, seen, missed, torn, reader_cpu_percent, .. } = *self;
        let [p50, p99, max] = self.delay_us.map(|us| duration(Duration::from_secs_f64(us / 1e6)));
        let per_second = rate(written as f64 / self.seconds);
        let (written, seen, missed) = (count(written), count(seen), count(missed));
        format!(
            "  written  {written} ({per_second})
  read     {seen}, missed {missed}, torn {torn}
  delay    median {p50}, 99 % within {p99}, maximum {max}, from write to read
  reader   used {reader_cpu_percent:.1} % of a core
"
        )
    }

    fn json(&self) -> Json {
        let [p50, p99, max] = self.delay_us;
        json!({
            "written": self.written,
            "seen": self.seen,
            "missed": self.missed,
            "torn": self.torn,
            "delay_us": { "p50": p50, "p99": p99, "max": max },
            "reader_cpu_percent": self.reader_cpu_percent,
        })
    }
}

/// The results of killing a writer half-way through a write.
pub(super) struct AfterKill {
    /// The number of tries. This is the best of them.
    pub(super) tries: u32,
    pub(super) killed_pid: u32,
    pub(super) new_pid: u32,
    /// The number of the half-written value.
    pub(super) half_written: u64,
    /// From the kill to the death notice.
    pub(super) told_ms: f64,
    /// The death notice.
    pub(super) message: String,
    /// The number of the newest value after the death.
    pub(super) last: u64,
    pub(super) last_value_whole: bool,
    /// The number of the first value of the new writer.
    pub(super) next: u64,
}

impl AfterKill {
    /// Returns whether the first value of the new writer follows the last whole one.
    fn resumed(&self) -> bool {
        self.next == self.last + 1
    }

    /// Returns whether to show this try and not the other. A broken promise must not be hidden, so
    /// only a try that is merely late gives way to an earlier death notice.
    pub(super) fn is_better_than(&self, other: &Self) -> bool {
        !self.holds_except_time() || self.told_ms < other.told_ms
    }

    /// Returns whether another try would change nothing.
    pub(super) fn is_settled(&self) -> bool {
        self.told_ms <= MAX_TOLD_MS || !self.holds_except_time()
    }

    /// Returns whether all promises hold, except that of the time.
    fn holds_except_time(&self) -> bool {
        self.promises().iter().all(|(promise, held)| *held || *promise == IN_TIME)
    }

    fn promises(&self) -> [(&'static str, bool); 5] {
        [
            ("a stopped process does not count as dead", self.told_ms >= 0.0),
            (IN_TIME, self.told_ms <= MAX_TOLD_MS),
            ("the last whole value survives the death of the writer", self.last_value_whole),
            (
                "the value before the half-written one is the latest",
                self.half_written == self.last + 1,
            ),
            ("a new writer continues", self.resumed()),
        ]
    }

    pub(super) fn text(&self) -> String {
        let Self { killed_pid, new_pid, message, .. } = self;
        let (half, last, next) = (count(self.half_written), count(self.last), count(self.next));
        let (kill, size) = (sys::KILL, bytes(size_of::<[u64; BLOCK_WORDS]>() as u64));
        let told = if self.told_ms < 0.0 {
            "before the kill".into()
        } else {
            format!("{} after the kill", duration(Duration::from_secs_f64(self.told_ms / 1e3)))
        };
        let tries = match self.tries {
            1 => String::new(),
            many => format!(" (the best of {many} tries)"),
        };
        let whole = if self.last_value_whole { "whole" } else { "torn" };
        let resumed = if self.resumed() { "continued" } else { "did not continue" };
        format!(
            "  killed   process {killed_pid}, by {kill}, while value {half}, of {size}, was \
             half-written
  notice   the reader got it {told}{tries}:
           {message}
  value    {last} is the latest, and {whole}
  resumed  process {new_pid}, a new writer, {resumed} with value {next}
"
        )
    }

    fn json(&self) -> Json {
        json!({
            "tries": self.tries,
            "told_ms": (self.told_ms * 1e3).round() / 1e3,
            "message": self.message,
            "half_written": self.half_written,
            "last_value": self.last,
            "last_value_whole": self.last_value_whole,
            "resumed": self.resumed(),
        })
    }
}

pub(super) struct Report {
    /// How long each of the first two parts was asked to take.
    pub(super) during: Duration,
    pub(super) paced: Sharing,
    pub(super) flat_out: Sharing,
    pub(super) after_kill: AfterKill,
}

impl Report {
    pub(super) fn json(&self) -> Json {
        json!({
            "paced": self.paced.json(),
            "flat_out": self.flat_out.json(),
            "after_kill": self.after_kill.json(),
            "broken": self.broken(),
        })
    }

    /// Returns an error if a promise was broken.
    pub(super) fn verdict(&self) -> anyhow::Result<()> {
        let broken = self.broken();
        for promise in &broken {
            output::note(format_args!("broken promise: {promise}"));
        }
        match broken.len() {
            0 => Ok(()),
            1 => bail!("1 promise was broken"),
            many => bail!("{many} promises were broken"),
        }
    }

    /// Returns the broken promises.
    fn broken(&self) -> Vec<&'static str> {
        let Self { during, paced, flat_out, after_kill } = self;
        let all_counted = |it: &Sharing| it.written > 0 && it.seen + it.missed == it.written;
        let promises = [
            ("no value is torn", paced.torn == 0 && flat_out.torn == 0),
            (
                "every value is read or counted as missed",
                all_counted(paced) && all_counted(flat_out),
            ),
            ("at 10 ms every value is read", paced.missed == 0),
            (
                "a waiting reader sleeps",
                paced.reader_cpu_percent < MAX_READER_PERCENT || *during < MIN_JUDGED,
            ),
        ];
        let promises = promises.into_iter().chain(after_kill.promises());
        promises.filter(|(_, held)| !held).map(|(promise, _)| promise).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_held() -> Report {
        let sharing = || Sharing {
            written: 200,
            seconds: 2.0,
            seen: 200,
            missed: 0,
            torn: 0,
            delay_us: [50.0, 90.0, 1234.0],
            reader_cpu_percent: 0.3,
        };
        let after_kill = AfterKill {
            tries: 1,
            killed_pid: 1,
            new_pid: 2,
            half_written: 8,
            told_ms: 0.5,
            message: "died".into(),
            last: 7,
            last_value_whole: true,
            next: 8,
        };
        let during = MIN_JUDGED;
        Report { during, paced: sharing(), flat_out: sharing(), after_kill }
    }

    #[test]
    fn a_broken_promise_is_an_error_by_name() {
        assert!(all_held().verdict().is_ok());
        type Spoil = fn(&mut Report);
        let breaks: [(Spoil, &str); 8] = [
            (|it| it.flat_out.torn = 1, "no value is torn"),
            (|it| it.flat_out.seen -= 1, "every value is read or counted as missed"),
            (|it| it.paced.reader_cpu_percent = 2.0, "a waiting reader sleeps"),
            (|it| it.after_kill.told_ms = -1.0, "a stopped process does not count as dead"),
            (|it| it.after_kill.told_ms = 101.0, "a death is reported within 100 ms"),
            (
                |it| it.after_kill.last_value_whole = false,
                "the last whole value survives the death of the writer",
            ),
            (
                |it| it.after_kill.half_written = 9,
                "the value before the half-written one is the latest",
            ),
            (|it| it.after_kill.next = 9, "a new writer continues"),
        ];
        for (spoil, name) in breaks {
            let mut report = all_held();
            spoil(&mut report);
            assert_eq!(report.broken(), [name]);
            assert!(report.verdict().is_err());
        }
        let mut report = all_held();
        (report.paced.seen, report.paced.missed) = (199, 1);
        assert_eq!(report.broken(), ["at 10 ms every value is read"]);
    }

    #[test]
    fn processor_time_is_not_judged_after_a_short_run() {
        let mut report = all_held();
        report.paced.reader_cpu_percent = 50.0;
        assert_eq!(report.broken(), ["a waiting reader sleeps"]);
        report.during = MIN_JUDGED - Duration::from_millis(1);
        assert!(report.broken().is_empty());
    }

    #[test]
    fn only_a_late_death_notice_is_tried_again_and_the_best_try_counts() {
        let try_of = |told_ms| AfterKill { told_ms, ..all_held().after_kill };
        assert!(try_of(100.0).is_settled() && !try_of(101.0).is_settled());
        assert!(try_of(150.0).is_better_than(&try_of(200.0)));
        assert!(!try_of(200.0).is_better_than(&try_of(150.0)));
        let torn = AfterKill { last_value_whole: false, ..try_of(200.0) };
        assert!(torn.is_settled() && torn.is_better_than(&try_of(150.0)), "no other try hides it");
        let again = AfterKill { tries: 2, ..try_of(150.0) };
        assert!(again.text().contains("150 ms after the kill (the best of 2 tries)"));
        assert!(!try_of(150.0).text().contains("tries"));
    }
}
