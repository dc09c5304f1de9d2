//! A peer that writes anything into the words of primitives breaks their function, but causes
//! neither a panic nor a hang.

use std::thread;
use std::time::Duration;

use shmkit::memory::Trust;
use shmkit::sync::{
    Barrier, BoundedSemaphore, Condvar, Event, Guard, Latch, LockResult, Mutex, NoData, Once,
    Permits, ReentrantMutex, Reset, RwLock, Semaphore,
};
use shmkit::{Primitive, inspect};

use super::words::Words;
use crate::children::{Child, Link};
use crate::flag::Flag;
use crate::test_dir::{TestDir, primitive_in};
use crate::values::Random;

const NAME: &str = "victim";
const SHORT: Duration = Duration::from_micros(20);
/// All garbage is tried in this many words, and some of it in the others.
const FIRST_WORDS: u64 = 48;
/// How many times each primitive is used while another thread overwrites its words.
const ROUNDS: usize = 1_000;

/// What is invalid in some word. Single bits and random numbers are tried as well.
const GARBAGE: [u64; 16] = [
    0,
    3,
    u64::MAX,
    u64::MAX >> 1,
    0xffff_ffff,
    0xffff_ffff << 32,
    // A slot and generation of no participant, or out of range.
    1 << 32 | 64 << 2,
    1 << 32 | 0x7ff << 2,
    7 << 32 | 1 << 2 | 1 << 1,
    1 << 32 | 1 << 2 | 1 << 17,
    // Records in each state, with and without an owner.
    1 << 32 | 1 << 2 | 1,
    1 << 32 | 1 << 2 | 2 << 13,
    0x7ff << 2 | 3 << 13,
    0x7ff << 2,
    // Too many permits.
    u64::MAX << 14,
    1 << 54,
];

/// Creates a primitive, and uses it while its words are overwritten.
type Victim = fn(&mut Random);

const VICTIMS: [(&str, Victim); 10] = [
    ("mutex", |random| overwrite::<Mutex>(NoData::default(), use_mutex, random)),
    ("reentrant mutex", |random| {
        overwrite::<ReentrantMutex>(NoData::default(), use_reentrant, random);
    }),
    ("rwlock", |random| overwrite::<RwLock>(NoData::default(), use_rwlock, random)),
    ("condvar", |random| {
        let directory = shmkit::default_directory();
        let intact = primitive_in::<Mutex>(&directory).create("intact", NoData::default()).unwrap();
        overwrite::<Condvar>((), |condvar| use_condvar(condvar, &intact), random);
    }),
    ("semaphore", |random| overwrite::<Semaphore>(1, use_semaphore, random)),
    ("bounded semaphore", |random| {
        let permits = Permits { initial: 1, max: 3 };
        overwrite::<BoundedSemaphore>(permits, |semaphore| use_semaphore(semaphore), random);
    }),
    ("manual event", |random| overwrite::<Event>(Reset::Manual, use_event, random)),
    ("automatic event", |random| overwrite::<Event>(Reset::Automatic, use_event, random)),
    ("barrier and latch", |random| overwrite::<(Barrier, Latch)>((2, 2), use_parties, random)),
    ("once", |random| overwrite::<Once>((), use_once, random)),
];

/// Runs the victim of its task.
pub(crate) fn victim(link: &mut Link) {
    let task = link.task();
    let (name, seed) = task.split_once(':').unwrap();
    let (_, victim) = VICTIMS.iter().find(|(known, _)| *known == name).unwrap();
    victim(&mut Random::from_seed(seed.parse().unwrap()));
    link.send("done");
    link.receive();
}

#[test]
fn garbage_in_any_word_causes_no_panic_and_no_hang() {
    let mut random = Random::new();
    for (name, _) in VICTIMS {
        println!("{name}");
        let dir = TestDir::new();
        let task = format!("{name}:{}", random.next());
        assert_eq!(Child::start(&dir, "victim in sync", task).receive(), "done");
    }
}

fn garbage(random: &mut Random) -> u64 {
    match random.below(4) {
        0 => random.next(),
        1 => 1 << random.below(64),
        2 => 1 << random.below(64) | 1 << random.below(64) | 1 << random.below(64),
        _ => random.pick(&GARBAGE),
    }
}

fn overwrite<P: Primitive + Sync>(
    initial: P::Initial,
    use_it: impl Fn(&P) + Sync,
    random: &mut Random,
) {
    let directory = shmkit::default_directory();
    let options = primitive_in::<P>(&directory);
    let victim = options.create(NAME, initial).unwrap();
    let words = Words::open(&directory, NAME);
    use_it(&victim);
    let intact = words.all();
    let open_and_describe = || {
        let _ = options.open(NAME).map(|other| use_it(&other));
        let _ = inspect::describe(&directory, NAME, Trust::Own);
    };
    let try_word = |number: u64, word: u64| {
        words.set(number, word);
        use_it(&victim);
        if word.is_multiple_of(7) {
            open_and_describe();
        }
        words.set_all(&intact);
    };
    for number in 0..words.count {
        if number < FIRST_WORDS {
            GARBAGE.into_iter().for_each(|word| try_word(number, word));
            (0..64).for_each(|bit| try_word(number, 1 << bit));
        }
        (0..2).for_each(|_| try_word(number, garbage(random)));
    }
    open_and_describe();
    overwrite_while_used(&*victim, &words, &intact, &use_it, random);
    words.set_all(&intact);
    open_and_describe();
}

