//! What locks guard: values of any size, and bytes that are no value.

use shmkit::sync::{LockError, Mutex, ReentrantMutex, RwLock};
use shmkit::{ErrorKind, FixedVec, Shareable};

use crate::place::{MOMENT, Place, SOON, kind, refused};

const NAME: &str = "lock";
const NO_VALUE: &str = "no value of its type";

/// Larger than the two cache lines that a lock has.
#[derive(Shareable, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Page {
    words: [u64; 512],
}

/// Padding within and at the end, and bytes that not every pattern is a value of.
#[derive(Shareable, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Door {
    open: bool,
    stamp: u64,
    lamp: Lamp,
}

#[derive(Shareable, Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
enum Lamp {
    Off = 1,
    On = 2,
}

const STAMP: u64 = 0x1234_5678_9abc_def1;
const DOOR: Door = Door { open: true, stamp: STAMP, lamp: Lamp::On };
/// What spoils it: a byte so far behind the beginning of the stamp.
const SPOILT: [(isize, u8); 2] = [(-8, 2), (8, 0)];

fn spoil(place: &Place, (behind, byte): (isize, u8)) {
    // From the flag and its padding on.
    let found_by = [&[1, 0, 0, 0, 0, 0, 0, 0], &STAMP.to_le_bytes()[..]].concat();
    place.spoil(NAME, &found_by, (8 + behind) as usize, byte);
}

#[test]
fn a_value_larger_than_the_lock_s_line_is_guarded_whole() {
    const STEPS: u64 = 2_000;
    let place = Place::new();
    let handles = place.two::<Mutex<Page>>("mutex", Page { words: [0; 512] });
    let locks = place.two::<RwLock<Page>>("rwlock", Page { words: [0; 512] });
    std::thread::scope(|scope| {
        for (mutex, lock) in handles.iter().zip(&locks) {
            scope.spawn(move || {
                for _ in 0..STEPS {
                    let mut page = mutex.lock().unwrap();
                    let next = page.words[511] + 1;
                    assert_eq!(page.words, [next - 1; 512]);
                    page.words = [next; 512];
                    drop(page);
                    lock.write().unwrap().words.iter_mut().for_each(|word| *word += 1);
                    let seen = lock.read().unwrap();
                    assert_eq!(seen.words, [seen.words[0]; 512]);
                }
            });
        }
    });
    assert_eq!(handles[1].lock().unwrap().words, [2 * STEPS; 512]);
    assert_eq!(locks[1].read().unwrap().words, [2 * STEPS; 512]);
    let reentrant = place.of::<ReentrantMutex<Page>>();
    let reentrant = reentrant.create("reentrant", Page { words: [3; 512] }).unwrap();
    assert_eq!(reentrant.lock().unwrap().get().words, [3; 512]);
}

#[test]
fn values_of_every_size_around_the_line_s_end_keep_to_themselves() {
    fn try_it<const BYTES: usize>(place: &Place) {
        let name = format!("bytes {BYTES}");
        let [mutex, other] = place.two::<(Mutex<[u8; BYTES]>, RwLock<[u8; BYTES]>, Mutex<u64>)>(
            &name,
            ([1; BYTES], [2; BYTES], 3),
        );
        assert_eq!((*mutex.0.lock().unwrap(), *other.1.read().unwrap()), ([1; BYTES], [2; BYTES]));
        *mutex.0.lock().unwrap() = [u8::MAX; BYTES];
        *mutex.1.write().unwrap() = [u8::MAX; BYTES];
        assert_eq!(*other.2.lock().unwrap(), 3, "{BYTES}");
        assert_eq!(*other.0.lock().unwrap(), [u8::MAX; BYTES]);
        assert_eq!(*other.1.read().unwrap(), [u8::MAX; BYTES]);
    }
    let place = Place::new();
    try_it::<1>(&place);
    try_it::<111>(&place);
    try_it::<112>(&place);
    try_it::<113>(&place);
    try_it::<119>(&place);
    try_it::<120>(&place);
    try_it::<121>(&place);
    try_it::<128>(&place);
    try_it::<129>(&place);
    try_it::<4097>(&place);
}

