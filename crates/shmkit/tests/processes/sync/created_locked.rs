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
    let before = [("create: named", false), ("create: mapped", false)];
    let after = shmkit::crash::LOCKED_POINTS.iter().map(|&point| (point, true));
    for (point, was_locked) in before.into_iter().chain(after).chain([("", true)]) {
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

/// Creates the mutex; then a forked child tries to lock it.
#[cfg(unix)]
pub(crate) fn forking_creator(link: &mut Link) {
    let mutex = named::Mutex::<u64>::options().create_locked(NAME, 7).unwrap();
    crate::fork::fork(|| {
        link.send(crate::fork::outcome(mutex.lock().map(|value| *value).map_err(Into::into)));
        link.receive();
    });
    loop {
        std::thread::park();
    }
}

#[cfg(unix)]
#[test]
fn a_forked_child_does_not_get_the_lock_that_its_parent_created() {
    let dir = TestDir::new();
    let mut family = Child::start(&dir, "forking creator of a locked mutex", "");
    assert_eq!(family.receive(), "Forked");
    assert!(dir.primitive::<Mutex<u64>>().open(NAME).unwrap().try_lock().unwrap().is_none());
}

#[test]
fn a_mutex_that_was_removed_before_its_creator_locked_it_is_closed() {
    let dir = TestDir::new();
    let options = dir.primitive::<Mutex<u64>>();
    let mutex = options.create_locked(NAME, 7).unwrap();
    options.remove(NAME).unwrap();
    let refused = shmkit::Error::from(mutex.lock().expect_err("it was removed"));
    assert_eq!(refused.kind(), ErrorKind::Closed);
}
