//! Waits that another thread ends.

use std::time::Duration;

use shmkit::memory::Trust;
use shmkit::sync::{
    AnyLock, Barrier, Condvar, Event, FileLock, Guard, Latch, LockResult, Mutex, Once,
    ReentrantMutex, Reset, RwLock, Semaphore,
};
use shmkit::{CancelToken, ErrorKind, Latest, Object, Result};

use crate::test_dir::{SHORT, TIMEOUT, TestDir, assert_error, kind};

const NAME: &str = "object";

/// Starts `wait` under a token, cancels that once it waits in the object, and checks its answer.
#[track_caller]
fn check<T>(dir: &TestDir, wait: impl FnOnce() -> Result<T> + Send) {
    let token = CancelToken::new();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| token.run(|| kind(wait())));
        dir.wait_for_waiters(NAME, 1);
        assert!(!token.is_cancelled());
        token.cancel();
        assert_eq!(waiting.join().unwrap(), ErrorKind::Cancelled);
    });
    dir.wait_for_waiters(NAME, 0);
}

/// The same of a wait that no object counts. It gets time to sleep: if it did not in that time, the
/// token is cancelled before it sleeps, which has the same answer. That a wait which sleeps is woken
/// is tested with counted sleeps, in `processes::wakes`.
#[track_caller]
fn check_uncounted<T>(wait: impl FnOnce() -> Result<T> + Send) {
    let (token, (begun, has_begun)) = (CancelToken::new(), std::sync::mpsc::channel());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let begun = begun;
            begun.send(()).unwrap();
            token.run(|| kind(wait()))
        });
        has_begun.recv().unwrap();
        std::thread::sleep(10 * SHORT);
        assert!(!waiting.is_finished());
        token.cancel();
        assert_eq!(waiting.join().unwrap(), ErrorKind::Cancelled);
    });
}

/// The answer of a lock.
fn locked<G: Guard>(locked: LockResult<G>) -> Result<()> {
    locked.map(drop).map_err(Into::into)
}

#[test]
fn each_wait_for_a_lock_can_be_cancelled() {
    let dir = TestDir::new();
    let [mutex, other] = dir.two_handles::<Mutex<u32>>(NAME, 1);
    let held = mutex.lock().unwrap();
    check(&dir, || locked(other.lock()));
    check(&dir, || locked(other.lock_timeout(TIMEOUT)));
    check(&dir, || other.lock_replacing(2).map(drop));
    let any = AnyLock::open(Some(dir.path()), NAME, Trust::Own).unwrap();
    check(&dir, || locked(any.exclusive()));
    drop(held);
    assert_eq!(*other.lock().unwrap(), 1);

    let dir = TestDir::new();
    let [mutex, other] = dir.two_handles::<ReentrantMutex<u32>>(NAME, 1);
    let held = mutex.lock().unwrap();
    check(&dir, || locked(other.lock()));
    drop(held);
    assert_eq!(other.lock().unwrap().depth(), 1);
}

#[test]
fn each_wait_for_a_read_write_lock_can_be_cancelled() {
    let dir = TestDir::new();
    let [lock, other] = dir.two_handles::<RwLock<u32>>(NAME, 1);
    let any = AnyLock::open(Some(dir.path()), NAME, Trust::Own).unwrap();
    let written = lock.write().unwrap();
    check(&dir, || locked(other.read()));
    check(&dir, || locked(other.upgradable_read()));
    check(&dir, || locked(other.write()));
    check(&dir, || locked(any.shared()));
    drop(written);
    let read = lock.read().unwrap();
    check(&dir, || locked(other.write()));
    let seen = other.upgradable_read().unwrap();
    let token = CancelToken::new();
    token.cancel();
    let not_upgraded = token.run(|| seen.upgrade()).expect_err("a reader is in the way");
    assert_eq!(not_upgraded.error.unwrap().kind(), ErrorKind::Cancelled);
    assert_eq!(*not_upgraded.guard, 1, "the guard is as it was");
    drop((not_upgraded.guard, read));
    assert_eq!(*other.write().unwrap(), 1);
}

