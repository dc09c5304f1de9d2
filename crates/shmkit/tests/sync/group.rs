//! Several primitives in one object: tuples, arrays, and such of such.

use shmkit::inspect;
use shmkit::memory::Trust;
use shmkit::sync::{
    Barrier, Condvar, Event, Latch, LockError, Mutex, Once, ReentrantMutex, Reset, RwLock,
    Semaphore,
};
use shmkit::{ErrorKind, FixedVec, Kind};

use crate::place::{MOMENT, Place, SOON, kind};

const NAME: &str = "plant";

type Nested =
    (Mutex<[u64; 40]>, [(RwLock<u32>, [Event; 2]); 2], (Semaphore, (Condvar, ReentrantMutex<u8>)));
type Initial = ([u64; 40], [(u32, [Reset; 2]); 2], (u32, ((), u8)));
const INITIAL: Initial = (
    [1; 40],
    [(2, [Reset::Manual, Reset::Automatic]), (3, [Reset::Automatic, Reset::Manual])],
    (4, ((), 5)),
);

#[test]
fn each_member_begins_as_it_was_said_and_keeps_to_itself() {
    let place = Place::new();
    let [plant, other] = place.two::<Nested>(NAME, INITIAL);
    let (mutex, pairs, (semaphore, (condvar, reentrant))) = &*plant;
    // All at once, each had by this handle and seen by the other.
    let mut value = mutex.lock().unwrap();
    let mut words = pairs.each_ref().map(|(lock, _)| lock.write().unwrap());
    let permits = [(); 4].map(|()| semaphore.acquire().unwrap());
    let mut byte = reentrant.lock().unwrap();
    assert_eq!((*value, words.each_ref().map(|it| **it), byte.get()), ([1; 40], [2, 3], 5));
    assert!(other.0.try_lock().unwrap().is_none());
    assert!(other.1.iter().all(|(lock, _)| lock.try_read().unwrap().is_none()));
    assert_eq!(other.2.0.available(), 0);
    *value = [u64::MAX; 40];
    words.iter_mut().for_each(|word| **word = u32::MAX);
    byte.set(u8::MAX);
    for (number, event) in pairs.iter().flat_map(|(_, events)| events).enumerate() {
        event.set().unwrap();
        let is_manual = [0, 3].contains(&number);
        let seen = other.1[number / 2].1[number % 2].try_wait().unwrap();
        assert_eq!((seen, event.is_set()), (true, is_manual), "event {number}");
    }
    drop((value, words, permits, byte));
    let (value, ended) = condvar.wait_timeout(other.0.lock().unwrap(), MOMENT).unwrap();
    assert!(ended.timed_out());
    assert_eq!(*value, [u64::MAX; 40]);
    assert_eq!(other.1.each_ref().map(|(lock, _)| *lock.read().unwrap()), [u32::MAX; 2]);
    assert_eq!((other.2.0.available(), other.2.1.1.lock().unwrap().get()), (4, u8::MAX));
}

#[test]
fn asking_about_one_member_s_holder_does_not_keep_from_asking_about_another_s() {
    let place = Place::new();
    let [locks, other] = place.two::<[Mutex<u8>; 2]>(NAME, [0, 0]);
    let dying = place.of::<[Mutex<u8>; 2]>().open(NAME).unwrap();
    std::mem::forget(dying[0].lock().unwrap());
    drop(dying);
    let _held = other[1].lock().unwrap();
    assert!(locks[1].try_lock().unwrap().is_none());
    assert!(matches!(locks[0].try_lock(), Err(LockError::OwnerDied(_))));
}

#[test]
fn a_group_shows_what_is_in_it_under_numbers() {
    let place = Place::new();
    let plant = place.of::<Nested>().create(NAME, INITIAL).unwrap();
    let _guard = plant.1[1].0.write().unwrap();
    let seen = inspect::describe(place.path(), NAME, Trust::Own).unwrap();
    assert!(seen.kind == Kind::Group && seen.sound);
    let shown: Vec<_> = seen.primitives().iter().map(|it| (it.number.as_str(), it.kind)).collect();
    let expected = [
        ("0", Kind::Mutex),
        ("1.0.0", Kind::RwLock),
        ("1.0.1.0", Kind::Event),
        ("1.0.1.1", Kind::Event),
        ("1.1.0", Kind::RwLock),
        ("1.1.1.0", Kind::Event),
        ("1.1.1.1", Kind::Event),
        ("2.0", Kind::Semaphore),
        ("2.1.0", Kind::Condvar),
        ("2.1.1", Kind::ReentrantMutex),
    ];
    assert_eq!(shown, expected);
    let held: Vec<_> = seen.primitives().iter().filter(|it| !it.holders.is_empty()).collect();
    assert!(held.len() == 1 && held[0].number == "1.1.0" && held[0].state.to_string() == "locked");
}

