//! The floors themselves: round trips by a futex, a cache line, and bytes of each size.

use std::io;

use crate::floors;
use crate::harness::report::Report;
use crate::harness::samples::Samples;
use crate::harness::sizes::{Value, by_size};
use crate::harness::workers::Harness;

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    for (case, cpu) in [("futex, two processors", 1), ("futex, one processor", 0)] {
        let worker = harness.start_one("echo/floor", 8, cpu);
        report.tell(case, 8, "us", &Samples::alone(|| floors::futex_us(&worker)))?;
    }
    let worker = harness.start_one("echo/floor", 8, 1);
    report.tell("line", 8, "ns", &Samples::alone(|| floors::line(&worker)))?;
    drop(worker);
    by_size!(bytes).iter().try_for_each(|run| run(harness, report))
}

fn bytes<const N: usize>(harness: &Harness, report: &mut Report) -> io::Result<()> {
    let worker = harness.start_one("echo/floor", N * 8, 1);
    let mut value = Value::<N>::boxed();
    let samples = Samples::alone(|| floors::bytes(&worker, &mut value));
    report.tell("copied back and forth", N * 8, "ns", &samples)
}
