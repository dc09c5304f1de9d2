//! Signals end a wait only where the program wants that.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use shmkit::sync::{Event, FileLock, Mutex, Reset, Semaphore};
use shmkit::{Error, ErrorKind, Result, interruptible};

use crate::test_dir::{TestDir, kind};

const NAME: &str = "object";

/// How many signals [`COUNTED`] were handled: one test sends them.
static HANDLED: AtomicU32 = AtomicU32::new(0);
const COUNTED: libc::c_int = libc::SIGUSR2;

extern "C" fn handle(signal: libc::c_int) {
    HANDLED.fetch_add(u32::from(signal == COUNTED), Ordering::SeqCst);
}

/// Runs `wait` in a thread that gets signals until it has ended, or `enough` is true.
fn wait_with_signals<T: Send>(
    signal: libc::c_int,
    wait: impl FnOnce() -> T + Send,
    enough: impl Fn() -> bool,
    then: impl FnOnce(),
) -> T {
    // SAFETY: the handler only changes an atomic.
    unsafe { libc::signal(signal, handle as *const () as libc::sighandler_t) };
    let (begun, has_ended) = (std::sync::mpsc::channel(), AtomicBool::new(false));
    thread::scope(|scope| {
        let (sender, receiver) = begun;
        let has_ended = &has_ended;
        let waiting = scope.spawn(move || {
            // SAFETY: the function has no arguments.
            sender.send(unsafe { libc::pthread_self() }).unwrap();
            let answer = wait();
            has_ended.store(true, Ordering::SeqCst);
            answer
        });
        let thread = receiver.recv().unwrap();
        // Again and again: a signal before the thread sleeps does not end its wait.
        while !has_ended.load(Ordering::SeqCst) && !enough() {
            // SAFETY: the thread is not joined yet.
            unsafe { libc::pthread_kill(thread, signal) };
            thread::sleep(Duration::from_millis(1));
        }
        then();
        waiting.join().unwrap()
    })
}

#[test]
fn a_signal_ends_a_wait_in_an_interruptible_call() {
    let dir = TestDir::new();
    let event = dir.primitive::<Event>().create(NAME, Reset::Manual).unwrap();
    let [mutex, other] = dir.handles::<Mutex<u32>, 2>("mutex", 1);
    let semaphore = dir.primitive::<Semaphore>().create("semaphore", 0).unwrap();
    let path = dir.path().join("file");
    let [mut file, mut second] = [(); 2].map(|()| FileLock::open_or_create(&path).unwrap());
    let (_locked, _held) = (file.lock().unwrap(), mutex.lock().unwrap());
    let waits: [Box<dyn FnOnce() -> Result<()> + Send>; 4] = [
        Box::new(|| event.wait()),
        Box::new(|| other.lock().map(drop).map_err(Error::from)),
        Box::new(|| semaphore.acquire().map(drop)),
        Box::new(|| second.lock().map(drop)),
    ];
    for wait in waits {
        let wait = || interruptible(wait).map_err(|error| (error.kind(), error.to_string()));
        let (kind, message) = wait_with_signals(libc::SIGUSR1, wait, || false, || ()).unwrap_err();
        assert_eq!(kind, ErrorKind::Interrupted, "{message}");
        assert!(message.ends_with("a signal ended the wait"), "{message}");
    }
    let attempt = interruptible(|| event.try_wait());
    assert!(!attempt.unwrap(), "an attempt does not wait");
    event.set().unwrap();
    interruptible(|| event.wait()).expect("it need not wait");
}

#[test]
fn a_signal_does_not_end_other_waits() {
    let dir = TestDir::new();
    let [event, other] = dir.handles::<Event, 2>(NAME, Reset::Manual);
    let enough = || HANDLED.load(Ordering::SeqCst) >= 30;
    // Also not after a call that was interruptible.
    let wait = || {
        interruptible(|| ());
        other.wait()
    };
    wait_with_signals(COUNTED, wait, enough, || event.set().unwrap()).unwrap();
    event.reset().unwrap();
    assert_eq!(kind(other.wait_timeout(Duration::from_millis(1))), ErrorKind::TimedOut);
}
