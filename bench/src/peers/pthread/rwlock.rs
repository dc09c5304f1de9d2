//! Locks for readers and writers.

use std::sync::atomic::{AtomicU64, Ordering};

use super::initialiser::{Initialiser, check};
use crate::harness::mailbox::TOTAL;
use crate::harness::worker::{Shared, Workload};
use crate::workloads::locking::{add_one, read, read_mostly, write};
use crate::workloads::primitives;

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload::process("read/pthread", |it| read(it, RwLock::at(it.shared()))),
    Workload::process("write/pthread", |it| write(it, RwLock::at(it.shared()))),
    Workload::process("read-mostly/pthread", |it| read_mostly(it, RwLock::at(it.shared()))),
];

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

impl primitives::RwLock for RwLock<'_> {
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
