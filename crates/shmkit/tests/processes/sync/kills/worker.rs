//! A worker, which uses one of every primitive at random, and checks what it finds.

use std::hint::spin_loop;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use shmkit::sync::{
    Barrier, Condvar, Event, Latch, Mutex, MutexGuard, Once, ReentrantMutex, Reset, RwLock,
    Semaphore,
};
use shmkit::{ErrorKind, Object, Result};

use super::monitor::{self, Monitor};
use crate::sync::guarded::{Buffer, Counts, guard_and_death};
use crate::test_dir::primitive_in;
use crate::times::TIMEOUT;
use crate::values::Random;

/// One of every primitive that can be used again, in one object.
pub(super) type Shared = (
    Mutex<Counts>,
    ReentrantMutex<Counts>,
    RwLock<Counts>,
    (Mutex<Buffer>, [Condvar; 2]),
    [Semaphore; 2],
    [Event; 2],
    Barrier,
);

pub(super) const NAME: &str = "shared";
/// The permits of the two semaphores.
pub(super) const PERMITS: [u32; 2] = [1, 3];
const PARTIES: u32 = 3;
const SHORT: Duration = Duration::from_micros(50);

type Operation = fn(&mut Worker, &Shared);

pub(super) const OPERATIONS: [(&str, Operation); 14] = [
    ("lock", Worker::lock),
    ("lock twice", Worker::lock_twice),
    ("read", Worker::read),
    ("upgrade", Worker::upgrade),
    ("write", Worker::write),
    ("put", Worker::put),
    ("take", Worker::take),
    ("acquire the only permit", Worker::acquire_only_permit),
    ("acquire one of the permits", Worker::acquire_permit),
    ("manual event", Worker::use_manual_event),
    ("automatic event", Worker::use_automatic_event),
    ("barrier", Worker::wait_at_barrier),
    ("once", Worker::call_once),
    ("latch", Worker::use_latch),
];

pub(super) struct Worker {
    id: u64,
    directory: PathBuf,
    monitor: Monitor,
    random: Random,
    once: (u64, Rc<Object<Once>>),
    latch: (u64, Rc<Object<Latch>>),
    /// Whether it sometimes leaves a half-changed value to the next owner.
    pub(super) may_skip_repair: bool,
    /// How many deaths were reported to it.
    pub(super) deaths: u64,
}

pub(super) fn open_shared(directory: &Path) -> Object<Shared> {
    let empty = Counts::default();
    let buffer = (Buffer::default(), [(); 2]);
    let resets = [Reset::Manual, Reset::Automatic];
    let initial = (empty, empty, empty, buffer, PERMITS, resets, PARTIES);
    primitive_in::<Shared>(directory).open_or_create(NAME, initial).unwrap()
}

fn open_once(directory: &Path, number: u64) -> Rc<Object<Once>> {
    Rc::new(primitive_in::<Once>(directory).open_or_create(&format!("once {number}"), ()).unwrap())
}

fn open_latch(directory: &Path, number: u64) -> Rc<Object<Latch>> {
    Rc::new(primitive_in::<Latch>(directory).open_or_create(&format!("latch {number}"), 2).unwrap())
}

impl Worker {
    pub(super) fn new(directory: &Path, id: u64, random: Random) -> Self {
        Self {
            id,
            directory: directory.into(),
            monitor: Monitor::open(directory),
            random,
            once: (0, open_once(directory, 0)),
            latch: (0, open_latch(directory, 0)),
            may_skip_repair: true,
            deaths: 0,
        }
    }

    /// Runs a random operation. Returns its index in [`OPERATIONS`].
    pub(super) fn run_one(&mut self, shared: &Shared) -> usize {
        let number = self.random.below(OPERATIONS.len() as u64) as usize;
        OPERATIONS[number].1(self, shared);
        number
    }

    fn count_death(&mut self) {
        self.deaths += 1;
        self.monitor.count(monitor::DEATHS);
    }

    /// Passes time inside a critical section, where kills are to happen, and lets others run.
    fn pause(&mut self) {
        for _ in 0..self.random.below(4) {
            thread::yield_now();
        }
        for _ in 0..self.random.below(2_000) {
            spin_loop();
        }
    }