#[test]
fn a_condition_whose_wait_is_cancelled_has_released_the_lock() {
    let dir = TestDir::new();
    let condvar = dir.options::<Condvar>().create(NAME, ()).unwrap();
    let mutex = dir.options::<Mutex<u32>>().create("lock", 0).unwrap();
    check(&dir, || locked(condvar.wait(mutex.lock()?)));
    check(&dir, || locked(condvar.wait_while(mutex.lock()?, |value| *value == 0)));
    check(&dir, || Ok(condvar.wait_timeout(mutex.lock()?, TIMEOUT)?.1));
    assert!(mutex.try_lock().unwrap().is_some());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| condvar.wait(mutex.lock().unwrap()).map(drop).unwrap());
        dir.wait_for_waiters(NAME, 1);
        condvar.notify_one().unwrap();
        waiting.join().expect("no cancelled waiter has its notification");
    });
}

#[test]
fn each_wait_for_a_permit_can_be_cancelled() {
    let dir = TestDir::new();
    let [semaphore, other] = dir.two_handles::<Semaphore>(NAME, 0);
    check(&dir, || other.acquire().map(drop));
    check(&dir, || other.acquire_timeout(TIMEOUT).map(drop));
    check(&dir, || other.consume());
    semaphore.post(1).unwrap();
    drop(other.acquire_timeout(SHORT).expect("no cancelled waiter has it"));
}

#[test]
fn each_wait_for_an_event_a_latch_and_an_action_can_be_cancelled() {
    for reset in [Reset::Manual, Reset::Automatic] {
        let dir = TestDir::new();
        let [event, other] = dir.two_handles::<Event>(NAME, reset);
        check(&dir, || other.wait());
        check(&dir, || other.wait_timeout(TIMEOUT));
        event.set().unwrap();
        other.wait().unwrap();
    }
    let dir = TestDir::new();
    let [latch, other] = dir.two_handles::<Latch>(NAME, 1);
    check(&dir, || other.wait());
    latch.join().unwrap().count_down().unwrap();
    other.wait().unwrap();

    let dir = TestDir::new();
    let [once, other] = dir.two_handles::<Once>(NAME, ());
    let call = || check(&dir, || other.call_once(|| unreachable!("another thread runs it")));
    once.call_once(call).unwrap();
    other.call_once(|| unreachable!("it is done")).unwrap();
}

#[test]
fn a_party_whose_wait_is_cancelled_has_arrived() {
    let dir = TestDir::new();
    let [barrier, other] = dir.two_handles::<Barrier>(NAME, 2);
    let mut party = barrier.join().unwrap();
    check(&dir, || party.wait());
    let mut second = other.join().unwrap();
    assert!(second.wait().unwrap().is_leader());
    party.wait().expect("the round in which it had arrived");
    assert_eq!(kind(party.wait_timeout(SHORT)), ErrorKind::TimedOut, "a new round");
}

#[test]
fn waits_for_a_value_a_role_and_a_slot_can_be_cancelled() {
    let dir = TestDir::new();
    let latest = Latest::<u32>::options().directory(dir.path()).create(NAME).unwrap();
    let mut changes = latest.changes();
    check_uncounted(|| changes.next());
    let mut writer = latest.writer().unwrap();
    check_uncounted(|| latest.writer_timeout(TIMEOUT));
    let token = CancelToken::new();
    token.cancel();
    let second = token.run(|| latest.writer_timeout(TIMEOUT));
    assert_error(second, ErrorKind::Cancelled, "the wait was cancelled");
    writer.set(&7).unwrap();
    assert_eq!(changes.next().unwrap(), 7);

    let options = dir.options::<Event>().max_participants(1).slot_timeout(Duration::MAX);
    let _only = options.create("full", Reset::Manual).unwrap();
    check_uncounted(|| options.open("full"));
    let slot = token.run(|| options.open("full"));
    assert_error(slot, ErrorKind::Cancelled, "cannot open \"full\": the wait was cancelled");
}

