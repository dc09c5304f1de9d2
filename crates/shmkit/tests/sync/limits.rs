//! Every kind of object at its limits, and one beyond: what cannot be is refused before anything
//! is made.

use std::fmt::Debug;

use shmkit::memory::Trust;
use shmkit::sync::{
    Barrier, BoundedSemaphore, Condvar, Event, Latch, Mutex, NoData, Once, Permits, ReentrantMutex,
    Reset, RwLock, Semaphore,
};
use shmkit::{Contents, ErrorKind, Latest, Object, Options, inspect};

use crate::test_dir::TestDir;

const NAME: &str = "object";

fn options<P: Contents>(dir: &TestDir) -> Options<P> {
    Object::<P>::options().directory(dir.path())
}

/// Creates, opens, describes, and removes an object with these numbers of participants.
#[track_caller]
fn is_made<P: Contents>(initial: impl Fn() -> P::Initial, parts: usize) {
    for participants in [1, 1024] {
        let dir = TestDir::new();
        let options = options::<P>(&dir).max_participants(participants);
        let created = options.create(NAME, initial()).unwrap();
        let description = inspect::describe(dir.path(), NAME, Trust::Own).unwrap();
        assert_eq!(description.parts.len(), parts);
        drop(created);
        drop(options.open(NAME).unwrap());
        drop(options.open_or_create(NAME, initial()).unwrap());
        let findings = inspect::examine(dir.path(), Trust::Own).unwrap();
        let about_it = findings.iter().filter(|it| it.object() == NAME);
        let findings: Vec<_> = about_it.map(ToString::to_string).collect();
        assert!(findings.is_empty(), "{findings:?}");
        options.remove(NAME).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
    for participants in [0, 1025] {
        let dir = TestDir::new();
        is_refused(&dir, options::<P>(&dir).max_participants(participants), &initial);
    }
}

/// Checks that these options and this initial state are refused, and leave nothing behind.
#[track_caller]
fn is_refused<P: Contents>(dir: &TestDir, options: Options<P>, initial: impl Fn() -> P::Initial) {
    let answers = [options.create(NAME, initial()), options.open_or_create(NAME, initial())];
    for answer in answers {
        assert_eq!(answer.err().unwrap().kind(), ErrorKind::InvalidArgument);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    // The name is free for another object.
    dir.options::<Once>().create(NAME, ()).unwrap();
}

/// The same for one invalid initial state of a kind.
#[track_caller]
fn is_beyond<P: Contents>(initial: impl Fn() -> P::Initial) {
    let dir = TestDir::new();
    is_refused(&dir, options::<P>(&dir), initial);
}

#[test]
fn every_primitive_is_made_at_its_limits_and_refused_beyond() {
    is_made::<Mutex<NoData>>(NoData::default, 1);
    is_made::<Mutex<[u64; 1000]>>(|| [7; 1000], 1);
    is_made::<ReentrantMutex<u8>>(|| 1, 1);
    is_made::<RwLock<u8>>(|| 1, 1);
    is_made::<Condvar>(|| (), 1);
    is_made::<Once>(|| (), 1);
    is_made::<Event>(|| Reset::Manual, 1);
    is_made::<Event>(|| Reset::Automatic, 1);
    for permits in [0, u32::MAX] {
        is_made::<Semaphore>(|| permits, 1);
    }
    for (initial, max) in [(0, 1), (1, 1), (u32::MAX, u32::MAX)] {
        is_made::<BoundedSemaphore>(|| Permits { initial, max }, 1);
    }
    for (initial, max) in [(0, 0), (2, 1)] {
        is_beyond::<BoundedSemaphore>(|| Permits { initial, max });
    }
    for parties in [1, 1024] {
        is_made::<Barrier>(|| parties, 1);
        is_made::<Latch>(|| parties, 1);
    }
    for parties in [0, 1025, u32::MAX] {
        is_beyond::<Barrier>(|| parties);
        is_beyond::<Latch>(|| parties);
    }
}

#[test]
fn groups_are_made_at_their_limits_and_refused_beyond() {
    // Arrays of handles are moved over the stack.
    let large = std::thread::Builder::new().stack_size(64 << 20);
    large.spawn(check_groups).unwrap().join().unwrap();
}

fn check_groups() {
    is_made::<[Event; 1]>(|| [Reset::Manual], 1);
    is_made::<[Event; 1024]>(|| [Reset::Manual; 1024], 1024);
    is_made::<[Event; 1025]>(|| [Reset::Manual; 1025], 1025);
    is_made::<(Mutex<u8>, [Semaphore; 1025])>(|| (1, [2; 1025]), 1026);
    is_made::<Box<[Event]>>(|| vec![Reset::Manual], 1);
    is_made::<Box<[Event]>>(|| vec![Reset::Manual; 1025], 1025);
    is_beyond::<Box<[Event]>>(Vec::new);
    is_beyond::<Box<[Event]>>(|| vec![Reset::Manual; (1 << 20) + 1]);
    is_beyond::<[Barrier; 2]>(|| [1, 1025]);
    is_beyond::<Box<[Latch]>>(|| vec![1, 0]);
}

#[test]
fn the_waiters_of_the_last_part_of_many_get_closed() {
    let dir = TestDir::new();
    let many = [Reset::Manual; 1025];
    let events = dir.options::<[Event; 1025]>().create(NAME, many).unwrap();
    let wait = || events[1024].wait().unwrap_err().kind();
    dir.remove_while_waiting::<[Event; 1025], _>(NAME, [wait]);
}

#[test]
fn a_latest_is_made_at_its_limits_and_refused_beyond() {
    let dir = TestDir::new();
    let options = || Latest::<[u64; 3]>::options().directory(dir.path());
    for writers in [0, 1025, u32::MAX] {
        check_refused(options().max_writers(writers).create(NAME));
        check_refused(options().max_writers(writers).open_or_create(NAME));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
    for writers in [1, 1024] {
        let latest = options().max_writers(writers).create(NAME).unwrap();
        latest.writer().unwrap().set(&[1, 2, 3]).unwrap();
        assert_eq!(latest.get().unwrap(), [1, 2, 3]);
        inspect::describe(dir.path(), NAME, Trust::Own).unwrap();
        options().remove(NAME).unwrap();
    }
}

#[track_caller]
fn check_refused<T: Debug>(answer: shmkit::Result<T>) {
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::InvalidArgument);
}
