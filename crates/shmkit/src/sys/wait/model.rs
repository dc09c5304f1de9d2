//! Sleeping and waking as loom sees it: a lost wake is a deadlock, which loom reports.
//!
//! There are two ways: sleepers are found by their place, and one of them is woken, as futexes do
//! it; or all are woken who sleep on the value, and no others. [`check`] has a model run with both.
//!
//! Time stands still, so that no slice hides a lost wake, until a model lets it pass: from then on
//! sleeping is over at once, as it is for one whose holder died.

use std::time::Instant;

use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use loom::sync::{Condvar, Mutex};

use super::Woke;

loom::lazy_static! {
    static ref QUEUE: Mutex<Queue> = Mutex::new(Queue::default());
    static ref WAKES: Condvar = Condvar::new();
    static ref TIME_PASSES: AtomicBool = AtomicBool::new(false);
    static ref FOUND_BY_VALUE: AtomicBool = AtomicBool::new(false);
}

/// Who sleeps.
#[derive(Default)]
struct Queue {
    next_ticket: u64,
    sleepers: Vec<Sleeper>,
}

struct Sleeper {
    ticket: u64,
    address: usize,
    value: u64,
}

/// Bits that do not count when sleepers are found by value.
const MARKS: u64 = 0b11;

/// Every sleep ends by its time, and from now on at once.
pub(crate) fn let_time_pass() {
    TIME_PASSES.store(true, Ordering::SeqCst);
    QUEUE.lock().expect("no model panics with it").sleepers.clear();
    WAKES.notify_all();
}

/// Checks a model, with so many preemptions at the most, on each kind of system.
pub(crate) fn check(preemptions: Option<usize>, model: impl Fn() + Copy + Send + Sync + 'static) {
    for by_value in [false, true] {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = preemptions;
        builder.check(move || {
            FOUND_BY_VALUE.store(by_value, Ordering::SeqCst);
            model();
        });
    }
}

pub(crate) fn wait(word: &AtomicU64, expected: u64, _until: Option<Instant>) -> Woke {
    let mut queue = QUEUE.lock().expect("no model panics with it");
    // ORDERING: SeqCst, as the kernel compares behind a full fence of its own.
    loom::sync::atomic::fence(Ordering::SeqCst);
    if word.load(Ordering::SeqCst) as u32 != expected as u32 {
        return Woke::Changed;
    }
    if TIME_PASSES.load(Ordering::SeqCst) {
        drop(queue);
        loom::thread::yield_now();
        return Woke::TimedOut;
    }
    let ticket = queue.next_ticket;
    queue.next_ticket += 1;
    queue.sleepers.push(Sleeper { ticket, address: address(word), value: expected & !MARKS });
    while queue.sleepers.iter().any(|sleeper| sleeper.ticket == ticket) {
        queue = WAKES.wait(queue).expect("no model panics with it");
    }
    Woke::Woken
}

/// Has those look again who sleep on a word that had the value `had`, after a change that lets
/// nobody go on.
pub(crate) fn moved(word: &AtomicU64, had: u64) {
    if FOUND_BY_VALUE.load(Ordering::SeqCst) {
        wake_all(word, had);
    }
}

pub(crate) fn wake_one(word: &AtomicU64, had: u64) {
    if FOUND_BY_VALUE.load(Ordering::SeqCst) {
        return wake_all(word, had);
    }
    let mut queue = QUEUE.lock().expect("no model panics with it");
    if let Some(one) = queue.sleepers.iter().position(|it| it.address == address(word)) {
        queue.sleepers.remove(one);
    }
    WAKES.notify_all();
}

pub(crate) fn wake_all(word: &AtomicU64, had: u64) {
    let mut queue = QUEUE.lock().expect("no model panics with it");
    let by_value = FOUND_BY_VALUE.load(Ordering::SeqCst);
    let others = |it: &Sleeper| it.address != address(word) || by_value && it.value != had & !MARKS;
    queue.sleepers.retain(others);
    WAKES.notify_all();
}

fn address(word: &AtomicU64) -> usize {
    core::ptr::from_ref(word).addr()
}
