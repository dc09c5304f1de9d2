//! From one process's set until the other process sees it, and back: awake, and asleep.

use std::any::Any;
use std::hint::black_box;
use std::io;
use std::time::Duration;

use shmkit::{Changes, LatestWriter};

use crate::floors;
use crate::harness::arena::Arena;
use crate::harness::mailbox::RUN;
use crate::harness::report::Report;
use crate::harness::samples::Samples;
use crate::harness::sizes::{Value, by_size, for_size, rounds};
use crate::harness::worker::{Worker, Workload};
use crate::harness::workers::{Harness, Workers};
use crate::objects::latest;

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload::process("echo/awake", |it| for_size(it.argument(), by_size!(serve_awake))(it)),
    Workload::process("echo/asleep", |it| serve(it, End::<1>::asleep(it.arena(), BACK, THERE))),
];

/// The names of the two values.
const THERE: &str = "there";
const BACK: &str = "back";
/// Longer than any wait here.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A process's end of two values: it sets one, and sees the changes of the other.
struct End<const N: usize> {
    writer: LatestWriter<[u64; N]>,
    changes: Changes<[u64; N]>,
    value: Box<Value<N>>,
}

impl<const N: usize> End<N> {
    fn awake(arena: &Arena, own: &str, other: &str) -> Self {
        let writer = latest(arena.directory(), own).writer().expect("a sole writer");
        let changes = latest(arena.directory(), other).changes();
        Self { writer, changes, value: Value::boxed() }
    }

    /// Makes an end that does not spin before it sleeps.
    fn asleep(arena: &Arena, own: &str, other: &str) -> Self {
        let end = Self::awake(arena, own, other);
        Self { changes: end.changes.spin_for(Duration::ZERO), ..end }
    }

    #[inline(always)]
    fn set(&mut self) {
        self.writer.set(&self.value).expect("a sole writer");
    }

    /// Waits for the next change: by value, or into the own value if that is large. A call by value
    /// is compiled for the small sizes alone.
    #[inline(always)]
    fn next(&mut self) {
        const CHANGE: &str = "the other side sets a value";
        let any: &mut dyn Any = &mut self.changes;
        if let Some(changes) = any.downcast_mut::<Changes<[u64; 1]>>() {
            self.value.copy_from_slice(&changes.next().expect(CHANGE));
        } else if let Some(changes) = any.downcast_mut::<Changes<[u64; 8]>>() {
            self.value.copy_from_slice(&changes.next().expect(CHANGE));
        } else {
            self.changes.next_into(&mut self.value, TIMEOUT).expect(CHANGE);
        }
        black_box(&mut self.value);
    }
}

fn serve_awake<const N: usize>(worker: &Worker) {
    serve(worker, End::<N>::awake(worker.arena(), BACK, THERE));
}

/// Echoes values, and the floors.
fn serve<const N: usize>(worker: &Worker, mut end: End<N>) {
    let mut echoed = Value::<N>::boxed();
    worker.serve(|command| match command.what {
        RUN => command.repeat(|| {
            end.next();
            end.set();
        }),
        _ => floors::echo(worker.arena(), command, &mut echoed),
    });
}

fn time_round_trips<const N: usize>(worker: &Workers<'_>, end: &mut End<N>, rounds: u64) -> f64 {
    worker.time_with(RUN, rounds, || {
        for _ in 0..rounds {
            end.set();
            end.next();
        }
    })
}

pub(crate) fn run_awake(harness: &Harness, report: &mut Report) -> io::Result<()> {
    by_size!(run_size).iter().try_for_each(|run| run(harness, report))
}

fn run_size<const N: usize>(harness: &Harness, report: &mut Report) -> io::Result<()> {
    let mut end = End::<N>::awake(&harness.arena, THERE, BACK);
    let worker = harness.start_one("echo/awake", N * 8, 1);
    let rounds = rounds(N * 8, 200.0, 0.3);
    let mut copied = Value::<N>::boxed();
    let samples = Samples::beside(
        || floors::bytes(&worker, &mut copied),
        || time_round_trips(&worker, &mut end, rounds),
    );
    report.tell("round trip / same bytes copied", N * 8, "ns", &samples)
}

pub(crate) fn run_asleep(harness: &Harness, report: &mut Report) -> io::Result<()> {
    const ROUNDS: u64 = 500;
    let cases =
        [("round trip / futex, two processors", 1), ("round trip / futex, one processor", 0)];
    for (case, cpu) in cases {
        let mut end = End::<1>::asleep(&harness.arena, THERE, BACK);
        let worker = harness.start_one("echo/asleep", 8, cpu);
        let samples = Samples::beside(
            || floors::futex_us(&worker),
            || time_round_trips(&worker, &mut end, ROUNDS) / 1_000.0,
        );
        report.tell(case, 8, "us", &samples)?;
    }
    Ok(())
}
