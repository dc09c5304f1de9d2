//! Locks under contention on two processors: the throughput of all workers together, and how evenly
//! it is shared. More is better here: a ratio above 1 is ahead of the floor.

use std::cell::RefCell;
use std::io;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::mailbox::{RUN, TOTAL};
use crate::harness::pair::Pair;
use crate::harness::report::Report;
use crate::harness::samples::{Samples, extremes, time};
use crate::harness::workers::{Harness, PINNED, Workers, cpus};
use crate::workloads::sections::run_long_section;

/// With more workers than processors, the holder may not be running.
const WORKERS: [usize; 2] = [2, 8];
/// How long the workers of a sample are counted.
const COUNTED: Duration = Duration::from_millis(100);

/// The label and the peer, and whether it counts in the shared words, where losses show.
const MUTEXES: [(&str, &str, bool); 6] = [
    ("shmkit", "shmkit", false),
    ("robust pthread", "robust", true),
    ("pthread", "pthread", true),
    ("Boost", "boost", true),
    ("futex", "futex", true),
    ("std threads", "std", false),
];
const RW_LOCKS: [(&str, &str); 5] = [
    ("shmkit", "read-mostly/shmkit"),
    ("pthread", "read-mostly/pthread"),
    ("Boost sharable", "read-mostly/boost-sharable"),
    ("Boost upgradable", "read-mostly/boost-upgradable"),
    ("std threads", "read-mostly/std"),
];

pub(crate) fn run_mutex(harness: &Harness, report: &mut Report) -> io::Result<()> {
    let length = Samples::alone(|| time(1_000, run_long_section));
    report.tell("long section, without a lock", 0, "ns", &length)?;
    for (section, task) in [("short", "mutex"), ("long", "long-mutex")] {
        for workers in WORKERS {
            for (name, peer, counts_in_shared) in MUTEXES {
                let name = format!("{name}, {workers}, {section}");
                if !harness.wants(&name) {
                    continue;
                }
                let (floor, subject) = (format!("{task}/robust"), format!("{task}/{peer}"));
                let Some(pair) = start(harness, &floor, &subject, workers) else { continue };
                let figures = sample(&pair);
                if counts_in_shared {
                    assert_nothing_lost(&pair.subject);
                }
                figures.tell(report, &name, "robust")?;
            }
        }
    }
    Ok(())
}

/// Two workers that mostly read and seldom write.
pub(crate) fn run_rw_lock(harness: &Harness, report: &mut Report) -> io::Result<()> {
    for (name, subject) in RW_LOCKS {
        if !harness.wants(name) {
            continue;
        }
        let Some(pair) = start(harness, "read-mostly/pthread", subject, 2) else { continue };
        sample(&pair).tell(report, name, "pthread")?;
    }
    Ok(())
}

fn start<'a>(harness: &'a Harness, floor: &str, subject: &str, workers: usize) -> Option<Pair<'a>> {
    let cpus = cpus(PINNED, workers);
    Pair::start(harness, floor, subject, 0, &cpus)
}

/// The throughput, and the smallest and the largest share of a worker, in per cent of an even one.
struct Figures {
    throughput: Samples,
    least: Samples,
    most: Samples,
}

fn sample(pair: &Pair<'_>) -> Figures {
    let shares = RefCell::new(Vec::new());
    let throughput = pair.sample(|workers| {
        let (counts, seconds) = count(workers);
        let sum: f64 = counts.iter().sum();
        if workers.workload() == pair.subject.workload() {
            let (least, most) = extremes(&counts);
            let even = sum / counts.len() as f64;
            shares.borrow_mut().push((least / even * 100.0, most / even * 100.0));
        }
        sum / seconds / 1e6
    });
    // The first sample only warmed up.
    let (least, most) = shares.take().into_iter().skip(1).unzip();
    Figures { throughput, least: Samples::of(least), most: Samples::of(most) }
}

impl Figures {
    fn tell(&self, report: &mut Report, name: &str, floor: &str) -> io::Result<()> {
        report.tell(&format!("{name} / {floor}"), 8, "M/s", &self.throughput)?;
        report.tell(&format!("{name}: least"), 8, "% of even", &self.least)?;
        report.tell(&format!("{name}: most"), 8, "% of even", &self.most)
    }
}

/// Runs all workers for a while. Returns what each one completed, and the seconds.
fn count(workers: &Workers<'_>) -> (Vec<f64>, f64) {
    workers.during(RUN, || {
        let (started, before) = (Instant::now(), workers.counts());
        thread::sleep(COUNTED);
        let (elapsed, after) = (started.elapsed(), workers.counts());
        let counts = after.iter().zip(&before).map(|(after, before)| (after - before) as f64);
        (counts.collect(), elapsed.as_secs_f64())
    })
}

/// Panics if the counter under the lock differs from what the workers counted themselves.
fn assert_nothing_lost(workers: &Workers<'_>) {
    let total = workers.shared_word(TOTAL).load(Ordering::Relaxed);
    let counted = workers.counts().iter().sum::<u64>();
    assert_eq!(total, counted, "`{}` does not exclude", workers.workload());
}
