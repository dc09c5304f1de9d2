//! 1 to 16 readers on the other processor: what they cost the writer, and another reader.

use std::cell::RefCell;
use std::hint::black_box;
use std::io;
use std::thread;
use std::time::Duration;

use shmkit::{Latest, LatestWriter};

use crate::harness::arena::MAX_WORKERS;
use crate::harness::mailbox::RUN;
use crate::harness::report::Report;
use crate::harness::samples::{Samples, time};
use crate::harness::worker::{Worker, Workload};
use crate::harness::workers::{Harness, Workers};
use crate::objects::latest;

pub(crate) const WORKLOADS: &[Workload] = &[Workload::process("get/latest", serve_gets)];

const READERS: [usize; 5] = [1, 2, 4, 8, 16];
/// The words of the value.
const N: usize = 8;
const ROUNDS: u64 = 100_000;
/// The pause between a change of the readers and a sample.
const SETTLING: Duration = Duration::from_millis(2);
const NAME: &str = "readers";

/// Gets until it is stopped.
fn serve_gets(worker: &Worker) {
    let latest = latest::<N>(worker.arena().directory(), NAME);
    worker.repeat(|| _ = black_box(latest.get().expect("a value was set")));
}

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    let latest = latest::<N>(harness.arena.directory(), NAME);
    let mut writer = latest.writer().expect("a sole writer");
    writer.set(&[0; N]).expect("a sole writer");
    for readers in READERS {
        let workers = Workers::start(harness, 0, "get/latest", N * 8, &[1; MAX_WORKERS][..readers]);
        let workers = workers.expect("a workload of this program is always available");
        let samples = sample(&workers, || time_sets(&mut writer));
        report.tell(&format!("set, {readers} readers / none"), N * 8, "ns", &samples)?;
        let samples = sample(&workers, || time_gets(&latest));
        report.tell(&format!("get, {readers} other readers / none"), N * 8, "ns", &samples)?;
    }
    Ok(())
}

/// Samples `operation` while the readers get, beside the same while they sleep.
fn sample(readers: &Workers<'_>, operation: impl FnMut() -> f64) -> Samples {
    let operation = RefCell::new(operation);
    let settled = || {
        thread::sleep(SETTLING);
        operation.borrow_mut()()
    };
    Samples::beside(settled, || readers.during(RUN, settled))
}

/// Not inlined, so that both sides of the ratio run the same code.
#[inline(never)]
fn time_sets(writer: &mut LatestWriter<[u64; N]>) -> f64 {
    let mut value = [0; N];
    time(ROUNDS, || {
        value[0] += 1;
        writer.set(black_box(&value)).expect("a sole writer");
    })
}

#[inline(never)]
fn time_gets(latest: &Latest<[u64; N]>) -> f64 {
    time(ROUNDS, || _ = black_box(latest.get().expect("a value was set")))
}
