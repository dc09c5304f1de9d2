//! What POSIX has for processes: bytes of a place on the ground, initialised by one of the hands.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU64, Ordering};

use libc::{PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_SHARED, c_int};

use crate::hand::{Place, TOTAL, add_one};
use crate::sync::{Lock, ReadWrite, Turns};

/// Fails unless a call succeeded.
fn sure(code: c_int) {
    assert_eq!(code, 0, "POSIX refused: {}", std::io::Error::from_raw_os_error(code));
}

/// A mutex, and a counter beside it.
pub(crate) struct Mutex<'a> {
    raw: *mut libc::pthread_mutex_t,
    total: &'a AtomicU64,
}

impl<'a> Mutex<'a> {
    pub(crate) fn at(place: Place<'a>, robust: bool) -> Self {
        const { assert!(size_of::<libc::pthread_mutex_t>() <= TOTAL * 8) };
        let mutex = Self { raw: place.pointer(0), total: place.word(TOTAL) };
        if place.make {
            mutex.total.store(0, Ordering::Relaxed);
            mutex.make(robust);
        }
        mutex
    }

    fn make(&self, robust: bool) {
        let mut attributes = MaybeUninit::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: room for attributes, which nobody uses yet.
        sure(unsafe { libc::pthread_mutexattr_init(attributes) });
        // SAFETY: initialised above, as for the two calls below.
        sure(unsafe { libc::pthread_mutexattr_setpshared(attributes, PTHREAD_PROCESS_SHARED) });
        if robust {
            // SAFETY: as above.
            sure(unsafe { libc::pthread_mutexattr_setrobust(attributes, PTHREAD_MUTEX_ROBUST) });
        }
        // SAFETY: room for a mutex in the place, which is the crew's and not yet used.
        sure(unsafe { libc::pthread_mutex_init(self.raw, attributes) });
    }

    #[inline]
    pub(crate) fn lock(&self) {
        // SAFETY: one hand initialised it before the others started; this one does not hold it.
        let code = unsafe { libc::pthread_mutex_lock(self.raw) };
        if code != 0 {
            self.inherit(code);
        }
    }

    #[cold]
    fn inherit(&self, code: c_int) {
        assert_eq!(code, libc::EOWNERDEAD, "a mutex gives itself, or that of a dead owner");
        // SAFETY: robust, held by this thread, and told to be inconsistent.
        sure(unsafe { libc::pthread_mutex_consistent(self.raw) });
    }

    #[inline]
    pub(crate) fn unlock(&self) {
        // SAFETY: initialised, and held by this thread.
        sure(unsafe { libc::pthread_mutex_unlock(self.raw) });
    }
}

impl Lock for Mutex<'_> {
    #[inline]
    fn add(&self, section: impl FnOnce()) {
        self.lock();
        add_one(self.total);
        section();
        self.unlock();
    }
}

/// A lock for readers and writers, and a counter beside it.
pub(crate) struct RwLock<'a> {
    raw: *mut libc::pthread_rwlock_t,
    total: &'a AtomicU64,
}

impl<'a> RwLock<'a> {
    pub(crate) fn at(place: Place<'a>) -> Self {
        const { assert!(size_of::<libc::pthread_rwlock_t>() <= TOTAL * 8) };
        let lock = Self { raw: place.pointer(0), total: place.word(TOTAL) };
        if place.make {
            lock.total.store(0, Ordering::Relaxed);
            lock.make();
        }
        lock
    }

    fn make(&self) {
        let mut attributes = MaybeUninit::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: room for attributes, which nobody uses yet.
        sure(unsafe { libc::pthread_rwlockattr_init(attributes) });
        // SAFETY: initialised above.
        sure(unsafe { libc::pthread_rwlockattr_setpshared(attributes, PTHREAD_PROCESS_SHARED) });
        // SAFETY: room for a lock in the place, which is the crew's and not yet used.
        sure(unsafe { libc::pthread_rwlock_init(self.raw, attributes) });
    }

