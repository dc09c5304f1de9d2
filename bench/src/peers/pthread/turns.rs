//! Conditions and semaphores, by which workers wait for each other.

use std::sync::atomic::{AtomicU64, Ordering};

use super::initialiser::{Initialiser, check};
use super::mutex::Mutex;
use crate::harness::worker::{Shared, Worker, Workload};
use crate::workloads::contention::{contend, contend_for_turns};
use crate::workloads::primitives::Turns;
use crate::workloads::turns::take_turns;

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload::process("permit/pthread", acquire_permits),
    Workload::process("condition/robust", |it| take_turns(it, Condvars::at(it.shared()))),
    Workload::process("semaphore/pthread", |it| take_turns(it, Semaphores::at(it.shared(), 0))),
    Workload::process("fair-permit/sem_t", |it| contend_for_permits(it, 1)),
    Workload::process("fair-permits/sem_t", |it| contend_for_permits(it, 2)),
    Workload::process("fair-condition/robust", |it| {
        contend_for_turns(it, Condvars::at(it.shared()));
    }),
];

fn contend_for_permits(worker: &Worker, permits: u32) {
    let permits = Semaphores::at(worker.shared(), permits);
    contend(worker, |_, section| {
        permits.take(0);
        section();
        permits.give(0);
    });
}

/// Acquires the only permit of a semaphore and releases it.
fn acquire_permits(worker: &Worker) {
    let permits = Semaphores::at(worker.shared(), 1);
    worker.repeat(|| {
        permits.take(0);
        permits.give(0);
    });
}

/// A flag and a condition for each side, under one robust mutex.
struct Condvars<'a> {
    mutex: Mutex<'a>,
    full: [&'a AtomicU64; 2],
    filled: [*mut libc::pthread_cond_t; 2],
}

impl<'a> Condvars<'a> {
    fn at(shared: Shared<'a>) -> Self {
        let mutex = Mutex::at(shared, true);
        let full = [5, 6].map(|at| shared.word(at));
        let filled = [16, 32].map(|at| shared.pointer(at));
        if shared.create {
            full.iter().for_each(|full| full.store(0, Ordering::Relaxed));
            let initialiser = Initialiser {
                init_attributes: libc::pthread_condattr_init,
                set_shared: libc::pthread_condattr_setpshared,
                init: libc::pthread_cond_init,
            };
            for raw in filled {
                // SAFETY: the three are for conditions. Other workers start only later.
                unsafe { initialiser.run(raw, |_| ()) };
            }
        }
        Self { mutex, full, filled }
    }
}

impl Turns for Condvars<'_> {
    fn give(&self, to: usize) {
        self.mutex.lock();
        self.full[to].store(1, Ordering::Relaxed);
        self.mutex.unlock();
        // SAFETY: worker 0 initialised it before the others started.
        check(unsafe { libc::pthread_cond_signal(self.filled[to]) });
    }

    fn take(&self, own: usize) {
        self.mutex.lock();
        while self.full[own].load(Ordering::Relaxed) == 0 {
            // SAFETY: both are initialised, all waiters use this mutex, and this thread holds it.
            check(unsafe { libc::pthread_cond_wait(self.filled[own], self.mutex.raw) });
        }
        self.full[own].store(0, Ordering::Relaxed);
        self.mutex.unlock();
    }
}

/// A semaphore for each side.
struct Semaphores([*mut libc::sem_t; 2]);

impl Semaphores {
    fn at(shared: Shared<'_>, permits: u32) -> Self {
        let raw = [0, 16].map(|at| shared.pointer(at));
        if shared.create {
            for raw in raw {
                // SAFETY: room for a semaphore, which other workers use only when they started.
                let code = unsafe { libc::sem_init(raw, 1, permits) };
                assert_eq!(code, 0, "cannot initialise a semaphore");
            }
        }
        Self(raw)
    }
}

impl Turns for Semaphores {
    #[inline]
    fn give(&self, to: usize) {
        // SAFETY: worker 0 initialised it before the others started.
        let code = unsafe { libc::sem_post(self.0[to]) };
        assert_eq!(code, 0, "cannot release a permit");
    }

    #[inline]
    fn take(&self, own: usize) {
        // SAFETY: as above. Only a signal could end the wait early, and a worker gets none.
        let code = unsafe { libc::sem_wait(self.0[own]) };
        assert_eq!(code, 0, "cannot acquire a permit");
    }
}
