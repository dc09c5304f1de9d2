//! Shared futexes as loom sees them: a lost wake is a deadlock, which loom reports.
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
}

/// Who sleeps on which address.
#[derive(Default)]
struct Queue {
    next_ticket: u64,
    sleepers: Vec<(usize, u64)>,
}

/// From now on every sleep ends by its time.
pub(crate) fn let_time_pass() {
    TIME_PASSES.store(true, Ordering::SeqCst);
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
    queue.sleepers.push((address(word), ticket));
    while queue.sleepers.iter().any(|sleeper| sleeper.1 == ticket) {
        queue = WAKES.wait(queue).expect("no model panics with it");
    }
    Woke::Woken
}

pub(crate) fn wake_one(word: &AtomicU64) {
    wake(word, 1);
}

pub(crate) fn wake_all(word: &AtomicU64) {
    wake(word, usize::MAX);
}

fn wake(word: &AtomicU64, most: usize) {
    let mut queue = QUEUE.lock().expect("no model panics with it");
    let mut left = most;
    queue.sleepers.retain(|sleeper| {
        let woken = left > 0 && sleeper.0 == address(word);
        left -= usize::from(woken);
        !woken
    });
    WAKES.notify_all();
}

fn address(word: &AtomicU64) -> usize {
    core::ptr::from_ref(word).addr()
}
