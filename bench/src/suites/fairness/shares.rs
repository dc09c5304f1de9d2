//! Counts what each worker gets, second by second. The peers take turns, a second each: if the
//! machine changes its speed, it changes for all of them.

use std::io;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::harness::mailbox::RUN;
use crate::harness::report::Report;
use crate::harness::samples::{Samples, extremes};
use crate::harness::waits;
use crate::harness::worker::FREE;
use crate::harness::workers::{Harness, PINNED, Workers};
use crate::workloads::contention::LOCK;
use crate::workloads::turns::GIVER;

/// How long a section lasts: a label, and nanoseconds.
pub(super) const SECTIONS: [(&str, usize); 4] =
    [("0 us", 0), ("1 us", 1_000), ("10 us", 10_000), ("100 us", 100_000)];
/// Where workers run: a label, and the processors that they alternate between.
pub(super) const PLACES: [(&str, [usize; 2]); 2] = [("pinned", PINNED), ("free", [FREE; 2])];
/// How many seconds of each peer are counted, each by itself, after a part of one.
const SECONDS: usize = 3;
const WARM_UP: Duration = Duration::from_millis(200);

/// Workers that contend, the same for each peer.
pub(super) struct Contest<'a> {
    /// The first part of the workload's name. The second part is the peer.
    pub(super) task: &'a str,
    pub(super) peers: &'a [&'a str],
    /// Follows the peer in the name of the case.
    pub(super) label: &'a str,
    pub(super) section_ns: usize,
    pub(super) cpus: Vec<usize>,
    /// All workers. If the first group does not begin with the giver, the giver gives turns.
    pub(super) groups: &'a [Group],
}

/// Workers that do the same. Their shares are compared with each other.
pub(super) struct Group {
    /// Begins the names of the group's figures. Empty: the only group.
    pub(super) label: &'static str,
    pub(super) workers: Range<usize>,
    pub(super) what: u64,
}

/// What a peer's workers completed.
struct Tally<'a> {
    case: String,
    workers: Workers<'a>,
    seconds: Vec<Second>,
    /// How long the acquisitions of each group took.
    waits: Vec<Histogram<u64>>,
}

/// What each worker completed within about a second.
struct Second {
    seconds: f64,
    counts: Vec<u64>,
}

impl Contest<'_> {
    /// Counts for some seconds, and prints the figures of each peer.
    pub(super) fn run(&self, harness: &Harness, report: &mut Report) -> io::Result<()> {
        let mut tallies: Vec<_> =
            self.peers.iter().filter_map(|it| self.start(harness, it)).collect();
        for _ in 0..SECONDS {
            tallies.iter_mut().try_for_each(|tally| self.count(tally))?;
        }
        tallies.iter().try_for_each(|tally| self.tell(report, tally))
    }

    fn start<'a>(&self, harness: &'a Harness, peer: &str) -> Option<Tally<'a>> {
        let case = format!("{peer}, {}", self.label);
        if !harness.wants(&case) {
            return None;
        }
        let station = self.peers.iter().position(|it| *it == peer)?;
        let workload = format!("{}/{peer}", self.task);
        let workers = Workers::start(harness, station, &workload, self.section_ns, &self.cpus)?;
        let waits = self.groups.iter().map(|_| waits::histogram()).collect();
        Some(Tally { case, workers, seconds: Vec::new(), waits })
    }

    /// Counts another second.
    fn count(&self, tally: &mut Tally<'_>) -> io::Result<()> {
        let workers = &tally.workers;
        let first = self.groups[0].workers.start;
        let what = |number| {
            let group = self.groups.iter().find(|it| it.workers.contains(&number));
            group.expect("each worker is in a group").what
        };
        let has_giver = first > GIVER;
        let unanswered_before = unanswered(workers, first);
        if has_giver {
            workers.begin(GIVER, RUN, 0);
        }
        let second = workers.during_each(first..workers.len(), what, || {
            thread::sleep(WARM_UP);
            let (started, before) = (Instant::now(), workers.counts());
            thread::sleep(Duration::from_secs(1));
            let (elapsed, after) = (started.elapsed(), workers.counts());
            let counts = after.iter().zip(&before).map(|(after, before)| after - before).collect();
            Second { seconds: elapsed.as_secs_f64(), counts }
        });
        tally.seconds.push(second);
        for (group, waits) in self.groups.iter().zip(&mut tally.waits) {
            let added = waits.add(workers.waits(group.workers.clone())?);
            added.expect("all histograms have the same bounds");
        }
        if has_giver {
            stop_giver(workers, first, unanswered_before);
        }
        Ok(())
    }

    fn tell(&self, report: &mut Report, tally: &Tally<'_>) -> io::Result<()> {
        let Tally { case, workers, seconds, waits } = tally;
        let all = self.groups[0].workers.start..workers.len();
        let each =
            |figure: &dyn Fn(&Second) -> f64| Samples::of(seconds.iter().map(figure).collect());
        report.tell(case, 0, "k/s", &each(&|it| it.throughput(&all)))?;
        for (Group { label, workers, .. }, waits) in self.groups.iter().zip(waits) {
            let prefix = match *label {
                "" => format!("{case}: "),
                label => format!("{case}: {label}, "),
            };
            if !label.is_empty() {
                let throughput = each(&|it| it.throughput(workers));
                report.tell(&format!("{prefix}all"), 0, "k/s", &throughput)?;
                let share = each(&|it| it.average(workers) / it.average(&all) * 100.0);
                report.tell(&format!("{prefix}as a kind"), 0, "% of even", &share)?;
            }
            let least = each(&|it| it.shares(workers).0);
            report.tell(&format!("{prefix}least"), 0, "% of even", &least)?;
            let most = each(&|it| it.shares(workers).1);
            report.tell(&format!("{prefix}most"), 0, "% of even", &most)?;
            report.tell_waits(&prefix, waits)?;
        }
        Ok(())
    }
}

/// Returns how many turns of the giver were not for contending workers.
fn unanswered(workers: &Workers<'_>, first: usize) -> u64 {
    let counts = workers.counts();
    counts[first..].iter().fold(counts[GIVER], |rest, count| rest.wrapping_sub(*count))
}

/// Stops the giver after the others have ended. If it waits for an answer, one of them answers.
fn stop_giver(workers: &Workers<'_>, other: usize, unanswered_before: u64) {
    workers.stop(GIVER);
    workers.begin(other, LOCK, 1);
    workers.wait(GIVER);
    if unanswered(workers, other) == unanswered_before {
        // The giver ended before it gave another turn, and the other waits for one.
        workers.begin(GIVER, RUN, 1);
        workers.wait(GIVER);
    }
    workers.wait(other);
}

impl Second {
    /// Returns what a group completed, in thousands for each second.
    fn throughput(&self, group: &Range<usize>) -> f64 {
        self.counts[group.clone()].iter().sum::<u64>() as f64 / self.seconds / 1e3
    }

    fn average(&self, group: &Range<usize>) -> f64 {
        self.counts[group.clone()].iter().sum::<u64>() as f64 / group.len() as f64
    }

    /// Returns the least and the largest share of a worker in a group, in per cent of an even one.
    fn shares(&self, group: &Range<usize>) -> (f64, f64) {
        let counts: Vec<_> = self.counts[group.clone()].iter().map(|it| *it as f64).collect();
        let (least, most) = extremes(&counts);
        // If no worker completed anything, each of them starved.
        let even = self.average(group).max(f64::MIN_POSITIVE);
        (least / even * 100.0, most / even * 100.0)
    }
}
