//! Workers that want the same lock all the time, and how long each acquisition takes.

use std::hint::black_box;
use std::thread;
use std::time::Duration;

use super::primitives::{RwLock, Turns};
use super::sections;
use super::turns::GIVER;
use crate::harness::mailbox::RUN;
use crate::harness::waits;
use crate::harness::worker::{Worker, now_ns};

/// What to do: acquire.
pub(crate) const LOCK: u64 = RUN;
/// What to do: acquire, and pause after each section.
pub(crate) const LOCK_SELDOM: u64 = RUN + 1;
/// What to do: attempt to acquire, without waiting.
pub(crate) const ATTEMPT: u64 = RUN + 2;
/// What to do: acquire for reading.
pub(crate) const READ: u64 = RUN + 3;
/// What to do: acquire for writing.
pub(crate) const WRITE: u64 = RUN + 4;

const PAUSE: Duration = Duration::from_millis(1);

/// The giver gives a turn, and takes its own when one of the other workers has answered. Those
/// contend for the turn that it gives.
pub(crate) fn contend_for_turns(worker: &Worker, turns: impl Turns) {
    const OTHERS: usize = GIVER + 1;
    if worker.number() == GIVER {
        return worker.repeat(|| {
            turns.give(OTHERS);
            turns.take(GIVER);
        });
    }
    contend(worker, |_, section| {
        turns.take(OTHERS);
        section();
        turns.give(GIVER);
    });
}

/// Contends for a lock: by writing or by reading, as the command says.
pub(crate) fn contend_for_rw_lock(worker: &Worker, lock: impl RwLock) {
    contend(worker, |what, section| match what {
        WRITE => lock.write(section),
        _ => _ = black_box(lock.read(section)),
    });
}

/// Repeats `hold`, which acquires in the way that its first argument says, runs a section while it
/// holds, and releases. The argument of the worker is the length of a section in nanoseconds.
/// Measures how long each acquisition takes.
pub(crate) fn contend(worker: &Worker, hold: impl Fn(u64, &mut dyn FnMut())) {
    let steps = sections::steps_of(worker.argument());
    worker.serve(|command| {
        let mut waits = waits::histogram();
        command.repeat(|| {
            let began_ns = now_ns();
            hold(command.what, &mut || {
                waits::record(&mut waits, now_ns() - began_ns);
                sections::run(steps);
            });
            if command.what == LOCK_SELDOM {
                thread::sleep(PAUSE);
            }
        });
        let written = waits::write(worker.arena().directory(), worker.mailbox(), &waits);
        written.expect("cannot write how long the acquisitions took");
    });
}