#[test]
fn one_of_every_kind_goes_into_one_object() {
    type All = (
        (Mutex<u64>, ReentrantMutex<u64>, RwLock<u64>, Condvar),
        (Semaphore, Event, Barrier, Latch, Once),
    );
    let place = Place::new();
    let all =
        place.of::<All>().create(NAME, ((1, 2, 3, ()), (4, Reset::Manual, 1, 1, ()))).unwrap();
    let ((mutex, reentrant, rwlock, condvar), (semaphore, event, barrier, latch, once)) = &*all;
    let guard = condvar.wait_while(mutex.lock().unwrap(), |value| *value != 1).unwrap();
    assert_eq!((*guard, reentrant.lock().unwrap().get(), *rwlock.read().unwrap()), (1, 2, 3));
    event.set().unwrap();
    event.wait().unwrap();
    assert!(barrier.join().unwrap().wait().unwrap().is_leader());
    latch.join().unwrap().count_down().unwrap();
    latch.wait().unwrap();
    once.call_once(|| semaphore.consume().unwrap()).unwrap();
    assert_eq!(semaphore.available(), 3);
}

#[test]
fn what_cannot_be_within_a_group_is_refused_before_anything_is_made() {
    let place = Place::new();
    let answer = place.of::<(Mutex<u64>, [Barrier; 2])>().create(NAME, (1, [1, 0]));
    assert_eq!(kind(answer), ErrorKind::InvalidArgument);
    let answer = place.of::<(Mutex<u64>, (Latch,))>().open_or_create(NAME, (1, (0,)));
    assert_eq!(kind(answer), ErrorKind::InvalidArgument);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn a_hundred_locks_are_one_object_with_one_place_among_participants() {
    let place = Place::new();
    let [locks, other] = place.two::<[Mutex<u64>; 100]>(NAME, std::array::from_fn(|it| it as u64));
    let guards: Vec<_> = locks.iter().step_by(2).map(|it| it.lock().unwrap()).collect();
    for (number, lock) in other.iter().enumerate() {
        assert_eq!(lock.try_lock().unwrap().is_none(), number % 2 == 0);
        assert!(number % 2 == 0 || *lock.lock().unwrap() == number as u64);
    }
    let seen = inspect::describe(place.path(), NAME, Trust::Own).unwrap();
    assert_eq!((seen.participants.len(), seen.primitives().len()), (2, 100));
    drop(guards);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn a_handle_s_end_is_told_for_each_member_that_it_held() {
    let place = Place::new();
    type Two = (Mutex<u64>, RwLock<u64>, Semaphore, Mutex<u64>);
    let [plant, dying] = place.two::<Two>(NAME, (1, 2, 1, 3));
    std::mem::forget((dying.0.lock().unwrap(), dying.1.write().unwrap(), dying.2.acquire()));
    drop(dying);
    assert!(matches!(plant.0.lock(), Err(LockError::OwnerDied(_))));
    assert!(matches!(plant.1.read_timeout(SOON), Err(LockError::OwnerDied(_))));
    drop(plant.2.acquire().expect("the permit came back"));
    assert!(plant.3.lock().unwrap().is_consistent(), "nobody died with this one");
}

#[test]
fn removal_is_told_to_all_who_wait_for_any_member() {
    let place = Place::new();
    type Plant = (Mutex<u64>, [Condvar; 2], Event, Semaphore);
    let [plant, other] = place.two::<Plant>(NAME, (1, [(), ()], Reset::Automatic, 0));
    std::thread::scope(|scope| {
        let condition = scope.spawn(|| kind(other.1[1].wait(other.0.lock().unwrap())));
        place.until_threads_wait(NAME, 1);
        let _guard = plant.0.lock().unwrap();
        let waiting = [
            scope.spawn(|| kind(other.2.wait())),
            scope.spawn(|| kind(other.3.acquire())),
            scope.spawn(|| kind(other.0.lock())),
        ];
        place.until_threads_wait(NAME, 4);
        place.of::<Plant>().remove(NAME).unwrap();
        for waiting in waiting.into_iter().chain([condition]) {
            assert_eq!(waiting.join().unwrap(), ErrorKind::Closed);
        }
    });
}

/// A bounded buffer, as the documentation has it.
#[test]
fn a_lock_and_two_conditions_are_a_bounded_buffer() {
    const ITEMS: u64 = 5_000;
    type Buffer = (Mutex<FixedVec<u64, 4>>, [Condvar; 2]);
    let place = Place::new();
    let [sender, receiver] = place.two::<Buffer>(NAME, (FixedVec::new(), [(), ()]));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for item in 0..ITEMS {
                let (items, [not_full, not_empty]) = &*sender;
                let items = items.lock().unwrap();
                let mut items = not_full.wait_while(items, |it| it.len() == 4).unwrap();
                items.push(item).unwrap();
                not_empty.notify_one().unwrap();
            }
        });
        let mut next = 0;
        while next < ITEMS {
            let (items, [not_full, not_empty]) = &*receiver;
            let items = items.lock().unwrap();
            let mut items = not_empty.wait_while(items, |it| it.is_empty()).unwrap();
            for item in items.iter() {
                assert_eq!(*item, next);
                next += 1;
            }
            *items = FixedVec::new();
            not_full.notify_one().unwrap();
        }
    });
}
