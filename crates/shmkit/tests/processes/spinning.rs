//! A program decides how long its threads spin before they sleep.

use std::time::Duration;

use shmkit::sync::{Mutex, RwLock, Semaphore};
use shmkit::{Error, ErrorKind, Latest, Object, Options, Primitive};

use crate::children::{Child, Link};
use crate::test_dir::TestDir;

/// Longer than a thread spins unless its program asks for that, and longer than a thread waits for a
/// processor of a busy machine.
const TIMEOUT: Duration = Duration::from_millis(50);

fn new<P: Primitive>(link: &Link, name: &str, initial: P::Initial) -> Object<P> {
    let options: Options<P> = Object::options().spin_for(spin_for(link));
    options.create(name, initial).unwrap()
}

fn spin_for(link: &Link) -> Duration {
    Duration::from_millis(link.task().parse().unwrap())
}

fn kind(error: impl Into<Error>) -> ErrorKind {
    error.into().kind()
}

/// Answers in which of its waits, which all time out, the thread slept.
pub(crate) fn spinning(link: &mut Link) {
    let mutex = new::<Mutex<u64>>(link, "mutex", 0);
    let rwlock = new::<RwLock<u64>>(link, "rwlock", 0);
    let semaphore = new::<Semaphore>(link, "semaphore", 0);
    let latest = Latest::<u64>::options().spin_for(spin_for(link)).create("latest").unwrap();
    let (mut changes, mut own_choice) =
        (latest.changes(), latest.changes().spin_for(Duration::ZERO));
    let held = [Object::<Mutex<u64>>::open("mutex").unwrap()];
    let _guard = held[0].lock().unwrap();
    let read = [Object::<RwLock<u64>>::open("rwlock").unwrap()];
    let _read_guard = read[0].read().unwrap();
    let waits: [(&str, &mut dyn FnMut() -> ErrorKind); 5] = [
        ("mutex", &mut || kind(mutex.lock_timeout(TIMEOUT).unwrap_err())),
        ("rwlock", &mut || kind(rwlock.write_timeout(TIMEOUT).unwrap_err())),
        ("semaphore", &mut || semaphore.acquire_timeout(TIMEOUT).unwrap_err().kind()),
        ("changes", &mut || changes.next_timeout(TIMEOUT).unwrap_err().kind()),
        ("own choice", &mut || own_choice.next_timeout(TIMEOUT).unwrap_err().kind()),
    ];
    let mut slept = Vec::new();
    for (name, wait) in waits {
        let before = shmkit::crash::expired_sleeps();
        assert_eq!(wait(), ErrorKind::TimedOut);
        if shmkit::crash::expired_sleeps() > before {
            slept.push(name);
        }
    }
    link.send(slept.join(", "));
    link.receive();
}

#[test]
fn a_thread_sleeps_only_after_the_spin_that_the_program_decides() {
    let slept = |spin_for_ms: &str| {
        let dir = TestDir::new();
        Child::start(&dir, "spinning", spin_for_ms).receive()
    };
    assert_eq!(slept("0"), "mutex, rwlock, semaphore, changes, own choice");
    assert_eq!(slept("60000"), "own choice");
}
