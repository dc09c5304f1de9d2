//! The least code that makes a futex usable.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::harness::futex;
use crate::harness::mailbox::TOTAL;
use crate::harness::worker::{Shared, Worker, Workload};
use crate::workloads::crowd::wait_in_crowd;
use crate::workloads::locking::{add, add_long, add_one};
use crate::workloads::primitives::{self, Turns};
use crate::workloads::turns::take_turns;

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload::process("mutex/futex", |it| add(it, Mutex::at(it.shared()))),
    Workload::process("long-mutex/futex", |it| add_long(it, Mutex::at(it.shared()))),
    Workload::process("condition/futex", |it| take_turns(it, Flags::at(it.shared()))),
    Workload::process("semaphore/futex", |it| take_turns(it, Flags::at(it.shared()))),
    Workload::process("event/futex", |it| take_turns(it, Flags::at(it.shared()))),
    Workload::process("idle/futex", idle),
];

fn idle(worker: &Worker) {
    let flags = Flags::at(worker.shared());
    wait_in_crowd(worker, || (), || flags.take(0));
}

/// The second mutex of Drepper's "Futexes Are Tricky".
///
/// | value | meaning |
/// |---|---|
/// | 0 | free |
/// | 1 | held, without a waiter |
/// | 2 | held, and a waiter may sleep |
struct Mutex<'a> {
    state: &'a AtomicU64,
    total: &'a AtomicU64,
}

impl<'a> Mutex<'a> {
    fn at(shared: Shared<'a>) -> Self {
        if shared.create {
            shared.word(0).store(0, Ordering::Relaxed);
            shared.word(TOTAL).store(0, Ordering::Relaxed);
        }
        Self { state: shared.word(0), total: shared.word(TOTAL) }
    }

    #[cold]
    fn lock_held(&self, mut found: u64) {
        if found != 2 {
            found = self.state.swap(2, Ordering::Acquire);
        }
        while found != 0 {
            futex::wait(self.state, 2);
            found = self.state.swap(2, Ordering::Acquire);
        }
    }
}

impl primitives::Mutex for Mutex<'_> {
    #[inline]
    fn add(&self, section: impl FnOnce()) {
        let free = self.state.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed);
        if let Err(found) = free {
            self.lock_held(found);
        }
        add_one(self.total);
        section();
        if self.state.swap(0, Ordering::Release) == 2 {
            futex::wake_one(self.state);
        }
    }
}

/// A word for each side, which waits until the word is 1.
struct Flags<'a>([&'a AtomicU64; 2]);

impl<'a> Flags<'a> {
    fn at(shared: Shared<'a>) -> Self {
        let flags = [0, 16].map(|at| shared.word(at));
        if shared.create {
            flags.iter().for_each(|flag| flag.store(0, Ordering::Relaxed));
        }
        Self(flags)
    }
}

impl Turns for Flags<'_> {
    fn give(&self, to: usize) {
        self.0[to].store(1, Ordering::Release);
        futex::wake_one(self.0[to]);
    }

    fn take(&self, own: usize) {
        while self.0[own].swap(0, Ordering::Acquire) == 0 {
            futex::wait(self.0[own], 0);
        }
    }
}
