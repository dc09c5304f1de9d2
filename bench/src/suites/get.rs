//! Getting a value: without a writer, and against a writer that never pauses.

use std::any::Any;
use std::hint::black_box;
use std::io;

use shmkit::Latest;

use crate::floors;
use crate::harness::arena::BYTES_THERE;
use crate::harness::mailbox::RUN;
use crate::harness::report::Report;
use crate::harness::samples::{SAMPLES, Samples, time};
use crate::harness::sizes::{BY_VALUE_BYTES, Value, by_size, for_size, rounds};
use crate::harness::worker::{Worker, Workload};
use crate::harness::workers::Harness;
use crate::objects::latest;

pub(crate) const WORKLOADS: &[Workload] =
    &[Workload::process("set/latest", |it| for_size(it.argument(), by_size!(serve_sets))(it))];

/// How many cache lines a `get` under a continuous writer may cost, besides its copy.
const LINES: f64 = 2.0;
/// The least number of reads in a sample: all samples together show one retry in 20,000 reads.
const MIN_GETS: u64 = 20_000 / SAMPLES as u64;

/// Sets until it is stopped, and echoes the floors.
fn serve_sets<const N: usize>(worker: &Worker) {
    let arena = worker.arena();
    let mut writer = latest::<N>(arena.directory(), "continuous").writer().expect("a sole writer");
    let (mut value, mut echoed) = (Value::<N>::boxed(), Value::<N>::boxed());
    worker.serve(|command| match command.what {
        RUN => command.repeat(|| {
            value[0] += 1;
            writer.set(&value).expect("a sole writer");
        }),
        _ => floors::echo(arena, command, &mut echoed),
    });
}

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    by_size!(run_alone).iter().try_for_each(|run| run(harness, report))?;
    by_size!(run_beside_writer).iter().try_for_each(|run| run(harness, report))
}

/// Gets once: by value, or into `to` if the value is large. A call by value is compiled for the
/// small sizes alone.
#[inline(always)]
fn get<const N: usize>(latest: &Latest<[u64; N]>, to: &mut [u64; N]) {
    let any: &dyn Any = latest;
    if let Some(latest) = any.downcast_ref::<Latest<[u64; 1]>>() {
        black_box(latest.get().expect("a value was set"));
    } else if let Some(latest) = any.downcast_ref::<Latest<[u64; 8]>>() {
        black_box(latest.get().expect("a value was set"));
    } else {
        latest.get_into(to).expect("a value was set");
        black_box(to);
    }
}

/// Copies as many bytes out of the arena, in the same way.
#[inline(always)]
fn plain_copy<const N: usize>(from: *const [u64; N], to: &mut [u64; N]) {
    let from = black_box(from);
    if N * 8 <= BY_VALUE_BYTES {
        // SAFETY: `N` words of the arena, which no process writes now.
        black_box(unsafe { from.read() });
    } else {
        // SAFETY: as above.
        unsafe { from.copy_to_nonoverlapping(to, 1) };
        black_box(to);
    }
}

fn run_alone<const N: usize>(harness: &Harness, report: &mut Report) -> io::Result<()> {
    let latest = latest::<N>(harness.arena.directory(), "alone");
    let mut writer = latest.writer().expect("a sole writer");
    let mut value = Value::<N>::boxed();
    writer.set(&value).expect("a sole writer");
    let from = harness.arena.words(BYTES_THERE, N).as_ptr().cast::<[u64; N]>();
    let rounds = rounds(N * 8, 2.0, 0.03);
    let mut copied = Value::<N>::boxed();
    let samples = Samples::beside(
        || time(rounds, || plain_copy(from, &mut copied)),
        || time(rounds, || get(&latest, &mut value)),
    );
    report.tell("no set / plain copy", N * 8, "ns", &samples)
}

fn run_beside_writer<const N: usize>(harness: &Harness, report: &mut Report) -> io::Result<()> {
    let latest = latest::<N>(harness.arena.directory(), "continuous");
    let worker = harness.start_one("set/latest", N * 8, 1);
    let (mut value, mut echoed) = (Value::<N>::boxed(), Value::<N>::boxed());
    worker.during(RUN, || while latest.sequence() == 0 {});
    let rounds = (4 * rounds(N * 8, 50.0, 0.3)).max(MIN_GETS);
    let (mut gets, retries) = (0, shmkit::read_retries());
    let samples = Samples::beside(
        || LINES * floors::line(&worker) + floors::bytes(&worker, &mut echoed) / 2.0,
        || {
            gets += rounds;
            worker.during(RUN, || time(rounds, || get(&latest, &mut value)))
        },
    );
    report.tell("continuous set / 2 lines and the copy", N * 8, "ns", &samples)?;
    let retries = (shmkit::read_retries() - retries) as f64 / gets as f64 * 1_000.0;
    report.tell_count("retries under continuous set", N * 8, "per 1,000", retries)
}
