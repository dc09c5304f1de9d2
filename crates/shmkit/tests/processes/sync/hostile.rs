//! A peer that writes whatever it likes into the words of locks, conditions and so on spoils what
//! they do, and nothing else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use shmkit::inspect;
use shmkit::memory::Trust;
use shmkit::sync::{
    Barrier, Condvar, Event, Guard, Latch, LockResult, Mutex, NoData, Once, Primitive,
    ReentrantMutex, Reset, RwLock, Semaphore,
    named::{self, Named},
};

use super::words::Words;
use crate::children::{Child, Link};
use crate::place::Place;
use crate::values::Random;

const NAME: &str = "prey";
const MOMENT: Duration = Duration::from_micros(20);
/// In so many words all garbage is tried, in the others some.
const FIRST_WORDS: u64 = 48;
/// So often each is used while another scribbles on it.
const ROUNDS: usize = 1_000;

/// What is garbage in one word or another; besides it each bit alone, and numbers at random.
const GARBAGE: [u64; 16] = [
    0,
    3,
    u64::MAX,
    u64::MAX >> 1,
    0xffff_ffff,
    0xffff_ffff << 32,
    // A slot and a generation that are nobody's, or beyond all.
    1 << 32 | 64 << 1,
    1 << 32 | 0x7ff << 1,
    7 << 32 | 1 << 1 | 1 << 12,
    1 << 32 | 1 << 1 | 1 << 17,
    // Records in each state, with and without a holder.
    1 << 32 | 1 << 2 | 1,
    1 << 32 | 1 << 16 | 2 << 2,
    0xffff << 16 | 3 << 2,
    0xffff << 16,
    // More permits than can be.
    u64::MAX << 14,
    1 << 54,
];

/// Makes one, and uses it while it is spoilt.
type Prey = fn(&mut Random);

const PREYS: [(&str, Prey); 9] = [
    ("mutex", |random| prey::<Mutex>(NoData::default(), use_mutex, random)),
    ("reentrant mutex", |random| prey::<ReentrantMutex>(NoData::default(), use_reentrant, random)),
    ("rwlock", |random| prey::<RwLock>(NoData::default(), use_rwlock, random)),
    ("condvar", |random| {
        let sound = named::Mutex::<NoData>::open_or_create("sound", NoData::default()).unwrap();
        prey::<Condvar>((), |condition| use_condvar(condition, &sound), random);
    }),
    ("semaphore", |random| prey::<Semaphore>(1, use_semaphore, random)),
    ("manual event", |random| prey::<Event>(Reset::Manual, use_event, random)),
    ("automatic event", |random| prey::<Event>(Reset::Automatic, use_event, random)),
    ("meetings", |random| prey::<(Barrier, Latch)>((2, 2), use_meetings, random)),
    ("once", |random| prey::<Once>((), use_once, random)),
];

/// Uses the one that its task names while that is being spoilt, and says how often.
pub(crate) fn prey_in_sync(link: &mut Link) {
    let task = link.task();
    let (name, seed) = task.split_once(':').unwrap();
    let (_, prey) = PREYS.iter().find(|(known, _)| *known == name).unwrap();
    prey(&mut Random::of(seed.parse().unwrap()));
    link.say("over");
    link.hear();
}

#[test]
fn garbage_in_any_word_causes_no_panic_and_no_hang() {
    let mut random = Random::new();
    for (name, _) in PREYS {
        println!("{name}");
        let place = Place::new();
        let task = format!("{name}:{}", random.next());
        assert_eq!(Child::start(&place, "prey in sync", task).hear(), "over");
    }
}

fn garbage(random: &mut Random) -> u64 {
    match random.below(4) {
        0 => random.next(),
        1 => 1 << random.below(64),
        2 => 1 << random.below(64) | 1 << random.below(64) | 1 << random.below(64),
        _ => GARBAGE[random.below(16) as usize],
    }
}

