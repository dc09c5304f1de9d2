//! Mutexes, robust or not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libc::{PTHREAD_MUTEX_ROBUST, c_int};

use super::initialiser::{Initialiser, check};
use crate::harness::mailbox::TOTAL;
use crate::harness::worker::{Shared, Worker, Workload};
use crate::workloads::contention::{ATTEMPT, contend};
use crate::workloads::crowd::wait_in_crowd;
use crate::workloads::locking::{add, add_long, add_one};
use crate::workloads::primitives;
use crate::workloads::takeover::hold_or_wait;

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload::process("mutex/pthread", |it| add(it, Mutex::at(it.shared(), false))),
    Workload::process("mutex/robust", |it| add(it, robust(it))),
    Workload::process("long-mutex/pthread", |it| add_long(it, Mutex::at(it.shared(), false))),
    Workload::process("long-mutex/robust", |it| add_long(it, robust(it))),
    Workload::process("fair/robust", contend_for_mutex),
    Workload::process("fair-rwlock/robust", contend_for_mutex),
    Workload::process("fair-permit/robust", contend_for_mutex),
    Workload::process("takeover/robust", take_over),
    Workload::process("timeouts/robust", time_out),
    Workload::process("idle/robust", idle),
];

fn robust(worker: &Worker) -> Mutex<'_> {
    Mutex::at(worker.shared(), true)
}

fn contend_for_mutex(worker: &Worker) {
    let mutex = robust(worker);
    contend(worker, |what, section| {
        if what == ATTEMPT {
            if !mutex.try_lock() {
                return;
            }
        } else {
            mutex.lock();
        }
        section();
        mutex.unlock();
    });
}

fn take_over(worker: &Worker) {
    let mutex = robust(worker);
    hold_or_wait(worker, || mutex.lock(), || mutex.lock_briefly());
}

fn time_out(worker: &Worker) {
    let (mutex, timeout) = (robust(worker), Duration::from_nanos(worker.argument() as u64));
    hold_or_wait(worker, || mutex.lock(), || assert!(!mutex.lock_timeout(timeout)));
}

fn idle(worker: &Worker) {
    let mutex = robust(worker);
    wait_in_crowd(worker, || mutex.lock(), || mutex.lock_briefly());
}

/// A mutex, and a counter beside it.
pub(super) struct Mutex<'a> {
    pub(super) raw: *mut libc::pthread_mutex_t,
    total: &'a AtomicU64,
}

// SAFETY: threads use the mutex only by the functions of POSIX, and the counter is atomic.
unsafe impl Sync for Mutex<'_> {}

impl<'a> Mutex<'a> {
    pub(super) fn at(shared: Shared<'a>, robust: bool) -> Self {
        const { assert!(size_of::<libc::pthread_mutex_t>() <= TOTAL * 8) };
        let mutex = Self { raw: shared.pointer(0), total: shared.word(TOTAL) };
        if shared.create {
            mutex.total.store(0, Ordering::Relaxed);
            mutex.init(robust);
        }
        mutex
    }

    fn init(&self, robust: bool) {
        let initialiser = Initialiser {
            init_attributes: libc::pthread_mutexattr_init,
            set_shared: libc::pthread_mutexattr_setpshared,
            init: libc::pthread_mutex_init,
        };
        let adapt = |attributes| {
            if robust {
                // SAFETY: `run` passes initialised attributes.
                check(unsafe {
                    libc::pthread_mutexattr_setrobust(attributes, PTHREAD_MUTEX_ROBUST)
                });
            }
        };
        // SAFETY: the three are for mutexes. Other workers start only later.
        unsafe { initialiser.run(self.raw, adapt) };
    }

    #[inline]
    pub(super) fn lock(&self) {
        // SAFETY: worker 0 initialised it before the others started. This thread does not hold it.
        let code = unsafe { libc::pthread_mutex_lock(self.raw) };
        if code != 0 {
            self.make_consistent(code);
        }
    }

    /// Returns whether it was free, and is held now.
    fn try_lock(&self) -> bool {
        // SAFETY: as above.
        let code = unsafe { libc::pthread_mutex_trylock(self.raw) };
        if code != 0 && code != libc::EBUSY {
            self.make_consistent(code);
        }
        code != libc::EBUSY
    }

    /// Returns whether it became free within `timeout`, and is held now.
    fn lock_timeout(&self, timeout: Duration) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
        let until = now + timeout;
        let until = libc::timespec {
            tv_sec: until.as_secs() as libc::time_t,
            tv_nsec: until.subsec_nanos().into(),
        };
        // SAFETY: as above, and the time outlives the call.
        let code = unsafe { libc::pthread_mutex_timedlock(self.raw, &raw const until) };
        if code != 0 && code != libc::ETIMEDOUT {
            self.make_consistent(code);
        }
        code != libc::ETIMEDOUT
    }

    #[cold]
    fn make_consistent(&self, code: c_int) {
        assert_eq!(code, libc::EOWNERDEAD, "cannot acquire a mutex");
        // SAFETY: robust, held by this thread, and inconsistent.
        check(unsafe { libc::pthread_mutex_consistent(self.raw) });
    }

    fn lock_briefly(&self) {
        self.lock();
        self.unlock();
    }

    #[inline]
    pub(super) fn unlock(&self) {
        // SAFETY: initialised, and held by this thread.
        check(unsafe { libc::pthread_mutex_unlock(self.raw) });
    }
}

impl primitives::Mutex for Mutex<'_> {
    #[inline]
    fn add(&self, section: impl FnOnce()) {
        self.lock();
        add_one(self.total);
        section();
        self.unlock();
    }
}
