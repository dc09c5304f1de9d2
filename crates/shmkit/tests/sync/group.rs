//! Several primitives in one object: tuples, arrays, and nested ones.

use shmkit::inspect;
use shmkit::memory::Trust;
use shmkit::sync::{
    Barrier, Condvar, Event, Latch, LockError, Mutex, Once, ReentrantMutex, Reset, RwLock,
    Semaphore,
};
use shmkit::{ErrorKind, FixedVec, Kind};

use crate::test_dir::{SHORT, TIMEOUT, TestDir, kind, two_handles};

const NAME: &str = "group";

type Nested =
    (Mutex<[u64; 40]>, [(RwLock<u32>, [Event; 2]); 2], (Semaphore, (Condvar, ReentrantMutex<u8>)));
type Initial = ([u64; 40], [(u32, [Reset; 2]); 2], (u32, ((), u8)));
const INITIAL: Initial = (
    [1; 40],
    [(2, [Reset::Manual, Reset::Automatic]), (3, [Reset::Automatic, Reset::Manual])],
    (4, ((), 5)),
);

#[test]
fn each_member_has_its_initial_value_and_is_independent_of_the_others() {
    let (_dir, [group, other]) = two_handles::<Nested>(NAME, INITIAL);
    let (mutex, pairs, (semaphore, (condvar, reentrant))) = &*group;
    // This handle holds all members at once, and the other handle sees that.
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
    let (value, result) = condvar.wait_timeout(other.0.lock().unwrap(), SHORT).unwrap();
    assert!(result.timed_out());
    assert_eq!(*value, [u64::MAX; 40]);
    assert_eq!(other.1.each_ref().map(|(lock, _)| *lock.read().unwrap()), [u32::MAX; 2]);
    assert_eq!((other.2.0.available(), other.2.1.1.lock().unwrap().get()), (4, u8::MAX));
}

#[test]
fn a_check_of_one_member_s_holder_does_not_delay_that_of_another_s() {
    let (dir, [locks, other]) = two_handles::<[Mutex<u8>; 2]>(NAME, [0, 0]);
    let dying = dir.options::<[Mutex<u8>; 2]>().open(NAME).unwrap();
    std::mem::forget(dying[0].lock().unwrap());
    drop(dying);
    let _held = other[1].lock().unwrap();
    assert!(locks[1].try_lock().unwrap().is_none());
    assert!(matches!(locks[0].try_lock(), Err(LockError::OwnerDied(_))));
}

#[test]
fn a_description_numbers_the_members_of_a_group() {
    let dir = TestDir::new();
    let group = dir.options::<Nested>().create(NAME, INITIAL).unwrap();
    let _guard = group.1[1].0.write().unwrap();
    let seen = inspect::describe(dir.path(), NAME, Trust::Own).unwrap();
    assert!(seen.kind == Kind::Group && seen.is_sound());
    let shown: Vec<_> = seen.parts.iter().map(|it| (it.number.as_str(), it.kind)).collect();
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
    let held: Vec<_> = seen.parts.iter().filter(|it| !it.state.holders.is_empty()).collect();
    assert!(held.len() == 1 && held[0].number == "1.1.0" && held[0].state.text == "locked");
}

#[test]
fn one_object_can_hold_every_kind() {
    type All = (
        (Mutex<u64>, ReentrantMutex<u64>, RwLock<u64>, Condvar),
        (Semaphore, Event, Barrier, Latch, Once),
    );
    let dir = TestDir::new();
    let all =
        dir.options::<All>().create(NAME, ((1, 2, 3, ()), (4, Reset::Manual, 1, 1, ()))).unwrap();
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
fn an_invalid_member_is_refused_before_a_file_is_created() {
    let dir = TestDir::new();
    let answer = dir.options::<(Mutex<u64>, [Barrier; 2])>().create(NAME, (1, [1, 0]));
    assert_eq!(kind(answer), ErrorKind::InvalidArgument);
    let answer = dir.options::<(Mutex<u64>, (Latch,))>().open_or_create(NAME, (1, (0,)));
    assert_eq!(kind(answer), ErrorKind::InvalidArgument);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_hundred_locks_are_one_object_and_need_one_slot_for_each_handle() {
    let dir = TestDir::new();
    let [locks, other] =
        dir.two_handles::<[Mutex<u64>; 100]>(NAME, std::array::from_fn(|it| it as u64));
    let guards: Vec<_> = locks.iter().step_by(2).map(|it| it.lock().unwrap()).collect();
    for (number, lock) in other.iter().enumerate() {
        assert_eq!(lock.try_lock().unwrap().is_none(), number % 2 == 0);
        assert!(number % 2 == 0 || *lock.lock().unwrap() == number as u64);
    }
    let seen = inspect::describe(dir.path(), NAME, Trust::Own).unwrap();
    assert_eq!((seen.participants.len(), seen.parts.len()), (2, 100));
    drop(guards);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn death_of_a_handle_is_reported_for_each_member_that_it_held() {
    let dir = TestDir::new();
    type Group = (Mutex<u64>, RwLock<u64>, Semaphore, Mutex<u64>);
    let [group, dying] = dir.two_handles::<Group>(NAME, (1, 2, 1, 3));
    std::mem::forget((dying.0.lock().unwrap(), dying.1.write().unwrap(), dying.2.acquire()));
    drop(dying);
    assert!(matches!(group.0.lock(), Err(LockError::OwnerDied(_))));
    assert!(matches!(group.1.read_timeout(TIMEOUT), Err(LockError::OwnerDied(_))));
    drop(group.2.acquire().expect("the permit returned"));
    assert!(group.3.lock().unwrap().is_consistent(), "the dead handle did not hold it");
}

#[test]
fn removal_is_reported_to_the_waiters_of_every_member() {
    let dir = TestDir::new();
    type Group = (Mutex<u64>, [Condvar; 2], Event, Semaphore);
    let [group, other] = dir.two_handles::<Group>(NAME, (1, [(), ()], Reset::Automatic, 0));
    std::thread::scope(|scope| {
        let condvar = scope.spawn(|| kind(other.1[1].wait(other.0.lock().unwrap())));
        dir.wait_for_waiters(NAME, 1);
        let _guard = group.0.lock().unwrap();
        let waiting = [
            scope.spawn(|| kind(other.2.wait())),
            scope.spawn(|| kind(other.3.acquire())),
            scope.spawn(|| kind(other.0.lock())),
        ];
        dir.wait_for_waiters(NAME, 4);
        dir.options::<Group>().remove(NAME).unwrap();
        for waiting in waiting.into_iter().chain([condvar]) {
            assert_eq!(waiting.join().unwrap(), ErrorKind::Closed);
        }
    });
}

/// The bounded buffer of the documentation.
#[test]
fn a_mutex_and_two_condvars_make_a_bounded_buffer() {
    const ITEMS: u64 = 5_000;
    type Buffer = (Mutex<FixedVec<u64, 4>>, [Condvar; 2]);
    let (_dir, [sender, receiver]) = two_handles::<Buffer>(NAME, (FixedVec::new(), [(), ()]));
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
