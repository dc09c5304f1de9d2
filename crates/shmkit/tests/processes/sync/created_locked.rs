//! A mutex that is created locked: no other process acquires it first, whatever its creator meets.

use shmkit::ErrorKind;
use shmkit::sync::{LockError, Mutex, named};

use crate::children::{Child, Link};
use crate::test_dir::{TestDir, kind};

const NAME: &str = "lock";

/// Creates the mutex, and locks it at the next message.
pub(crate) fn creator(link: &mut Link) {
    let mutex = named::Mutex::<u64>::options().create_locked(NAME, 7).unwrap();
    link.send("ready");
    link.receive();
    let mut value = mutex.lock().unwrap();
    *value += 1;
    link.send("locked");
    link.receive();
    drop(value);
    link.send("released");
    link.receive();
}

#[test]
fn a_mutex_whose_creator_is_stopped_before_it_has_the_lock_cannot_be_opened() {
    for point in ["create: named", "create: mapped", "create: gate still closed"] {
        let dir = TestDir::new();
        let options = dir.primitive::<Mutex<u64>>();
        let mut creator = Child::start_and_stop_at(&dir, point, "creator of a locked mutex", "");
        assert_eq!(kind(options.open(NAME)), ErrorKind::Busy, "{point}");
        creator.resume();
        assert_eq!(creator.receive(), "ready");
        let mutex = options.open(NAME).unwrap();
        assert!(mutex.try_lock().unwrap().is_none(), "{point}");
        assert_eq!(creator.ask("lock"), "locked");
        assert!(mutex.try_lock().unwrap().is_none(), "{point}");
        assert_eq!(creator.ask("release"), "released");
        assert_eq!(*mutex.lock().unwrap(), 8, "{point}");
    }
}

#[test]
fn a_mutex_whose_creator_is_killed_is_whole_and_says_so_if_it_was_locked() {
    for (point, was_locked) in [
        ("create: named", false),
        ("create: mapped", false),
        ("create: gate still closed", true),
        ("", true),
    ] {
        let dir = TestDir::new();
        let role = "creator of a locked mutex";
        let mut creator = match point {
            "" => Child::start_ready(&dir, role, ""),
            _ => Child::start_to_die_at(&dir, point, role, ""),
        };
        if point.is_empty() {
            creator.kill();
        } else {
            assert!(creator.was_killed(), "{point}");
        }
        let mutex = dir.primitive::<Mutex<u64>>().open(NAME).unwrap();
        let value = match mutex.lock() {
            Err(LockError::OwnerDied(value)) if was_locked => *value,
            Ok(value) if !was_locked => *value,
            answer => panic!("{point}: {answer:?}"),
        };
        assert_eq!(value, 7);
    }
}
