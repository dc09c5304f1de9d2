//! Requests and responses of a `Call`: there and back, with both sides awake, and with both asleep.

use std::hint::black_box;
use std::io;
use std::path::Path;
use std::time::Duration;

use shmkit::{CallClient, CallServer, Publisher, Subscriber};

use crate::floors;
use crate::harness::mailbox::RUN;
use crate::harness::report::Report;
use crate::harness::samples::Samples;
use crate::harness::sizes::{Value, rounds};
use crate::harness::worker::{Worker, Workload};
use crate::harness::workers::{Harness, Workers};
use crate::objects::{call, topic};

pub(crate) const WORKLOADS: &[Workload] =
    &[Workload::process("call/awake", awake), Workload::process("call/asleep", asleep)];

/// The words of a request, and of a response: 64 bytes.
const WORDS: usize = 8;
type Message = [u64; WORDS];
/// What a worker is commanded to echo through two topics.
const TOPICS: u64 = RUN + 4;
const OTHER: &str = "the other side lives";
const SLEEPS: Option<Duration> = Some(Duration::ZERO);

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

/// Answers requests, and echoes messages of topics.
fn awake(worker: &Worker) {
    let directory = worker.arena().directory();
    let server = call(directory, "awake", None).server().expect(OTHER);
    let mut end = End::new(directory, "back", "there");
    worker.serve(|command| match command.what {
        TOPICS => command.repeat(|| {
            let message = end.receive();
            end.send(&message);
        }),
        _ => command.repeat(|| answer(&server)),
    });
}

/// Answers requests, and echoes the floors.
fn asleep(worker: &Worker) {
    let server = call(worker.arena().directory(), &asleep_on(worker.argument()), SLEEPS);
    let server = server.server().expect(OTHER);
    let mut echoed = Value::<WORDS>::boxed();
    worker.serve(|command| match command.what {
        RUN => command.repeat(|| answer(&server)),
        _ => floors::echo(worker.arena(), command, &mut echoed),
    });
}

/// The name of the object of a case.
fn asleep_on(processor: usize) -> String {
    format!("asleep-{processor}")
}

#[inline(always)]
fn answer(server: &CallServer<Message, Message>) {
    let request = server.recv().expect(OTHER);
    let response = *black_box(&*request);
    request.respond(&response).expect(OTHER);
}

fn time_calls(worker: &Workers<'_>, client: &CallClient<Message, Message>, rounds: u64) -> f64 {
    let message = [7; WORDS];
    worker.time_with(RUN, rounds, || {
        for _ in 0..rounds {
            black_box(client.call(&message).expect(OTHER));
        }
    })
}

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    run_awake(harness, report)?;
    [(1, "two processors"), (0, "one processor")]
        .iter()
        .try_for_each(|(processor, name)| run_asleep(harness, report, *processor, name))
}

fn run_awake(harness: &Harness, report: &mut Report) -> io::Result<()> {
    let directory = harness.arena.directory();
    let client = call(directory, "awake", None).client().expect(OTHER);
    let mut end = End::new(directory, "there", "back");
    let worker = harness.start_one("call/awake", WORDS * 8, 1);
    let (rounds, message) = (rounds(WORDS * 8, 200.0, 0.3), [7; WORDS]);
    let samples = Samples::beside(
        || {
            worker.time_with(TOPICS, rounds, || {
                for _ in 0..rounds {
                    end.send(&message);
                    end.receive();
                }
            })
        },
        || time_calls(&worker, &client, rounds),
    );
    report.tell("request and response / two topics", WORDS * 8, "ns", &samples)
}

fn run_asleep(
    harness: &Harness,
    report: &mut Report,
    processor: usize,
    name: &str,
) -> io::Result<()> {
    const ROUNDS: u64 = 500;
    let object = call(harness.arena.directory(), &asleep_on(processor), SLEEPS);
    let client = object.client().expect(OTHER);
    let worker = harness.start_one("call/asleep", processor, processor);
    let samples = Samples::beside(
        || floors::futex_us(&worker),
        || time_calls(&worker, &client, ROUNDS) / 1_000.0,
    );
    report.tell(&format!("asleep / futex, {name}"), WORDS * 8, "us", &samples)
}
