//! Bytes through a pipe: one way, and there and back, beside a FIFO, which is a pipe of the kernel.

use std::hint::black_box;
use std::io::{self, Read, Write};

use crate::harness::arena::Arena;
use crate::harness::mailbox::RUN;
use crate::harness::report::Report;
use crate::harness::samples::Samples;
use crate::harness::worker::{Worker, Workload};
use crate::harness::workers::{Harness, Workers};
use crate::objects::pipe;
use crate::peers::fifo;

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload::process("stream/pipe", |it| serve(it, pipe_end(it.arena(), BACK, THERE))),
    Workload::process("stream/fifo", |it| {
        // In the other order than the controller, since opening one waits for the other side.
        let reader = fifo::reader(it.arena().directory(), THERE);
        serve(it, (fifo::writer(it.arena().directory(), BACK), reader));
    }),
];

/// The names of the two pipes.
const THERE: &str = "there";
const BACK: &str = "back";

/// What a worker is commanded to do, besides to echo: read only.
const TAKE: u64 = RUN + 1;
const SIZES: [usize; 6] = [64, 512, 4_096, 16_384, 65_536, 1_048_576];
/// The bytes of a sample one way: far more than a pipe holds.
const ONE_WAY: usize = 64 << 20;
/// The most writes of a sample one way.
const MAX_ROUNDS: usize = 100_000;

fn pipe_end(arena: &Arena, own: &str, other: &str) -> (impl Write, impl Read) {
    let end = |name| pipe(arena.directory(), name);
    (end(own).writer().expect("a free slot"), end(other).reader().expect("a free slot"))
}

/// Echoes what was sent, or only reads it.
fn serve(worker: &Worker, (mut writer, mut reader): (impl Write, impl Read)) {
    let mut bytes = vec![0; worker.argument()];
    worker.serve(|command| {
        command.repeat(|| {
            receive(&mut reader, &mut bytes);
            if command.what == RUN {
                send(&mut writer, &bytes);
            }
        });
    });
}

fn send(writer: &mut impl Write, bytes: &[u8]) {
    writer.write_all(black_box(bytes)).expect("the other side reads");
}

fn receive(reader: &mut impl Read, bytes: &mut [u8]) {
    reader.read_exact(bytes).expect("the other side writes");
    black_box(bytes);
}

/// One side of two streams, with the worker that has the other.
struct Streams<'a, W, R> {
    worker: Workers<'a>,
    writer: W,
    reader: R,
    bytes: Vec<u8>,
}

impl<W: Write, R: Read> Streams<'_, W, R> {
    /// Times a round trip, in nanoseconds.
    fn round_trip(&mut self) -> f64 {
        let rounds = (20_000_000 / (4_000 + self.bytes.len())).max(8) as u64;
        self.worker.time_with(RUN, rounds, || {
            for _ in 0..rounds {
                send(&mut self.writer, &self.bytes);
                receive(&mut self.reader, &mut self.bytes);
            }
        })
    }

    /// Times a write of a stream of writes, in nanoseconds.
    fn one_way(&mut self) -> f64 {
        let rounds = (ONE_WAY / self.bytes.len()).min(MAX_ROUNDS) as u64;
        self.worker.time_with(TAKE, rounds, || {
            for _ in 0..rounds {
                send(&mut self.writer, &self.bytes);
            }
        })
    }
}

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    for size in SIZES {
        let directory = harness.arena.directory();
        let start = |station, workload| {
            let workers = Workers::start(harness, station, workload, size, &[1]);
            workers.expect("a workload of this program is always available")
        };
        // A worker reports that it has started when both of its streams are open.
        let (writer, reader) = pipe_end(&harness.arena, THERE, BACK);
        let bytes = vec![7; size];
        let mut subject =
            Streams { worker: start(1, "stream/pipe"), writer, reader, bytes: bytes.clone() };
        let mut floor = std::thread::scope(|scope| {
            let opened =
                scope.spawn(|| (fifo::writer(directory, THERE), fifo::reader(directory, BACK)));
            let worker = start(0, "stream/fifo");
            let (writer, reader) = opened.join().expect("both ends are opened");
            Streams { worker, writer, reader, bytes }
        });
        let samples = Samples::beside(|| floor.round_trip(), || subject.round_trip());
        report.tell("round trip / FIFO", size, "ns", &samples)?;
        let samples = Samples::beside(|| floor.one_way(), || subject.one_way());
        report.tell("one way / FIFO", size, "ns", &samples)?;
    }
    Ok(())
}
