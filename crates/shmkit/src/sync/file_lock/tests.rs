use std::fs;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;

#[cfg(unix)]
mod unix;

/// So long that a test that waits for it exceeds the watchdog's time and fails.
const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(15);

/// A file to be locked, removed with this value.
struct ObjectFile(tempfile::TempDir);

impl ObjectFile {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("it")
    }

    fn handle(&self) -> FileLock {
        FileLock::open_or_create(self.path()).unwrap()
    }
}

/// Asserts that the answer is an error with this text, and names the file.
#[track_caller]
fn refused<T>(answer: Result<T>, kind: ErrorKind, path: &Path, words: &str) {
    let error = answer.err().expect("an error");
    assert_eq!(error.kind(), kind, "{error}");
    let path = path.display().to_string();
    assert!(error.object() == Some(&path) && error.to_string().contains(words), "{error}");
}

#[test]
fn handles_of_one_process_exclude_each_other_and_share_to_read() {
    let object_file = ObjectFile::new();
    let [mut one, mut two, mut three] = [(); 3].map(|()| object_file.handle());
    let held = one.lock().unwrap();
    assert!(two.try_lock().unwrap().is_none());
    assert!(two.try_read().unwrap().is_none());
    drop(held);

    let (first, second) = (one.read().unwrap(), two.try_read().unwrap().unwrap());
    assert!(three.try_lock().unwrap().is_none());
    drop(first);
    assert!(three.try_lock().unwrap().is_none(), "one reader is left");
    drop(second);
    let held = three.try_lock().unwrap().unwrap();
    assert!(two.try_read().unwrap().is_none());
    drop(held);
}

type Wait = fn(&mut FileLock, Duration) -> Result<FileLockGuard<'_>>;

/// The calls that wait with a timeout, and whether they acquire the lock exclusively.
const TIMED: [(Wait, bool); 4] = [
    (FileLock::lock_timeout, true),
    (|it, timeout| it.lock_until(Instant::now() + timeout), true),
    (FileLock::read_timeout, false),
    (|it, timeout| it.read_until(Instant::now() + timeout), false),
];

#[test]
fn a_waiter_gets_the_lock_when_it_is_released_and_not_before() {
    let endless: [Wait; 2] = [|it, _| it.lock(), |it, _| it.read()];
    let object_file = ObjectFile::new();
    for wait in TIMED.map(|(wait, _)| wait).into_iter().chain(endless) {
        let (mut holder, mut waiter) = (object_file.handle(), object_file.handle());
        let held = holder.lock().unwrap();
        let (begin, given_up) = (Barrier::new(2), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                begin.wait();
                let _taken = wait(&mut waiter, LONG).unwrap();
                assert!(given_up.load(Ordering::SeqCst));
            });
            begin.wait();
            // Whether or not the waiter sleeps by then, it must not have the lock yet.
            (0..100).for_each(|_| thread::yield_now());
            given_up.store(true, Ordering::SeqCst);
            drop(held);
        });
    }
}

#[test]
fn a_wait_with_a_timeout_ends_when_the_time_is_over() {
    let object_file = ObjectFile::new();
    let (mut holder, mut waiter) = (object_file.handle(), object_file.handle());
    let times_out = |waiter: &mut FileLock, wait: Wait| {
        let begin = Instant::now();
        let why = "it was held by others until the timeout expired";
        refused(wait(waiter, SHORT), ErrorKind::TimedOut, &object_file.path(), why);
        assert!(begin.elapsed() >= SHORT);
    };
    let held = holder.lock().unwrap();
    TIMED.iter().for_each(|(wait, _)| times_out(&mut waiter, *wait));
    drop(held);
    let shared = holder.read().unwrap();
    for (wait, alone) in TIMED {
        if alone {
            times_out(&mut waiter, wait);
        } else {
            drop(wait(&mut waiter, SHORT).expect("both read"));
        }
    }
    drop(shared);
    for (wait, alone) in TIMED {
        let taken = wait(&mut waiter, Duration::ZERO).expect("it looks once");
        assert_eq!(holder.try_read().unwrap().is_none(), alone);
        drop(taken);
    }
    drop(waiter.lock_timeout(Duration::MAX).expect("it waits without a limit"));
}

#[test]
fn a_forgotten_guard_s_lock_stays_with_the_handle_until_it_acquires_again() {
    let object_file = ObjectFile::new();
    let [mut one, mut two, mut three] = [(); 3].map(|()| object_file.handle());
    std::mem::forget(one.lock().unwrap());
    assert!(two.try_lock().unwrap().is_none());
    let shared = one.read().unwrap();
    drop(two.try_read().unwrap().expect("no more than shared"));
    drop(shared);

    std::mem::forget(one.read().unwrap());
    let shared = two.read().unwrap();
    assert!(one.try_lock().unwrap().is_none());
    drop(shared);
    drop(three.try_lock().unwrap().expect("the forgotten lock was released"));

    std::mem::forget(one.lock().unwrap());
    drop(one);
    // It waits: a child that another test has just started can keep descriptors open for a moment.
    drop(two.lock().unwrap());
}

#[test]
fn a_file_is_made_where_there_is_none_and_kept_where_there_is_one() {
    let object_file = ObjectFile::new();
    let path = object_file.path();
    refused(FileLock::open(&path), ErrorKind::NotFound, &path, "cannot open");
    drop(FileLock::open_or_create(&path).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    fs::write(&path, b"text").unwrap();
    drop(FileLock::open_or_create(&path).unwrap().lock().unwrap());
    drop(FileLock::open(&path).unwrap().lock().unwrap());
    assert_eq!(fs::read(&path).unwrap(), b"text");

    let nowhere = path.with_file_name("nowhere").join("it");
    refused(FileLock::open_or_create(&nowhere), ErrorKind::NotFound, &nowhere, "cannot open");
}

#[test]
fn threads_that_create_the_file_at_once_lock_the_same_file() {
    const HANDLES: usize = 4;
    for _ in 0..20 {
        let object_file = ObjectFile::new();
        let start = Barrier::new(HANDLES);
        let open = || {
            start.wait();
            FileLock::open_or_create(object_file.path()).unwrap()
        };
        let mut handles: Vec<_> = thread::scope(|scope| {
            let opening: Vec<_> = (0..HANDLES).map(|_| scope.spawn(open)).collect();
            opening.into_iter().map(|it| it.join().unwrap()).collect()
        });
        let (first, others) = handles.split_first_mut().unwrap();
        let held = first.lock().unwrap();
        assert!(others.iter_mut().all(|other| other.try_read().unwrap().is_none()));
        drop(held);
    }
}

#[test]
fn a_directory_is_refused_in_words() {
    let object_file = ObjectFile::new();
    let path = object_file.0.path();
    refused(FileLock::open(path), ErrorKind::WrongKind, path, "it is a directory");
    refused(FileLock::open_or_create(path), ErrorKind::WrongKind, path, "it is a directory");
}

#[test]
fn handles_and_guards_go_to_other_threads() {
    fn check<T: Send + Sync>() {}
    check::<FileLock>();
    check::<FileLockGuard<'_>>();
}
