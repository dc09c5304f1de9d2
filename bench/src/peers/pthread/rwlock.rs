//! Locks for readers and writers.

use std::sync::atomic::{AtomicU64, Ordering};

use libc::c_int;

use super::initialiser::{Initialiser, check};
use crate::harness::mailbox::TOTAL;
use crate::harness::worker::{Shared, Workload};
use crate::workloads::contention::contend_for_rw_lock;
use crate::workloads::locking::{add_one, read, read_mostly, write};
use crate::workloads::primitives;

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload::process("read/pthread", |it| read(it, RwLock::at(it.shared(), false))),
    Workload::process("write/pthread", |it| write(it, RwLock::at(it.shared(), false))),
    Workload::process("read-mostly/pthread", |it| read_mostly(it, RwLock::at(it.shared(), false))),
    Workload::process("fair-rwlock/pthread", |it| {
        contend_for_rw_lock(it, RwLock::at(it.shared(), false));
    }),
    Workload::process("fair-rwlock/writers-first", |it| {
        contend_for_rw_lock(it, RwLock::at(it.shared(), true));
    }),
];

/// `PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP`. By default, readers come first.
const WRITERS_FIRST: c_int = 2;

/// A lock for readers and writers, and a counter beside it.
struct RwLock<'a> {
    raw: *mut libc::pthread_rwlock_t,
    total: &'a AtomicU64,
}

impl<'a> RwLock<'a> {
    fn at(shared: Shared<'a>, writers_first: bool) -> Self {
        const { assert!(size_of::<libc::pthread_rwlock_t>() <= TOTAL * 8) };
        let lock = Self { raw: shared.pointer(0), total: shared.word(TOTAL) };
        if shared.create {
            lock.total.store(0, Ordering::Relaxed);
            let initialiser = Initialiser {
                init_attributes: libc::pthread_rwlockattr_init,
                set_shared: libc::pthread_rwlockattr_setpshared,
                init: libc::pthread_rwlock_init,
            };
            let adapt = |attributes| {
                if writers_first {
                    // SAFETY: `run` passes initialised attributes.
                    check(unsafe {
                        libc::pthread_rwlockattr_setkind_np(attributes, WRITERS_FIRST)
                    });
                }
            };
            // SAFETY: the three are for rwlocks. Other workers start only later.
            unsafe { initialiser.run(lock.raw, adapt) };
        }
        lock
    }

    #[inline]
    fn lock_shared(&self) {
        // SAFETY: worker 0 initialised it before the others started.
        check(unsafe { libc::pthread_rwlock_rdlock(self.raw) });
    }

    #[inline]
    fn lock(&self) {
        // SAFETY: worker 0 initialised it before the others started. This thread does not hold it.
        check(unsafe { libc::pthread_rwlock_wrlock(self.raw) });
    }

    #[inline]
    fn unlock(&self) {
        // SAFETY: initialised, and held by this thread.
        check(unsafe { libc::pthread_rwlock_unlock(self.raw) });
    }
}

impl primitives::RwLock for RwLock<'_> {
    #[inline]
    fn read(&self, section: impl FnOnce()) -> u64 {
        self.lock_shared();
        let total = self.total.load(Ordering::Relaxed);
        section();
        self.unlock();
        total
    }

    #[inline]
    fn write(&self, section: impl FnOnce()) {
        self.lock();
        add_one(self.total);
        section();
        self.unlock();
    }
}