fn overwrite_while_used<P: Sync>(
    victim: &P,
    words: &Words,
    intact: &[u8],
    use_it: &(impl Fn(&P) + Sync),
    random: &mut Random,
) {
    let stop = Flag::new();
    let mut random = Random::from_seed(random.next());
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.is_set() {
                // Half of the time a word that every operation uses.
                let first = random.one_in(2);
                let count = if first { FIRST_WORDS.min(words.count) } else { words.count };
                let number = random.below(count);
                words.set(number, garbage(&mut random));
                if random.one_in(64) {
                    words.set_all(intact);
                }
            }
        });
        let users = [(); 2].map(|()| scope.spawn(|| (0..ROUNDS).for_each(|_| use_it(victim))));
        let succeeded = users.map(|user| user.join().is_ok());
        stop.set();
        assert_eq!(succeeded, [true; 2], "a thread panicked");
    });
}

/// The guard, if the lock was acquired.
fn guard_of<G: Guard>(answer: LockResult<G>) -> Option<G> {
    answer.map_or_else(|error| error.into_guard().ok(), Some)
}

fn use_mutex(mutex: &Mutex) {
    drop(mutex.try_lock());
    if let Some(mut guard) = guard_of(mutex.lock_timeout(SHORT)) {
        guard.mark_consistent();
        let _ = guard.is_consistent();
    }
}

fn use_reentrant(mutex: &ReentrantMutex) {
    drop(mutex.try_lock());
    let outer = guard_of(mutex.lock_timeout(SHORT));
    if let Some(mut guard) = guard_of(mutex.lock_timeout(SHORT)) {
        guard.set(guard.get());
        guard.mark_consistent();
    }
    drop(outer);
}

fn use_rwlock(lock: &RwLock) {
    drop((lock.try_read(), lock.try_upgradable_read()));
    drop(lock.try_write());
    if let Some(guard) = guard_of(lock.read_timeout(SHORT)) {
        drop(guard.try_upgrade().map(|guard| guard.downgrade()));
    }
    if let Some(guard) = guard_of(lock.read_timeout(SHORT)) {
        drop(guard.try_into_upgradable().map(|guard| guard.downgrade()));
    }
    if let Some(guard) = guard_of(lock.upgradable_read_timeout(SHORT)) {
        drop(guard.upgrade_timeout(SHORT).map(|guard| guard.downgrade_to_upgradable()));
    }
    if let Some(mut guard) = guard_of(lock.write_timeout(SHORT)) {
        guard.mark_consistent();
        drop(guard.downgrade());
    }
}

fn use_condvar(condvar: &Condvar, intact: &Mutex) {
    let _ = (condvar.notify_one(), condvar.notify_all());
    let guard = intact.lock().unwrap();
    drop(condvar.wait_timeout(guard, SHORT).map(|(guard, _)| {
        let _ = (condvar.notify_all(), condvar.notify_one());
        drop(condvar.wait_timeout(guard, SHORT));
    }));
}

fn use_semaphore(semaphore: &Semaphore) {
    let permit = semaphore.acquire_timeout(SHORT);
    let other = semaphore.try_acquire();
    let _ = (semaphore.post(1), semaphore.available());
    drop(other);
    let _ = permit.map(|permit| permit.forget());
    let _ = (semaphore.consume_timeout(SHORT), semaphore.try_consume(), semaphore.post(1));
}

fn use_event(event: &Event) {
    let _ = (event.wait_timeout(SHORT), event.set(), event.is_set(), event.wait_timeout(SHORT));
    let _ = (event.set(), event.reset(), event.try_wait());
}

fn use_parties((barrier, latch): &(Barrier, Latch)) {
    let parties = [barrier.join(), barrier.join(), barrier.join()];
    for mut party in parties.into_iter().flatten() {
        let _ = (party.wait_timeout(Duration::ZERO), party.wait_timeout(SHORT));
    }
    let _ = (latch.join().map(|party| party.count_down()), latch.try_wait());
    let _ = (barrier.abort(), barrier.waiting(), barrier.is_aborted(), barrier.reset());
    drop(latch.join());
    let _ = latch.wait_timeout(SHORT);
}

fn use_once(once: &Once) {
    let _ = (once.call_once_timeout(|| {}, SHORT), once.is_completed());
}