#[test]
fn padding_is_zeros_at_first_and_references_change_the_value_in_place() {
    let place = Place::new();
    let [mutex, other] = place.two::<Mutex<Door>>(NAME, DOOR);
    // Finds the value by its padding.
    spoil(&place, (-8, 0));
    assert_eq!(*mutex.lock().unwrap(), Door { open: false, ..DOOR });
    other.lock().unwrap().lamp = Lamp::Off;
    assert_eq!(*mutex.lock().unwrap(), Door { open: false, lamp: Lamp::Off, ..DOOR });
    let list = place.two::<Mutex<FixedVec<u16, 3>>>("list", FixedVec::new());
    list[0].lock().unwrap().push(7).unwrap();
    assert_eq!(list[1].lock().unwrap()[..], [7]);
}

#[test]
fn a_mutex_whose_bytes_are_no_value_is_refused_until_another_is_put_in_its_place() {
    for spoilt in SPOILT {
        let place = Place::new();
        let [mutex, other] = place.two::<Mutex<Door>>(NAME, DOOR);
        spoil(&place, spoilt);
        refused(mutex.lock(), ErrorKind::Corrupt, NO_VALUE);
        refused(mutex.try_lock(), ErrorKind::Corrupt, NO_VALUE);
        refused(other.lock_timeout(SOON), ErrorKind::Corrupt, NO_VALUE);
        // Nobody was left with the lock.
        let guard = mutex.lock_replacing(DOOR).unwrap();
        assert_eq!(*guard, DOOR);
        assert_eq!(kind(other.lock_timeout(MOMENT)), ErrorKind::TimedOut);
        drop(guard);
        assert_eq!(*other.lock().unwrap(), DOOR);
    }
}

#[test]
fn a_dead_one_s_bytes_that_are_no_value_are_corrupt_and_what_replaces_them_is_unmarked() {
    let place = Place::new();
    let [mutex, dying] = place.two::<Mutex<Door>>(NAME, DOOR);
    std::mem::forget(dying.lock().unwrap());
    drop(dying);
    spoil(&place, SPOILT[0]);
    for _ in 0..2 {
        assert!(
            matches!(mutex.lock(), Err(LockError::Failed(it)) if it.kind() == ErrorKind::Corrupt)
        );
    }
    assert!(mutex.lock_replacing(DOOR).unwrap().is_consistent());
    assert_eq!(*mutex.lock().unwrap(), DOOR);
}

#[test]
fn a_shared_lock_whose_bytes_are_no_value_is_refused_in_each_way() {
    for spoilt in SPOILT {
        let place = Place::new();
        let [lock, other] = place.two::<RwLock<Door>>(NAME, DOOR);
        spoil(&place, spoilt);
        refused(lock.read(), ErrorKind::Corrupt, NO_VALUE);
        refused(lock.try_read(), ErrorKind::Corrupt, NO_VALUE);
        refused(lock.upgradable_read(), ErrorKind::Corrupt, NO_VALUE);
        refused(lock.try_upgradable_read(), ErrorKind::Corrupt, NO_VALUE);
        refused(lock.write(), ErrorKind::Corrupt, NO_VALUE);
        refused(lock.try_write(), ErrorKind::Corrupt, NO_VALUE);
        assert_eq!(*other.write_replacing(DOOR).unwrap(), DOOR);
        assert_eq!(*lock.try_write().unwrap().expect("nobody was left with it"), DOOR);
    }
}

#[test]
fn a_reentrant_one_whose_bytes_are_no_value_is_refused() {
    let place = Place::new();
    let [mutex, other] = place.two::<ReentrantMutex<Door>>(NAME, DOOR);
    spoil(&place, SPOILT[1]);
    refused(mutex.lock(), ErrorKind::Corrupt, NO_VALUE);
    refused(other.try_lock(), ErrorKind::Corrupt, NO_VALUE);
}
