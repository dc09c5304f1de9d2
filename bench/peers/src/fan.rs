//! A fan: one publisher, and subscribers that each get every message.
//!
//! ```text
//! controller                             worker
//! publishes a burst, which is timed
//! LINE_THERE = number of the burst ────> each subscriber takes the burst
//!            <──────────────────────── LINE_BACK = number of the burst
//! ```
//!
//! So all subscribers keep up, however many there are: what is timed is publishing alone.

use std::hint::spin_loop;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::floors::spin_until;
use crate::harness::arena::{Arena, LINE_BACK, LINE_THERE};
use crate::harness::mailbox::RUN;
use crate::harness::worker::Worker;
use crate::harness::workers::Workers;
use crate::link::{HEAD_WORDS, Head, Place};

/// How many messages are published before the subscribers take them: fewer than a link holds.
const BURST: u64 = 64;
const BURSTS: u64 = 100;

/// A peer whose messages each reach all subscribers, and none is lost.
pub(crate) trait Fan {
    type Publisher;
    type Subscriber;

    /// Creates what so many can subscribe to. The controller calls it first.
    fn publisher(place: &Place<'_>, subscribers: usize) -> Self::Publisher;
    /// Subscribes one of so many.
    fn subscriber(place: &Place<'_>, subscribers: usize) -> Self::Subscriber;

    fn publish(publisher: &mut Self::Publisher, message: &Head);
    fn try_receive(subscriber: &mut Self::Subscriber) -> Option<Head>;
}

/// Returns where fans are.
pub(crate) fn place(arena: &Arena) -> Place<'_> {
    Place { directory: arena.directory(), bytes: HEAD_WORDS * 8, asleep: false }
}

/// Returns what stands for the direction in the name of a fan.
pub(crate) fn direction(subscribers: usize) -> String {
    format!("fan-{subscribers}")
}

/// Takes bursts in as many subscribers as the worker's argument says.
pub(crate) fn serve<F: Fan>(worker: &Worker) {
    let (arena, count) = (worker.arena(), worker.argument());
    let subscribers = (0..count).map(|_| F::subscriber(&place(arena), count));
    let mut subscribers: Vec<_> = subscribers.collect();
    let (mut burst, mut last) = (0, 0);
    worker.repeat(|| {
        burst += 1;
        spin_until(arena.word(LINE_THERE), burst);
        for subscriber in &mut subscribers {
            for number in last + 1..=last + BURST {
                assert_eq!(take::<F>(subscriber)[0], number, "messages were lost");
            }
        }
        last += BURST;
        arena.word(LINE_BACK).store(burst, Ordering::Release);
    });
}

fn take<F: Fan>(subscriber: &mut F::Subscriber) -> Head {
    loop {
        if let Some(message) = F::try_receive(subscriber) {
            return message;
        }
        spin_loop();
    }
}

/// The publisher of a fan whose subscribers a worker has.
pub(crate) struct Publishing<'a, F: Fan> {
    worker: Workers<'a>,
    publisher: F::Publisher,
    message: Head,
    bursts: u64,
}

impl<'a, F: Fan> Publishing<'a, F> {
    pub(crate) fn new(worker: Workers<'a>, publisher: F::Publisher) -> Self {
        Self { worker, publisher, message: [0; HEAD_WORDS], bursts: 0 }
    }

    /// Returns how long a message takes to publish, in nanoseconds.
    pub(crate) fn time(&mut self) -> f64 {
        let Self { worker, publisher, message, bursts } = self;
        let (there, back) = (worker.arena().word(LINE_THERE), worker.arena().word(LINE_BACK));
        // What another fan has left here is no burst of this one.
        [there, back].iter().for_each(|line| line.store(*bursts, Ordering::Relaxed));
        let mut spent = Duration::ZERO;
        worker.time_with(RUN, BURSTS, || {
            for _ in 0..BURSTS {
                let began = Instant::now();
                for _ in 0..BURST {
                    message[0] += 1;
                    F::publish(publisher, message);
                }
                spent += began.elapsed();
                *bursts += 1;
                there.store(*bursts, Ordering::Release);
                spin_until(back, *bursts);
            }
        });
        spent.as_nanos() as f64 / (BURSTS * BURST) as f64
    }
}
