//! Threads that wait for what nobody gives them, and the processor time of their processes.

use std::process;
use std::thread;
use std::time::Duration;

use super::takeover::{HOLDER, WAITER};
use crate::harness::mailbox::RUN;
use crate::harness::worker::Worker;
use crate::harness::workers::{Spent, Workers};

/// What to do: nothing, for a short or for a long time, while the threads wait.
const SHORT: u64 = RUN;
const LONG: u64 = RUN + 1;
const SHORT_WAIT: Duration = Duration::from_secs(1);
const LONG_WAIT: Duration = Duration::from_secs(4);

/// The holder holds for as long as it lives. In each other worker as many threads wait as the
/// argument says.
pub(crate) fn wait_in_crowd<H>(worker: &Worker, hold: impl Fn() -> H, wait: impl Fn() + Sync) {
    let sleep = || {
        worker.serve(|command| {
            thread::sleep(if command.what == LONG { LONG_WAIT } else { SHORT_WAIT });
        });
    };
    if worker.number() == HOLDER {
        let _held = hold();
        return sleep();
    }
    thread::scope(|scope| {
        for _ in 0..worker.argument() {
            scope.spawn(|| {
                wait();
                // The controller notices that a thread did not wait for as long as it measured.
                process::exit(1);
            });
        }
        sleep();
        // The threads still wait.
        process::exit(0);
    });
}

/// The controller's side: lets the threads start, and do what they do only once.
pub(crate) fn settle(workers: &Workers<'_>) {
    spend(workers, SHORT);
}

/// Returns how much of a processor all waiters use together, in per cent: the difference between a
/// long wait and a short one, so that what a wait costs only once does not count.
pub(crate) fn processor_share(workers: &Workers<'_>) -> f64 {
    let (short, long) = (spend(workers, SHORT), spend(workers, LONG));
    (long.used_ns - short.used_ns) / (long.elapsed_ns - short.elapsed_ns) * 100.0
}

/// Returns the time that the waiters used in a wait, and how long the wait took.
fn spend(workers: &Workers<'_>, what: u64) -> Spent {
    let waiters = || WAITER..workers.len();
    waiters().for_each(|waiter| workers.begin(waiter, what, 1));
    waiters().for_each(|waiter| _ = workers.wait(waiter));
    let spent = waiters().map(|waiter| workers.spent(waiter));
    spent.fold(Spent { elapsed_ns: 0.0, used_ns: 0.0 }, |sum, it| Spent {
        elapsed_ns: sum.elapsed_ns.max(it.elapsed_ns),
        used_ns: sum.used_ns + it.used_ns,
    })
}
