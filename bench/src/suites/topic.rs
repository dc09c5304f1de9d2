//! Messages of a `Topic`: there and back, and one way as fast as both sides can.

use std::hint::black_box;
use std::io;
use std::path::Path;

use shmkit::{Publisher, Subscriber};

use crate::floors::{self, Ring};
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
    let ring = Ring::of(worker.arena());
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
    let ring = Ring::of(&harness.arena);
    let (mut received, mut message) = (0, [0; WORDS]);
    let mut floor = |worker: &Workers<'_>| {
        worker.time_with(BARE, ROUNDS, || {
            for _ in 0..ROUNDS {
                received += 1;
                ring.receive(received, &mut message);
                black_box(&message);
            }
        })
    };
    let samples = Samples::beside(
        || floor(&worker),
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