    /// Checks the counts, or repairs them after the death of the owner. Returns false if the repair
    /// was left to the next owner.
    #[track_caller]
    fn check_or_repair(&mut self, counts: &mut Counts, owner_died: bool) -> bool {
        if !owner_died {
            counts.assert_whole();
            return true;
        }
        self.count_death();
        self.monitor.assert_doomed(counts.changing);
        if self.may_skip_repair && self.random.one_in(4) {
            return false;
        }
        counts.repair();
        true
    }

    #[track_caller]
    fn change(&mut self, counts: &mut Counts) {
        counts.begin_change(self.id);
        self.pause();
        counts.finish_change(self.id);
    }

    fn lock(&mut self, shared: &Shared) {
        let (mut counts, owner_died) = guard_and_death(shared.0.lock_timeout(TIMEOUT));
        if self.check_or_repair(&mut counts, owner_died) {
            counts.mark_consistent();
            self.change(&mut counts);
        }
    }

    fn lock_twice(&mut self, shared: &Shared) {
        let (mut outer, owner_died) = guard_and_death(shared.1.lock_timeout(TIMEOUT));
        let mut inner = shared.1.lock().expect("this thread owns it");
        let mut counts = inner.get();
        if !self.check_or_repair(&mut counts, owner_died) {
            return;
        }
        counts.begin_change(self.id);
        inner.set(counts);
        outer.mark_consistent();
        drop(inner);
        self.pause();
        counts = outer.get();
        counts.finish_change(self.id);
        outer.set(counts);
    }

    fn read(&mut self, shared: &Shared) {
        let lock = &shared.2;
        let (counts, owner_died) = guard_and_death(lock.read_timeout(TIMEOUT));
        if owner_died {
            return;
        }
        let before = *counts;
        before.assert_whole();
        self.pause();
        assert_eq!(*counts, before, "another worker wrote");
        if let Some(Ok(mut counts)) = self.random.one_in(4).then(|| counts.try_upgrade()) {
            self.change(&mut counts);
        }
    }

    fn upgrade(&mut self, shared: &Shared) {
        let (counts, owner_died) = guard_and_death(shared.2.upgradable_read_timeout(TIMEOUT));
        let before = *counts;
        self.pause();
        assert_eq!(*counts, before, "another worker wrote");
        if self.random.one_in(2) {
            return;
        }
        let mut counts = counts.upgrade_timeout(TIMEOUT).unwrap();
        assert_eq!(*counts, before, "another worker wrote during the upgrade");
        if self.check_or_repair(&mut counts, owner_died) {
            counts.mark_consistent();
            self.change(&mut counts);
            counts.downgrade().assert_whole();
        }
    }

    fn write(&mut self, shared: &Shared) {
        let (mut counts, owner_died) = guard_and_death(shared.2.write_timeout(TIMEOUT));
        if self.check_or_repair(&mut counts, owner_died) {
            counts.mark_consistent();
            self.change(&mut counts);
            let counts = counts.downgrade_to_upgradable();
            self.pause();
            counts.assert_whole();
        }
    }

