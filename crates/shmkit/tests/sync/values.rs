//! What locks guard: values of any size, and invalid bytes.

use shmkit::sync::{LockError, Mutex, ReentrantMutex, RwLock};
use shmkit::{ErrorKind, FixedVec, Shareable};

use crate::test_dir::{SHORT, TIMEOUT, TestDir, assert_error, kind, two_handles};

const NAME: &str = "lock";
const INVALID: &str = "not a valid value of its type";

/// Larger than the two cache lines of a lock.
#[derive(Shareable, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Page {
    words: [u64; 512],
}

/// A value with padding inside and at the end, for which some bytes are invalid.
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
/// What makes it invalid: a byte at an offset from the stamp.
const INVALID_BYTES: [(isize, u8); 2] = [(-8, 2), (8, 0)];

fn overwrite(dir: &TestDir, (offset, byte): (isize, u8)) {
    // The flag, its padding and the stamp.
    let found_by = [&[1, 0, 0, 0, 0, 0, 0, 0], &STAMP.to_le_bytes()[..]].concat();
    dir.overwrite(NAME, &found_by, (8 + offset) as usize, byte);
}

#[test]
fn a_value_larger_than_the_lock_is_guarded_whole() {
    const STEPS: u64 = 2_000;
    let (dir, handles) = two_handles::<Mutex<Page>>("mutex", Page { words: [0; 512] });
    let locks = dir.two_handles::<RwLock<Page>>("rwlock", Page { words: [0; 512] });
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
    let reentrant = dir.options::<ReentrantMutex<Page>>();
    let reentrant = reentrant.create("reentrant", Page { words: [3; 512] }).unwrap();
    assert_eq!(reentrant.lock().unwrap().get().words, [3; 512]);
}

#[test]
fn values_of_sizes_around_the_end_of_a_cache_line_do_not_overlap() {
    fn check<const BYTES: usize>(dir: &TestDir) {
        let name = format!("bytes {BYTES}");
        let [mutex, other] = dir
            .two_handles::<(Mutex<[u8; BYTES]>, RwLock<[u8; BYTES]>, Mutex<u64>)>(
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
    let dir = TestDir::new();
    check::<1>(&dir);
    check::<111>(&dir);
    check::<112>(&dir);
    check::<113>(&dir);
    check::<119>(&dir);
    check::<120>(&dir);
    check::<121>(&dir);
    check::<128>(&dir);
    check::<129>(&dir);
    check::<4097>(&dir);
}

#[test]
fn padding_is_zero_at_first_and_references_change_the_value_in_place() {
    let (dir, [mutex, other]) = two_handles::<Mutex<Door>>(NAME, DOOR);
    // Finds the value by its padding of zeros.
    overwrite(&dir, (-8, 0));
    assert_eq!(*mutex.lock().unwrap(), Door { open: false, ..DOOR });
    other.lock().unwrap().lamp = Lamp::Off;
    assert_eq!(*mutex.lock().unwrap(), Door { open: false, lamp: Lamp::Off, ..DOOR });
    let list = dir.two_handles::<Mutex<FixedVec<u16, 3>>>("list", FixedVec::new());
    list[0].lock().unwrap().push(7).unwrap();
    assert_eq!(list[1].lock().unwrap()[..], [7]);
}

#[test]
fn a_mutex_with_an_invalid_value_is_corrupt_until_it_is_replaced() {
    for invalid in INVALID_BYTES {
        let (dir, [mutex, other]) = two_handles::<Mutex<Door>>(NAME, DOOR);
        overwrite(&dir, invalid);
        assert_error(mutex.lock(), ErrorKind::Corrupt, INVALID);
        assert_error(mutex.try_lock(), ErrorKind::Corrupt, INVALID);
        assert_error(other.lock_timeout(TIMEOUT), ErrorKind::Corrupt, INVALID);
        // The refused operations have released the lock.
        let guard = mutex.lock_replacing(DOOR).unwrap();
        assert_eq!(*guard, DOOR);
        assert_eq!(kind(other.lock_timeout(SHORT)), ErrorKind::TimedOut);
        drop(guard);
        assert_eq!(*other.lock().unwrap(), DOOR);
    }
}

#[test]
fn an_invalid_value_of_a_dead_owner_is_corrupt_until_it_is_replaced() {
    let (dir, [mutex, dying]) = two_handles::<Mutex<Door>>(NAME, DOOR);
    std::mem::forget(dying.lock().unwrap());
    drop(dying);
    overwrite(&dir, INVALID_BYTES[0]);
    for _ in 0..2 {
        assert!(
            matches!(mutex.lock(), Err(LockError::Failed(it)) if it.kind() == ErrorKind::Corrupt)
        );
    }
    assert!(mutex.lock_replacing(DOOR).unwrap().is_consistent());
    assert_eq!(*mutex.lock().unwrap(), DOOR);
}

#[test]
fn an_rwlock_with_an_invalid_value_is_corrupt_in_each_mode() {
    for invalid in INVALID_BYTES {
        let (dir, [lock, other]) = two_handles::<RwLock<Door>>(NAME, DOOR);
        overwrite(&dir, invalid);
        assert_error(lock.read(), ErrorKind::Corrupt, INVALID);
        assert_error(lock.try_read(), ErrorKind::Corrupt, INVALID);
        assert_error(lock.upgradable_read(), ErrorKind::Corrupt, INVALID);
        assert_error(lock.try_upgradable_read(), ErrorKind::Corrupt, INVALID);
        assert_error(lock.write(), ErrorKind::Corrupt, INVALID);
        assert_error(lock.try_write(), ErrorKind::Corrupt, INVALID);
        assert_eq!(*other.write_replacing(DOOR).unwrap(), DOOR);
        assert_eq!(*lock.try_write().unwrap().expect("the lock is free"), DOOR);
    }
}

#[test]
fn a_reentrant_mutex_with_an_invalid_value_is_corrupt() {
    let (dir, [mutex, other]) = two_handles::<ReentrantMutex<Door>>(NAME, DOOR);
    overwrite(&dir, INVALID_BYTES[1]);
    assert_error(mutex.lock(), ErrorKind::Corrupt, INVALID);
    assert_error(other.try_lock(), ErrorKind::Corrupt, INVALID);
}