    #[inline]
    fn unlock(&self) {
        // SAFETY: initialised, and held by this thread.
        sure(unsafe { libc::pthread_rwlock_unlock(self.raw) });
    }
}

impl ReadWrite for RwLock<'_> {
    #[inline]
    fn read(&self) -> u64 {
        // SAFETY: one hand initialised it before the others started.
        sure(unsafe { libc::pthread_rwlock_rdlock(self.raw) });
        let total = self.total.load(Ordering::Relaxed);
        self.unlock();
        total
    }

    #[inline]
    fn write(&self) {
        // SAFETY: one hand initialised it before the others started; this one does not hold it.
        sure(unsafe { libc::pthread_rwlock_wrlock(self.raw) });
        add_one(self.total);
        self.unlock();
    }
}

/// A flag and a condition for each side, under one robust mutex.
pub(crate) struct Mailboxes<'a> {
    mutex: Mutex<'a>,
    full: [&'a AtomicU64; 2],
    filled: [*mut libc::pthread_cond_t; 2],
}

impl<'a> Mailboxes<'a> {
    pub(crate) fn at(place: Place<'a>) -> Self {
        let mutex = Mutex::at(place, true);
        let full = [5, 6].map(|at| place.word(at));
        let mailboxes = Self { mutex, full, filled: [16, 32].map(|at| place.pointer(at)) };
        if place.make {
            full.iter().for_each(|full| full.store(0, Ordering::Relaxed));
            mailboxes.filled.into_iter().for_each(Self::make);
        }
        mailboxes
    }

    fn make(raw: *mut libc::pthread_cond_t) {
        let mut attributes = MaybeUninit::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: room for attributes, which nobody uses yet.
        sure(unsafe { libc::pthread_condattr_init(attributes) });
        // SAFETY: initialised above.
        sure(unsafe { libc::pthread_condattr_setpshared(attributes, PTHREAD_PROCESS_SHARED) });
        // SAFETY: room for a condition in the place, which is the crew's and not yet used.
        sure(unsafe { libc::pthread_cond_init(raw, attributes) });
    }
}

impl Turns for Mailboxes<'_> {
    fn give(&self, to: usize) {
        self.mutex.lock();
        self.full[to].store(1, Ordering::Relaxed);
        self.mutex.unlock();
        // SAFETY: one hand initialised it before the others started.
        sure(unsafe { libc::pthread_cond_signal(self.filled[to]) });
    }

    fn take(&self, own: usize) {
        self.mutex.lock();
        while self.full[own].load(Ordering::Relaxed) == 0 {
            // SAFETY: both are initialised, all wait with this mutex, and this thread holds it.
            sure(unsafe { libc::pthread_cond_wait(self.filled[own], self.mutex.raw) });
        }
        self.full[own].store(0, Ordering::Relaxed);
        self.mutex.unlock();
    }
}

/// Two semaphores.
pub(crate) struct Semaphores([*mut libc::sem_t; 2]);

impl Semaphores {
    pub(crate) fn at(place: Place<'_>, permits: u32) -> Self {
        let raw = [0, 16].map(|at| place.pointer(at));
        if place.make {
            for raw in raw {
                // SAFETY: room for a semaphore in the place, which is the crew's and not yet used.
                let code = unsafe { libc::sem_init(raw, 1, permits) };
                assert_eq!(code, 0, "a semaphore can be made");
            }
        }
        Self(raw)
    }
}

impl Turns for Semaphores {
    #[inline]
    fn give(&self, to: usize) {
        // SAFETY: one hand initialised it before the others started.
        let code = unsafe { libc::sem_post(self.0[to]) };
        assert_eq!(code, 0, "there are few permits");
    }

    #[inline]
    fn take(&self, own: usize) {
        // SAFETY: as above. A signal may end it early, and there is none here.
        let code = unsafe { libc::sem_wait(self.0[own]) };
        assert_eq!(code, 0, "no signal comes");
    }
}
