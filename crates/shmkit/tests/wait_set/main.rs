//! What `WaitSet` promises within one process. Between processes: `tests/processes`.

mod calls;
mod futures;
mod kinds;
mod many;
mod polling;
mod tokio_pipes;

use std::thread;
use std::time::Duration;

use shmkit::sync::{Event, Reset};
use shmkit::{CancelToken, ErrorKind, Object, Options, Payload, WaitSet, Waitable};

/// No wait in a passing test takes this long.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Long enough for a thread to fall asleep. A test holds also if it did not.
const SHORT: Duration = Duration::from_millis(5);

/// A directory that is removed with this value.
struct TestDir(tempfile::TempDir);

impl TestDir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The options of a kind, with this directory.
    fn with<P: Payload>(&self, options: Options<P>) -> Options<P> {
        options.directory(self.0.path())
    }

    fn event(&self, name: &str, reset: Reset) -> Object<Event> {
        self.with(Object::<Event>::options()).open_or_create(name, reset).unwrap()
    }
}

/// A set of one handle, with the key 7.
fn set_of(handle: &impl Waitable) -> WaitSet<u32> {
    let set = WaitSet::new();
    set.add(7, handle).unwrap();
    set
}

#[track_caller]
fn kind<T>(answer: shmkit::Result<T>) -> ErrorKind {
    answer.err().expect("an error").kind()
}

/// Checks that the set returns these keys when `act` runs while it waits, and that it was woken.
#[track_caller]
fn assert_woken(set: &WaitSet<u32>, keys: &[u32], act: impl FnOnce()) {
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let before = shmkit::crash::late_finds_of_thread();
            let found = set.wait_timeout(TIMEOUT).unwrap();
            (found, shmkit::crash::late_finds_of_thread() - before)
        });
        thread::sleep(SHORT);
        act();
        assert_eq!(waiting.join().unwrap(), (keys.to_vec(), 0), "the keys, and late finds");
    });
}

#[test]
fn the_state_counts_and_nothing_is_taken() {
    let dir = TestDir::new();
    let event = dir.event("event", Reset::Manual);
    let set = set_of(&event);
    assert!(set.try_wait().unwrap().is_empty());
    assert_eq!(kind(set.wait_timeout(SHORT)), ErrorKind::TimedOut);
    event.set().unwrap();
    for _ in 0..3 {
        assert_eq!(set.wait().unwrap(), [7]);
    }
    event.reset().unwrap();
    assert!(set.try_wait().unwrap().is_empty());
}

#[test]
fn handles_are_added_and_removed_while_a_thread_waits() {
    let dir = TestDir::new();
    let [quiet, set_before] = ["quiet", "set"].map(|name| dir.event(name, Reset::Manual));
    set_before.set().unwrap();
    let set = WaitSet::new();
    set.add(1, &quiet).unwrap();
    assert_eq!(kind(set.add(1, &set_before)), ErrorKind::AlreadyExists);
    assert_woken(&set, &[2], || set.add(2, &set_before).unwrap());
    assert!(set.remove(&2));
    assert!(!set.remove(&2));
    assert_eq!(set.len(), 1);
    assert!(set.try_wait().unwrap().is_empty());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| set.wait_timeout(10 * SHORT));
        thread::sleep(SHORT);
        assert!(set.remove(&1));
        quiet.set().unwrap();
        // If the thread was so slow that it began after the removal, it finds the same.
        assert_eq!(kind(waiting.join().unwrap()), ErrorKind::TimedOut);
    });
    assert!(set.is_empty());
    assert_woken(&set, &[1], || set.add(1, &quiet).unwrap());
}

#[test]
fn a_program_that_serves_only_the_first_key_serves_all_in_turn() {
    let dir = TestDir::new();
    let set = WaitSet::new();
    for key in 0..5 {
        let event = dir.event(&format!("event-{key}"), Reset::Manual);
        event.set().unwrap();
        set.add(key, &event).unwrap();
        std::mem::forget(event);
    }
    let first: Vec<_> = (0..10).map(|_| set.wait().unwrap()[0]).collect();
    assert_eq!(first, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
}

#[test]
fn a_wait_can_be_cancelled() {
    let dir = TestDir::new();
    let event = dir.event("event", Reset::Manual);
    let (set, token) = (set_of(&event), CancelToken::new());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| token.run(|| set.wait()));
        thread::sleep(SHORT);
        token.cancel();
        assert_eq!(kind(waiting.join().unwrap()), ErrorKind::Cancelled);
    });
    event.set().unwrap();
    assert_eq!(token.run(|| set.wait()).unwrap(), [7], "what is there is returned");
}

#[test]
fn a_handle_that_was_dropped_is_never_ready() {
    let dir = TestDir::new();
    let event = dir.event("event", Reset::Manual);
    let set = set_of(&event);
    event.set().unwrap();
    drop(event);
    assert!(set.try_wait().unwrap().is_empty());
    let again = dir.event("event", Reset::Manual);
    assert!(again.is_set());
    assert!(set.try_wait().unwrap().is_empty());
}

#[test]
fn a_removed_object_is_ready() {
    let dir = TestDir::new();
    let event = dir.event("event", Reset::Automatic);
    let set = set_of(&event);
    let options = dir.with(Object::<Event>::options());
    assert_woken(&set, &[7], || options.remove("event").unwrap());
    assert_eq!(kind(event.wait()), ErrorKind::Closed);
    assert_eq!(set.try_wait().unwrap(), [7]);
}

#[test]
fn several_threads_wait_for_one_set() {
    let dir = TestDir::new();
    let event = dir.event("event", Reset::Manual);
    let set = set_of(&event);
    thread::scope(|scope| {
        let waiting = [(); 4].map(|()| scope.spawn(|| set.wait_timeout(TIMEOUT).unwrap()));
        thread::sleep(SHORT);
        event.set().unwrap();
        for thread in waiting {
            assert_eq!(thread.join().unwrap(), [7]);
        }
    });
}