    /// Waits for a short time until the buffer is full or empty.
    fn lock_when<'a>(&mut self, shared: &'a Shared, full: bool) -> Option<MutexGuard<'a, Buffer>> {
        let (lock, condvars) = &shared.3;
        let (mut buffer, mut owner_died) = guard_and_death(lock.lock_timeout(TIMEOUT));
        for _ in 0..3 {
            if owner_died {
                self.count_death();
                buffer.full = buffer.put.saturating_sub(buffer.taken).min(1);
                buffer.taken = buffer.put - buffer.full;
                buffer.mark_consistent();
                condvars.iter().for_each(|condvar| condvar.notify_all().unwrap());
            }
            buffer.assert_whole();
            if (buffer.full == 1) == full {
                return Some(buffer);
            }
            (buffer, owner_died) = match condvars[usize::from(full)].wait_timeout(buffer, SHORT) {
                Ok((guard, _)) => (guard, false),
                Err(error) => (error.into_guard().unwrap().0, true),
            };
        }
        owner_died.then(|| condvars.iter().for_each(|condvar| condvar.notify_all().unwrap()));
        None
    }

    fn put(&mut self, shared: &Shared) {
        let Some(mut buffer) = self.lock_when(shared, false) else { return };
        buffer.full = 1;
        self.pause();
        buffer.put += 1;
        let not_empty = &shared.3.1[1];
        let _ = if self.random.one_in(2) { not_empty.notify_one() } else { not_empty.notify_all() };
    }

    fn take(&mut self, shared: &Shared) {
        let Some(mut buffer) = self.lock_when(shared, true) else { return };
        buffer.taken += 1;
        self.pause();
        buffer.full = 0;
        shared.3.1[0].notify_one().unwrap();
    }

    fn acquire_only_permit(&mut self, shared: &Shared) {
        let _permit = shared.4[0].acquire_timeout(TIMEOUT).expect("no permit is lost");
        if self.monitor.get(monitor::ONLY_PERMIT) != 0 {
            self.monitor.count(monitor::DEATHS);
        }
        self.monitor.enter(monitor::ONLY_PERMIT, self.id);
        self.pause();
        self.monitor.leave(monitor::ONLY_PERMIT, self.id);
    }

    fn acquire_permit(&mut self, shared: &Shared) {
        let _permit = shared.4[1].acquire_timeout(TIMEOUT).expect("no permit is lost");
        let section = self.monitor.enter_with_permit(self.id);
        self.pause();
        self.monitor.leave_with_permit(section, self.id);
    }

    fn use_manual_event(&mut self, shared: &Shared) {
        let event = &shared.5[0];
        match self.random.below(3) {
            0 => event.set().unwrap(),
            1 => event.reset().unwrap(),
            _ => _ = succeeded(event.wait_timeout(SHORT)),
        }
    }

    fn use_automatic_event(&mut self, shared: &Shared) {
        let event = &shared.5[1];
        match self.random.below(3) {
            0 => event.set().unwrap(),
            1 => _ = event.try_wait().unwrap(),
            _ => _ = succeeded(event.wait_timeout(SHORT)),
        }
    }

    fn wait_at_barrier(&mut self, shared: &Shared) {
        let mut party = match shared.6.join() {
            Ok(party) => party,
            Err(error) => return assert_eq!(error.kind(), ErrorKind::Full, "{error}"),
        };
        for _ in 0..self.random.below(5) {
            succeeded(party.wait_timeout(SHORT));
        }
    }

    fn call_once(&mut self, _: &Shared) {
        let number = self.monitor.get(monitor::ONCE_NUMBER);
        if self.once.0 != number {
            self.once = (number, open_once(&self.directory, number));
        }
        let once = self.once.1.clone();
        let call = |again: bool| {
            let found = self.monitor.get(monitor::CALL_ONCE);
            if found != 0 {
                self.monitor.count(monitor::DEATHS);
            }
            assert!(again || found == 0, "the death of worker {found} was not reported");
            self.monitor.enter(monitor::CALL_ONCE, self.id);
            self.pause();
            self.monitor.leave(monitor::CALL_ONCE, self.id);
        };
        once.call_once_force(call).unwrap();
        assert!(once.is_completed());
        if self.random.one_in(64) {
            self.monitor.exchange(monitor::ONCE_NUMBER, number, number + 1);
        }
    }

    fn use_latch(&mut self, _: &Shared) {
        let number = self.monitor.get(monitor::LATCH_NUMBER);
        if self.latch.0 != number {
            self.latch = (number, open_latch(&self.directory, number));
        }
        let latch = self.latch.1.clone();
        match latch.join() {
            Ok(party) if self.random.one_in(2) => party.count_down().unwrap(),
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::Full, "{error}"),
        }
        if succeeded(latch.wait_timeout(SHORT)) && self.random.one_in(64) {
            self.monitor.exchange(monitor::LATCH_NUMBER, number, number + 1);
        }
    }
}

/// Whether a wait succeeded. It may only fail by its timeout or the death of a party.
#[track_caller]
pub(super) fn succeeded<T>(answer: Result<T>) -> bool {
    match answer {
        Ok(_) => true,
        Err(error) => {
            let kind = error.kind();
            assert!([ErrorKind::TimedOut, ErrorKind::PeerDied].contains(&kind), "{error}");
            false
        }
    }
}
