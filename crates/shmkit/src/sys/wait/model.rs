//! Sleeping and waking in a model: a lost wake is a deadlock, which loom reports.
//!
//! There are two ways to wake, and [`check`] runs a model with both. Either wakers find sleepers by
//! place and can wake one, as futexes do; or a wake reaches exactly the sleepers that saw the
//! value.
//!
//! Time stands still, so that no time limit hides a lost wake, until the model calls
//! [`let_time_pass`]. From then on each sleep ends at once, as it does after the death of a holder.

use std::time::Instant;

use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use loom::sync::{Condvar, Mutex};

use super::{Kind, WaitOutcome};

loom::lazy_static! {
    static ref QUEUE: Mutex<Queue> = Mutex::new(Queue::default());
    static ref WAKES: Condvar = Condvar::new();
    static ref TIME_PASSES: AtomicBool = AtomicBool::new(false);
    static ref FOUND_BY_VALUE: AtomicBool = AtomicBool::new(false);
}

/// The sleeping threads.
#[derive(Default)]
struct Queue {
    next_ticket: u64,
    sleepers: Vec<Sleeper>,
}

struct Sleeper {
    ticket: u64,
    address: usize,
    value: u64,
    kind: Kind,
}

impl Sleeper {
    /// Whether a wake for this kind is for it. A thread that sleeps on many words is of any kind.
    fn is(&self, kind: Kind) -> bool {
        self.kind == kind || self.kind == Kind::Only
    }
}

/// Bits that wakers ignore when they find sleepers by value.
const MARKS: u64 = 0b11;

/// Ends every sleep, and from now on each new one, by its time limit.
pub(crate) fn let_time_pass() {
    TIME_PASSES.store(true, Ordering::SeqCst);
    QUEUE.lock().expect("no model panics while it holds the queue").sleepers.clear();
    WAKES.notify_all();
}

/// Checks a model with each way to wake, with at most `preemptions` preemptions.
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

/// Sleeps while the low half of `word` equals that of `expected`, until woken.
pub(crate) fn wait(
    word: &AtomicU64,
    expected: u64,
    _until: Option<Instant>,
    kind: Kind,
) -> WaitOutcome {
    wait_many(&[(word, expected)], kind)
}

/// The same for several words: a wake of any of them ends the sleep.
pub(super) fn wait_many(words: &[(&AtomicU64, u64)], kind: Kind) -> WaitOutcome {
    let mut queue = QUEUE.lock().expect("no model panics while it holds the queue");
    // ORDERING: SeqCst; the kernel compares after a full fence of its own.
    loom::sync::atomic::fence(Ordering::SeqCst);
    let is_same = |(word, expected): &(&AtomicU64, u64)| {
        word.load(Ordering::SeqCst) as u32 == *expected as u32
    };
    if !words.iter().all(is_same) {
        return WaitOutcome::Changed;
    }
    if TIME_PASSES.load(Ordering::SeqCst) {
        drop(queue);
        loom::thread::yield_now();
        return WaitOutcome::TimedOut;
    }
    let ticket = queue.next_ticket;
    queue.next_ticket += 1;
    queue.sleepers.extend(words.iter().map(|(word, expected)| Sleeper {
        ticket,
        address: address(word),
        value: expected & !MARKS,
        kind,
    }));
    while queue.sleepers.iter().filter(|sleeper| sleeper.ticket == ticket).count() == words.len() {
        queue = WAKES.wait(queue).expect("no model panics while it holds the queue");
    }
    queue.sleepers.retain(|sleeper| sleeper.ticket != ticket);
    WaitOutcome::Woken
}

/// Makes sleepers that saw the value `had` check the word again, after a change that lets no waiter
/// go on.
pub(crate) fn moved(word: &AtomicU64, had: u64) {
    if FOUND_BY_VALUE.load(Ordering::SeqCst) {
        wake_all(word, had);
    }
}

/// Wakes one thread of this kind that sleeps on this word. If sleepers are found by value, wakes
/// all that saw `had`.
pub(crate) fn wake_one(word: &AtomicU64, had: u64, kind: Kind) {
    if FOUND_BY_VALUE.load(Ordering::SeqCst) {
        return wake_all(word, had);
    }
    let mut queue = QUEUE.lock().expect("no model panics while it holds the queue");
    let is_meant = |it: &Sleeper| it.address == address(word) && it.is(kind);
    if let Some(one) = queue.sleepers.iter().position(is_meant) {
        queue.sleepers.remove(one);
    }
    WAKES.notify_all();
}

/// Wakes all threads of this kind that sleep on this word. If sleepers are found by value, wakes
/// all that saw `had`.
pub(crate) fn wake_each(word: &AtomicU64, had: u64, kind: Kind) {
    if FOUND_BY_VALUE.load(Ordering::SeqCst) {
        return wake_all(word, had);
    }
    let mut queue = QUEUE.lock().expect("no model panics while it holds the queue");
    queue.sleepers.retain(|it| it.address != address(word) || !it.is(kind));
    WAKES.notify_all();
}

/// Wakes all threads that sleep on this word. If sleepers are found by value, wakes all that saw
/// `had`.
pub(crate) fn wake_all(word: &AtomicU64, had: u64) {
    let mut queue = QUEUE.lock().expect("no model panics while it holds the queue");
    let by_value = FOUND_BY_VALUE.load(Ordering::SeqCst);
    let others = |it: &Sleeper| it.address != address(word) || by_value && it.value != had & !MARKS;
    queue.sleepers.retain(others);
    WAKES.notify_all();
}

fn address(word: &AtomicU64) -> usize {
    core::ptr::from_ref(word).addr()
}
