//! What users of a contended mutex feel: how even the shares are over whole seconds, and how long a
//! single `lock()` takes.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::report::Report;
use crate::harness::samples::{Samples, extremes};
use crate::harness::worker::FREE;
use crate::harness::workers::{Harness, Workers};
use crate::workloads::contention::LOCK;

/// How long a section lasts, in nanoseconds, for the label.
const SECTIONS: [(&str, usize); 4] =
    [("0 us", 0), ("1 us", 1_000), ("10 us", 10_000), ("100 us", 100_000)];
const WORKERS: [usize; 3] = [2, 4, 8];
const PEERS: [&str; 5] = ["shmkit", "robust", "boost", "std", "parking_lot"];
/// How many seconds are counted, each by itself, after a part of one.
const SECONDS: usize = 3;
const WARM_UP: Duration = Duration::from_millis(300);

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    for (section, section_ns) in SECTIONS {
        for workers in WORKERS {
            for is_pinned in [true, false] {
                for peer in PEERS {
                    let place = if is_pinned { "pinned" } else { "free" };
                    let case = format!("{peer}, {workers} {place}, {section}");
                    if !harness.wants(&case) {
                        continue;
                    }
                    let cpus: Vec<_> =
                        (0..workers).map(|it| if is_pinned { it % 2 } else { FREE }).collect();
                    let workload = format!("fair/{peer}");
                    let started = Workers::start(harness, 0, &workload, section_ns, &cpus);
                    let Some(started) = started else { continue };
                    tell(report, &started, &case)?;
                }
            }
        }
    }
    Ok(())
}

/// Counts for some seconds, and prints the figures.
fn tell(report: &mut Report, workers: &Workers<'_>, case: &str) -> io::Result<()> {
    let (mut throughput, mut least, mut most) = (Vec::new(), Vec::new(), Vec::new());
    workers.during(LOCK, || {
        thread::sleep(WARM_UP);
        for _ in 0..SECONDS {
            let (started, before) = (Instant::now(), workers.counts());
            thread::sleep(Duration::from_secs(1));
            let (elapsed, after) = (started.elapsed(), workers.counts());
            let counts = after.iter().zip(&before).map(|(after, before)| (after - before) as f64);
            let counts: Vec<_> = counts.collect();
            let (sum, (min, max)) = (counts.iter().sum::<f64>(), extremes(&counts));
            let even = sum / counts.len() as f64;
            throughput.push(sum / elapsed.as_secs_f64() / 1e3);
            least.push(min / even * 100.0);
            most.push(max / even * 100.0);
        }
    });
    report.tell(case, 8, "k/s", &Samples::of(throughput))?;
    report.tell(&format!("{case}: least"), 8, "% of even", &Samples::of(least))?;
    report.tell(&format!("{case}: most"), 8, "% of even", &Samples::of(most))?;
    report.tell_waits(case, &workers.waits(workers.numbers())?)
}
