//! Slots under loom: claims, deaths and sweeps at once.
//!
//! The kernel's locks are modelled: one owner for each slot, under a loom lock.

use loom::sync::{Arc, Mutex};

use super::*;
use crate::crash::ends_at;

const SLOTS: usize = 2;

/// The locks as one process sees them.
#[derive(Clone)]
struct Locks {
    owners: Arc<Mutex<[Option<u32>; SLOTS]>>,
    me: u32,
}

impl SlotLocks for Locks {
    fn try_lock(&self, slot: u32) -> Result<bool> {
        let owner = &mut self.owners.lock().unwrap()[slot as usize];
        let free = owner.is_none();
        if free {
            *owner = Some(self.me);
        }
        Ok(free)
    }

    fn unlock(&self, slot: u32) {
        let owner = &mut self.owners.lock().unwrap()[slot as usize];
        assert_eq!(owner.take(), Some(self.me), "no process unlocks another's slot");
    }

    fn is_locked(&self, slot: u32) -> Result<bool> {
        Ok(self.owners.lock().unwrap()[slot as usize].is_some())
    }
}

#[derive(Clone)]
struct World {
    words: Arc<Vec<AtomicU64>>,
    locks: Locks,
}

impl World {
    fn new() -> Self {
        let words = (0..SLOTS * WORDS).map(|_| AtomicU64::new(0)).collect();
        let owners = Arc::new(Mutex::new([None; SLOTS]));
        Self { words: Arc::new(words), locks: Locks { owners, me: 0 } }
    }

    fn as_process(&self, me: u32) -> Self {
        Self { words: self.words.clone(), locks: Locks { me, ..self.locks.clone() } }
    }

    fn participants(&self) -> Participants<'_> {
        Participants::new(&self.words, &self.locks)
    }

    fn claim(&self) -> Option<ParticipantId> {
        let me = self.locks.me;
        let who =
            ParticipantInfo { pid: me, role: Role::Writer, joined_unix_ns: 0, program: [0; 16] };
        self.participants().claim(&who).ok()
    }

    /// The process of this view dies.
    fn die(&self, id: ParticipantId) {
        self.locks.unlock(id.slot());
    }

    fn is_dead(&self, id: ParticipantId) -> bool {
        self.participants().is_dead(id)
    }
}

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

#[test]
fn loom_two_claims_at_once_get_a_slot_each() {
    check(|| {
        let world = World::new();
        let other = world.as_process(2);
        let there = loom::thread::spawn(move || other.claim());
        let here = world.as_process(1).claim();
        let there = there.join().unwrap();
        // Both may have attempted the same slot; the one that failed takes the next.
        let (here, there) = (here.expect("a slot"), there.expect("a slot"));
        assert_ne!(here.slot(), there.slot());
        assert!(!world.is_dead(here) && !world.is_dead(there));
    });
}

#[test]
fn loom_a_sweep_never_frees_the_living_nor_a_successor() {
    check(|| {
        let world = World::new();
        let victim = world.as_process(1);
        let id = victim.claim().expect("a slot");
        victim.die(id);
        let sweeper = world.as_process(2);
        let sweeping = loom::thread::spawn(move || {
            sweeper.participants().sweep(0, 8);
        });
        let successor = world.as_process(3);
        // The two claims also fill the dead participant's slot, whether or not it was swept.
        let ids = [successor.claim(), successor.claim()].map(|id| id.expect("a slot"));
        sweeping.join().unwrap();
        assert!(world.is_dead(id));
        for id in ids {
            assert!(!world.is_dead(id), "{id:?} lives and was taken for dead");
        }
    });
}

#[test]
fn loom_a_participant_that_left_is_dead_and_never_unlocks_a_successor() {
    check(|| {
        let world = World::new();
        let leaver = world.as_process(1);
        let id = leaver.claim().expect("a slot");
        let successor = world.as_process(2);
        let claiming = loom::thread::spawn(move || successor.claim().expect("a slot"));
        leaver.participants().leave(id);
        let next = claiming.join().unwrap();
        assert!(world.is_dead(id));
        assert!(!world.is_dead(next));
    });
}

#[test]
fn loom_a_death_is_counted_once_though_a_reaper_dies_between_counting_and_freeing() {
    check(|| {
        let world = World::new();
        let victim = world.as_process(1);
        let id = victim.claim().expect("a slot");
        victim.die(id);
        let sweeper = world.as_process(2);
        let sweeping = loom::thread::spawn(move || {
            sweeper.participants().sweep(0, 8);
        });
        let deaths = || world.participants().deaths(Role::Writer, |_| {});
        assert_eq!(deaths(), 1);
        let reaper = world.as_process(3);
        ends_at("slot: death counted, not freed", || {
            reaper.participants().reap_slot(id.slot());
        });
        assert_eq!(deaths(), 1);
        world.participants().reap_slot(id.slot());
        sweeping.join().unwrap();
        assert_eq!((deaths(), world.participants().counted_deaths(Role::Writer)), (1, 1));
    });
}

#[test]
fn loom_a_late_reaper_counts_no_death_of_a_successor_and_none_twice() {
    check(|| {
        let world = World::new();
        let victim = world.as_process(1);
        let id = victim.claim().expect("a slot");
        victim.die(id);
        let late = world.as_process(2);
        let reaping = loom::thread::spawn(move || {
            late.participants().reap_slot(0);
        });
        let user = world.as_process(3);
        world.participants().reap_slot(0);
        let who = ParticipantInfo { pid: 3, role: Role::User, joined_unix_ns: 0, program: [0; 16] };
        let next = user.participants().claim(&who).expect("a slot");
        user.die(next);
        world.participants().reap_slot(next.slot());
        reaping.join().unwrap();
        let counted = [Role::Writer, Role::User].map(|it| world.participants().counted_deaths(it));
        assert_eq!(counted, [1, 1]);
    });
}

#[test]
fn loom_a_clean_leave_is_no_death() {
    check(|| {
        let world = World::new();
        let leaver = world.as_process(1);
        let id = leaver.claim().expect("a slot");
        let sweeper = world.as_process(2);
        let sweeping = loom::thread::spawn(move || {
            sweeper.participants().sweep(0, 8);
        });
        leaver.participants().leave(id);
        sweeping.join().unwrap();
        let deaths = world.participants().deaths(Role::Writer, |_| {});
        assert_eq!((deaths, world.participants().counted_deaths(Role::Writer)), (0, 0));
    });
}