#[test]
fn waits_for_the_lock_of_a_file_can_be_cancelled() {
    let dir = TestDir::new();
    let path = dir.path().join("file");
    let [mut lock, mut other] = [(); 2].map(|()| FileLock::open_or_create(&path).unwrap());
    let held = lock.lock().unwrap();
    check_uncounted(|| other.lock().map(drop));
    check_uncounted(|| other.read().map(drop));
    check_uncounted(|| other.lock_timeout(TIMEOUT).map(drop));
    drop(held);
    let token = CancelToken::new();
    token.cancel();
    token.run(|| other.lock().map(drop)).expect("it need not wait");
}

#[test]
fn what_is_there_is_acquired_under_a_cancelled_token_and_attempts_are_not_cancelled() {
    let dir = TestDir::new();
    let [mutex, other] = dir.two_handles::<Mutex<u32>>(NAME, 1);
    let event = dir.options::<Event>().create("event", Reset::Manual).unwrap();
    let semaphore = dir.options::<Semaphore>().create("semaphore", 1).unwrap();
    let token = CancelToken::new();
    token.cancel();
    token.run(|| {
        let held = mutex.lock().unwrap();
        assert!(other.try_lock().unwrap().is_none());
        assert_eq!(kind(other.lock()), ErrorKind::Cancelled);
        drop(held);
        drop(other.lock().unwrap());
        assert!(!event.try_wait().unwrap());
        event.set().unwrap();
        event.wait().unwrap();
        semaphore.acquire().unwrap().forget();
        assert!(semaphore.try_acquire().unwrap().is_none());
        assert_eq!(kind(semaphore.acquire()), ErrorKind::Cancelled);
    });
    event.reset().unwrap();
    assert_eq!(kind(event.wait_timeout(SHORT)), ErrorKind::TimedOut, "outside of the call");
}

#[test]
fn a_token_ends_the_waits_of_its_threads_only_and_an_outer_one_those_of_inner_calls() {
    let dir = TestDir::new();
    let [event, other] = dir.two_handles::<Event>(NAME, Reset::Manual);
    let [outer, inner] = [CancelToken::new(), CancelToken::new()];
    std::thread::scope(|scope| {
        let stays = scope.spawn(|| other.wait());
        let nested = scope.spawn(|| outer.run(|| inner.run(|| kind(event.wait()))));
        let [first, second] = [(); 2].map(|()| scope.spawn(|| inner.run(|| kind(other.wait()))));
        dir.wait_for_waiters(NAME, 4);
        outer.clone().cancel();
        assert_eq!(nested.join().unwrap(), ErrorKind::Cancelled);
        dir.wait_for_waiters(NAME, 3);
        inner.cancel();
        assert_eq!(first.join().unwrap(), ErrorKind::Cancelled);
        assert_eq!(second.join().unwrap(), ErrorKind::Cancelled);
        dir.wait_for_waiters(NAME, 1);
        event.set().unwrap();
        stays.join().unwrap().unwrap();
    });
}

#[test]
fn a_token_ends_no_wait_after_its_call_even_if_that_panicked() {
    let dir = TestDir::new();
    let event = dir.options::<Event>().create(NAME, Reset::Manual).unwrap();
    let token = CancelToken::new();
    token.cancel();
    let panicked = std::panic::catch_unwind(|| {
        token.run(|| std::panic::resume_unwind(Box::new(())));
    });
    assert!(panicked.is_err());
    assert_eq!(kind(event.wait_timeout(SHORT)), ErrorKind::TimedOut);
    assert!(format!("{token:?}").contains("is_cancelled: true"));
}

#[test]
fn a_token_works_for_an_object_in_memory() {
    let options = Object::<Event>::options();
    let size = options.size_in_memory(&Reset::Manual).unwrap();
    let memory = shmkit::SharedMemory::anonymous(size).unwrap();
    let event = options.create_in(&memory, 0, Reset::Manual).unwrap();
    check_uncounted(|| event.wait());
}
