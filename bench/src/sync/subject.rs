//! shmkit's own: objects in the bench's directory, made by whichever hand comes first.

use shmkit::sync::named::Named;
use shmkit::sync::{self, LockError, LockResult, MutexGuard, Permit, Reset, WriteGuard};
use shmkit::{ErrorKind, Result};

use crate::hand::Hand;
use crate::sync::{Lock, ReadWrite, Turns};

const LIVE: &str = "nobody is killed here";
const OURS: &str = "the directory is ours";

/// What is under a name that only this crew's objects have.
fn open<P: sync::Primitive>(hand: &Hand, what: &str, initial: P::Initial) -> Named<P> {
    let options = Named::options().directory(hand.directory());
    options.open_or_create(&hand.name(what), initial).expect(OURS)
}

/// The guard of one who died is as good as any, once that was told.
fn inherited<G>(answer: LockResult<G>, mend: impl Fn(&mut G)) -> G {
    answer.unwrap_or_else(|error| match error {
        LockError::OwnerDied(mut guard) => {
            mend(&mut guard);
            guard
        }
        error => panic!("{error}"),
    })
}

/// `shmkit::sync::Mutex`.
pub(crate) struct Mutex(Named<sync::Mutex<u64>>);

impl Mutex {
    pub(crate) fn of(hand: &Hand) -> Self {
        Self(open(hand, "mutex", 0))
    }

    /// Locks, also after a death.
    pub(crate) fn inherit(&self) -> MutexGuard<'_, u64> {
        inherited(self.0.lock(), MutexGuard::mark_consistent)
    }
}

impl Lock for Mutex {
    #[inline]
    fn add(&self, section: impl FnOnce()) {
        let mut total = self.0.lock().expect(LIVE);
        *total += 1;
        section();
    }
}

/// `shmkit::sync::RwLock`.
pub(crate) struct RwLock(Named<sync::RwLock<u64>>);

impl RwLock {
    pub(crate) fn of(hand: &Hand) -> Self {
        Self(open(hand, "rwlock", 0))
    }

    /// Locks for writing, also after a death.
    pub(crate) fn inherit(&self) -> WriteGuard<'_, u64> {
        inherited(self.0.write(), WriteGuard::mark_consistent)
    }
}

impl ReadWrite for RwLock {
    #[inline]
    fn read(&self) -> u64 {
        *self.0.read().expect(LIVE)
    }

    #[inline]
    fn write(&self) {
        *self.0.write().expect(LIVE) += 1;
    }
}

/// A mutex around a flag for each side, and a condition for each.
pub(crate) struct Mailboxes(Named<(sync::Mutex<[u64; 2]>, [sync::Condvar; 2])>);

impl Mailboxes {
    pub(crate) fn of(hand: &Hand) -> Self {
        Self(open(hand, "mailboxes", ([0; 2], [(); 2])))
    }
}

impl Turns for Mailboxes {
    fn give(&self, to: usize) {
        let (full, filled) = &*self.0;
        full.lock().expect(LIVE)[to] = 1;
        filled[to].notify_one().expect(LIVE);
    }

    fn take(&self, own: usize) {
        let (full, filled) = &*self.0;
        let mut full = full.lock().expect(LIVE);
        while full[own] == 0 {
            full = filled[own].wait(full).expect(LIVE);
        }
        full[own] = 0;
    }
}

/// Two semaphores.
pub(crate) struct Semaphores(Named<[sync::Semaphore; 2]>);

impl Semaphores {
    pub(crate) fn of(hand: &Hand, permits: u32) -> Self {
        Self(open(hand, "semaphores", [permits; 2]))
    }

    /// Takes a permit that comes back.
    #[inline]
    pub(crate) fn acquire(&self) -> Permit<'_> {
        self.0[0].acquire().expect(LIVE)
    }
}

impl Turns for Semaphores {
    #[inline]
    fn give(&self, to: usize) {
        self.0[to].post(1).expect(LIVE);
    }

    #[inline]
    fn take(&self, own: usize) {
        self.0[own].consume().expect(LIVE);
    }
}

/// Two events, each taken by the one who waits for it.
pub(crate) struct Events(Named<[sync::Event; 2]>);

impl Events {
    pub(crate) fn of(hand: &Hand) -> Self {
        Self(open(hand, "events", [Reset::Automatic; 2]))
    }
}

impl Turns for Events {
    fn give(&self, to: usize) {
        self.0[to].set().expect(LIVE);
    }

    fn take(&self, own: usize) {
        self.0[own].wait().expect(LIVE);
    }
}

/// A barrier for two.
pub(crate) struct Barrier(Named<sync::Barrier>);

impl Barrier {
    pub(crate) fn of(hand: &Hand) -> Self {
        Self(open(hand, "barrier", 2))
    }

    /// Becomes a party.
    pub(crate) fn join(&self) -> sync::BarrierParty<'_> {
        self.0.join().expect("the other one's place is not taken twice")
    }

    /// Waits in vain: the other party dies.
    pub(crate) fn miss(&self) {
        let met: Result<_> = self.join().wait();
        assert_eq!(met.map_err(|error| error.kind()), Err(ErrorKind::PeerDied));
    }
}
