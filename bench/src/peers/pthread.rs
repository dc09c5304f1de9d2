//! POSIX primitives that processes share, in the shared words. Worker 0 initialises them.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU64, Ordering};

use libc::{PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_SHARED, c_int};

use crate::harness::mailbox::TOTAL;
use crate::harness::worker::{Shared, Worker, Workload};
use crate::workloads::{
    self, Turns, add, add_fairly, add_long, add_one, hold_or_wait, read, read_mostly, take_turns,
    write,
};

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload::process("mutex/pthread", |it| add(it, Mutex::at(it.shared(), false))),
    Workload::process("mutex/robust", |it| add(it, Mutex::at(it.shared(), true))),
    Workload::process("fair/robust", |it| add_fairly(it, Mutex::at(it.shared(), true))),
    Workload::process("long-mutex/pthread", |it| add_long(it, Mutex::at(it.shared(), false))),
    Workload::process("long-mutex/robust", |it| add_long(it, Mutex::at(it.shared(), true))),
    Workload::process("read/pthread", |it| read(it, RwLock::at(it.shared()))),
    Workload::process("write/pthread", |it| write(it, RwLock::at(it.shared()))),
    Workload::process("read-mostly/pthread", |it| read_mostly(it, RwLock::at(it.shared()))),
    Workload::process("permit/pthread", acquire_permits),
    Workload::process("condition/robust", |it| take_turns(it, Condvars::at(it.shared()))),
    Workload::process("semaphore/pthread", |it| take_turns(it, Semaphores::at(it.shared(), 0))),
    Workload::process("takeover/robust", take_over),
];

/// Acquires the only permit of a semaphore and releases it.
fn acquire_permits(worker: &Worker) {
    let permits = Semaphores::at(worker.shared(), 1);
    worker.repeat(|| {
        permits.take(0);
        permits.give(0);
    });
}

fn take_over(worker: &Worker) {
    let mutex = Mutex::at(worker.shared(), true);
    let wait = || {
        mutex.lock();
        mutex.unlock();
    };
    hold_or_wait(worker, || mutex.lock(), wait);
}

/// Panics unless a call succeeded.
fn check(code: c_int) {
    assert_eq!(code, 0, "POSIX refused a call: {}", std::io::Error::from_raw_os_error(code));
}

/// The functions that make the attributes `A`, and with them a primitive `T`.
struct Initialiser<T, A> {
    init_attributes: unsafe extern "C" fn(*mut A) -> c_int,
    set_shared: unsafe extern "C" fn(*mut A, c_int) -> c_int,
    init: unsafe extern "C" fn(*mut T, *const A) -> c_int,
}

impl<T, A> Initialiser<T, A> {
    /// Initialises a primitive that processes share, after `adapt` completed its attributes.
    ///
    /// # Safety
    ///
    /// The functions belong together, `raw` has room for a `T`, and no process uses it yet.
    unsafe fn run(&self, raw: *mut T, adapt: impl FnOnce(*mut A)) {
        let mut attributes = MaybeUninit::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: room for attributes, which are not in use.
        check(unsafe { (self.init_attributes)(attributes) });
        // SAFETY: initialised above.
        check(unsafe { (self.set_shared)(attributes, PTHREAD_PROCESS_SHARED) });
        adapt(attributes);
        // SAFETY: the attributes are initialised, and the caller answers for `raw`.
        check(unsafe { (self.init)(raw, attributes) });
    }
}

/// A mutex, and a counter beside it.
struct Mutex<'a> {
    raw: *mut libc::pthread_mutex_t,
    total: &'a AtomicU64,
}

impl<'a> Mutex<'a> {
    fn at(shared: Shared<'a>, robust: bool) -> Self {
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
    fn lock(&self) {
        // SAFETY: worker 0 initialised it before the others started. This thread does not hold it.
        let code = unsafe { libc::pthread_mutex_lock(self.raw) };
        if code != 0 {
            self.make_consistent(code);
        }
    }

    #[cold]
    fn make_consistent(&self, code: c_int) {
        assert_eq!(code, libc::EOWNERDEAD, "cannot acquire a mutex");
        // SAFETY: robust, held by this thread, and inconsistent.
        check(unsafe { libc::pthread_mutex_consistent(self.raw) });
    }

    #[inline]
    fn unlock(&self) {
        // SAFETY: initialised, and held by this thread.
        check(unsafe { libc::pthread_mutex_unlock(self.raw) });
    }
}

impl workloads::Mutex for Mutex<'_> {
    #[inline]
    fn add(&self, section: impl FnOnce()) {
        self.lock();
        add_one(self.total);
        section();
        self.unlock();
    }
}

/// A lock for readers and writers, and a counter beside it.
struct RwLock<'a> {
    raw: *mut libc::pthread_rwlock_t,
    total: &'a AtomicU64,
}

impl<'a> RwLock<'a> {
    fn at(shared: Shared<'a>) -> Self {
        const { assert!(size_of::<libc::pthread_rwlock_t>() <= TOTAL * 8) };
        let lock = Self { raw: shared.pointer(0), total: shared.word(TOTAL) };
        if shared.create {
            lock.total.store(0, Ordering::Relaxed);
            let initialiser = Initialiser {
                init_attributes: libc::pthread_rwlockattr_init,
                set_shared: libc::pthread_rwlockattr_setpshared,
                init: libc::pthread_rwlock_init,
            };
            // SAFETY: the three are for rwlocks. Other workers start only later.
            unsafe { initialiser.run(lock.raw, |_| ()) };
        }
        lock
    }

    #[inline]
    fn unlock(&self) {
        // SAFETY: initialised, and held by this thread.
        check(unsafe { libc::pthread_rwlock_unlock(self.raw) });
    }
}

impl workloads::RwLock for RwLock<'_> {
    #[inline]
    fn read(&self) -> u64 {
        // SAFETY: worker 0 initialised it before the others started.
        check(unsafe { libc::pthread_rwlock_rdlock(self.raw) });
        let total = self.total.load(Ordering::Relaxed);
        self.unlock();
        total
    }

    #[inline]
    fn write(&self) {
        // SAFETY: worker 0 initialised it before the others started. This thread does not hold it.
        check(unsafe { libc::pthread_rwlock_wrlock(self.raw) });
        add_one(self.total);
        self.unlock();
    }
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
