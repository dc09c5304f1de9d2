//! Messages of a `Topic`: there and back, and one way as fast as both sides can.

use std::cell::Cell;
use std::hint::{black_box, spin_loop};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use shmkit::{Publisher, Subscriber};

use crate::floors;
use crate::harness::arena::{Arena, BYTES_THERE};
use crate::harness::mailbox::RUN;
use crate::harness::report::Report;
use crate::harness::samples::Samples;
use crate::harness::sizes::{Value, rounds};
use crate::harness::worker::{Worker, Workload};
use crate::harness::workers::{Harness, Workers};
use crate::objects::topic;

pub(crate) const WORKLOADS: &[Workload] =
    &[Workload::process("topic/echo", echo), Workload::process("topic/flow", flow)];

/// The words of a message: 64 bytes.
const WORDS: usize = 8;
type Message = [u64; WORDS];
/// What a worker is commanded to send through a bare ring.
const BARE: u64 = RUN + 4;
/// The entries of the bare ring, each a stamp and a message; then the receiver's position.
const DEPTH: u64 = 256;
const STRIDE: usize = WORDS + 1;
const POSITION: usize = DEPTH as usize * STRIDE + 16;
const OTHER: &str = "the other side lives";

/// A process's end of two topics.
struct End {
    publisher: Publisher<Message>,
    subscriber: Subscriber<Message>,
}

impl End {
    fn new(directory: &Path, own: &str, other: &str) -> Self {
        let publisher = topic(directory, own).publisher().expect(OTHER);
        Self { publisher, subscriber: topic(directory, other).subscriber().expect(OTHER) }
    }

    #[inline(always)]
    fn send(&mut self, message: &Message) {
        self.publisher.publish(message).expect(OTHER);
    }

    #[inline(always)]
    fn receive(&mut self) -> Message {
        black_box(self.subscriber.recv().expect(OTHER))
    }
}

/// Echoes messages, and the floors.
fn echo(worker: &Worker) {
    let mut end = End::new(worker.arena().directory(), "back", "there");
    let mut echoed = Value::<WORDS>::boxed();
    worker.serve(|command| match command.what {
        RUN => command.repeat(|| {
            let message = end.receive();
            end.send(&message);
        }),
        _ => floors::echo(worker.arena(), command, &mut echoed),
    });
}

/// Sends messages through a topic, or through a bare ring.
fn flow(worker: &Worker) {
    let mut publisher = topic(worker.arena().directory(), "flow").publisher().expect(OTHER);
    let ring = Bare::of(worker.arena());
    let (mut message, mut sent) = ([7; WORDS], 0);
    worker.serve(|command| match command.what {
        BARE => command.repeat(|| {
            sent += 1;
            message[0] = sent;
            ring.send(sent, &message);
        }),
        _ => command.repeat(|| {
            message[0] += 1;
            publisher.publish(&message).expect(OTHER);
        }),
    });
}

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    round_trips(harness, report)?;
    one_way(harness, report)
}

fn round_trips(harness: &Harness, report: &mut Report) -> io::Result<()> {
    let mut end = End::new(harness.arena.directory(), "there", "back");
    let worker = harness.start_one("topic/echo", WORDS * 8, 1);
    let (rounds, message) = (rounds(WORDS * 8, 200.0, 0.3), [7; WORDS]);
    let mut copied = Value::<WORDS>::boxed();
    let samples = Samples::beside(
        || floors::bytes(&worker, &mut copied),
        || {
            worker.time_with(RUN, rounds, || {
                for _ in 0..rounds {
                    end.send(&message);
                    end.receive();
                }
            })
        },
    );
    report.tell("round trip / same bytes copied", WORDS * 8, "ns", &samples)
}

fn one_way(harness: &Harness, report: &mut Report) -> io::Result<()> {
    const ROUNDS: u64 = 200_000;
    let topic = topic::<Message>(harness.arena.directory(), "flow");
    let mut subscriber = topic.subscriber().expect(OTHER);
    let worker = harness.start_one("topic/flow", WORDS * 8, 1);
    let ring = Bare::of(&harness.arena);
    let mut received = 0;
    let floor = |worker: &Workers<'_>, received: &mut u64| {
        worker.time_with(BARE, ROUNDS, || {
            for _ in 0..ROUNDS {
                *received += 1;
                black_box(ring.receive(*received));
            }
        })
    };
    let samples = Samples::beside(
        || floor(&worker, &mut received),
        || {
            worker.time_with(RUN, ROUNDS, || {
                for _ in 0..ROUNDS {
                    black_box(subscriber.recv().expect(OTHER));
                }
            })
        },
    );
    report.tell("one way / bare ring", WORDS * 8, "ns", &samples)
}

/// A ring without anything else: a stamp beside each message, and the receiver's position, at which
/// the sender looks only when the ring seems full.
struct Bare<'a> {
    words: &'a [AtomicU64],
    position: &'a AtomicU64,
    /// The last message for which the sender knows that there is room.
    limit: Cell<u64>,
}

impl<'a> Bare<'a> {
    fn of(arena: &'a Arena) -> Self {
        let words = arena.words(BYTES_THERE, POSITION + 1);
        Self { words, position: &words[POSITION], limit: Cell::new(0) }
    }

    fn entry(&self, number: u64) -> &'a [AtomicU64] {
        &self.words[(number % DEPTH) as usize * STRIDE..][..STRIDE]
    }

    fn send(&self, number: u64, message: &Message) {
        while number > self.limit.get() {
            self.limit.set(self.position.load(Ordering::Acquire) + DEPTH);
            spin_loop();
        }
        let entry = self.entry(number);
        let to = entry[1..].as_ptr().cast_mut().cast::<Message>();
        // SAFETY: the words of the entry, which the receiver reads only after the store below.
        unsafe { to.copy_from_nonoverlapping(message, 1) };
        entry[0].store(number, Ordering::Release);
    }

    fn receive(&self, number: u64) -> Message {
        let entry = self.entry(number);
        while entry[0].load(Ordering::Acquire) != number {
            spin_loop();
        }
        let from = entry[1..].as_ptr().cast::<Message>();
        // SAFETY: the words of the entry, which the sender writes only after the store below.
        let message = unsafe { from.read() };
        self.position.store(number, Ordering::Release);
        message
    }
}