fn prey<P: Primitive + Sync>(initial: P::Initial, use_it: impl Fn(&P) + Sync, random: &mut Random) {
    let directory = shmkit::default_directory();
    let prey = Named::<P>::options().directory(&directory).create(NAME, initial).unwrap();
    let words = Words::open(&directory, NAME);
    use_it(&prey);
    let whole = words.all();
    let look = || {
        let _ = Named::<P>::open(NAME).map(|another| use_it(&another));
        let _ = inspect::describe(&directory, NAME, Trust::Own);
    };
    let spoil = |number: u64, word: u64| {
        words.set(number, word);
        use_it(&prey);
        if word.is_multiple_of(7) {
            look();
        }
        words.set_all(&whole);
    };
    for number in 0..words.count {
        if number < FIRST_WORDS {
            GARBAGE.into_iter().for_each(|word| spoil(number, word));
            (0..64).for_each(|bit| spoil(number, 1 << bit));
        }
        (0..2).for_each(|_| spoil(number, garbage(random)));
    }
    look();
    let over = AtomicBool::new(false);
    let mut scribbler = Random::of(random.next());
    thread::scope(|scope| {
        scope.spawn(|| {
            // ORDERING: Relaxed; it may come late.
            while !over.load(Ordering::Relaxed) {
                // Half of it where everybody looks.
                let first = scribbler.below(2) == 0;
                let among = if first { FIRST_WORDS.min(words.count) } else { words.count };
                let number = scribbler.below(among);
                words.set(number, garbage(&mut scribbler));
                if scribbler.below(64) == 0 {
                    words.set_all(&whole);
                }
            }
        });
        let users = [(); 2].map(|()| scope.spawn(|| (0..ROUNDS).for_each(|_| use_it(&prey))));
        let well = users.map(|user| user.join().is_ok());
        // ORDERING: Relaxed; as above.
        over.store(true, Ordering::Relaxed);
        assert_eq!(well, [true; 2], "a thread panicked");
    });
    words.set_all(&whole);
    look();
}

/// The guard, if it came to one.
fn got<G: Guard>(answer: LockResult<G>) -> Option<G> {
    answer.map_or_else(|error| error.into_guard().ok(), Some)
}

fn use_mutex(mutex: &Mutex) {
    drop(mutex.try_lock());
    if let Some(mut guard) = got(mutex.lock_timeout(MOMENT)) {
        guard.mark_consistent();
        let _ = guard.is_consistent();
    }
}

fn use_reentrant(mutex: &ReentrantMutex) {
    drop(mutex.try_lock());
    let outer = got(mutex.lock_timeout(MOMENT));
    if let Some(mut guard) = got(mutex.lock_timeout(MOMENT)) {
        guard.set(guard.get());
        guard.mark_consistent();
    }
    drop(outer);
}

fn use_rwlock(lock: &RwLock) {
    drop((lock.try_read(), lock.try_upgradable_read()));
    drop(lock.try_write());
    if let Some(guard) = got(lock.read_timeout(MOMENT)) {
        drop(guard.try_upgrade().map(|guard| guard.downgrade()));
    }
    if let Some(guard) = got(lock.read_timeout(MOMENT)) {
        drop(guard.try_into_upgradable().map(|guard| guard.downgrade()));
    }
    if let Some(guard) = got(lock.upgradable_read_timeout(MOMENT)) {
        drop(guard.upgrade_timeout(MOMENT).map(|guard| guard.downgrade_to_upgradable()));
    }
    if let Some(mut guard) = got(lock.write_timeout(MOMENT)) {
        guard.mark_consistent();
        drop(guard.downgrade());
    }
}

fn use_condvar(condition: &Condvar, sound: &Mutex) {
    let _ = (condition.notify_one(), condition.notify_all());
    let guard = sound.lock().unwrap();
    drop(condition.wait_timeout(guard, MOMENT).map(|(guard, _)| {
        let _ = (condition.notify_all(), condition.notify_one());
        drop(condition.wait_timeout(guard, MOMENT));
    }));
}

fn use_semaphore(semaphore: &Semaphore) {
    let permit = semaphore.acquire_timeout(MOMENT);
    let another = semaphore.try_acquire();
    let _ = (semaphore.post(1), semaphore.available());
    drop(another);
    let _ = permit.map(|permit| permit.forget());
    let _ = (semaphore.consume_timeout(MOMENT), semaphore.try_consume(), semaphore.post(1));
}

fn use_event(event: &Event) {
    let _ = (event.wait_timeout(MOMENT), event.set(), event.is_set(), event.wait_timeout(MOMENT));
    let _ = (event.set(), event.reset(), event.try_wait());
}

fn use_meetings((barrier, latch): &(Barrier, Latch)) {
    let parties = [barrier.join(), barrier.join(), barrier.join()];
    for mut party in parties.into_iter().flatten() {
        let _ = (party.wait_timeout(Duration::ZERO), party.wait_timeout(MOMENT));
    }
    let _ = (latch.join().map(|party| party.count_down()), latch.try_wait());
    drop(latch.join());
    let _ = latch.wait_timeout(MOMENT);
}

fn use_once(once: &Once) {
    let _ = (once.call_once_timeout(|| {}, MOMENT), once.is_completed());
}
