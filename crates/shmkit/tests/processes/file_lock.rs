//! A `FileLock` excludes between processes and within one, and is released by its holder's death.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use shmkit::ErrorKind;
use shmkit::sync::FileLock;

use crate::children::{Child, Link};
use crate::system::wait_for_file_lock_waiter;
use crate::test_dir::{TestDir, kind};

#[cfg(unix)]
pub(crate) mod unix;

const SHORT: Duration = Duration::from_millis(5);

fn path_in(dir: &TestDir) -> PathBuf {
    dir.path().join("lock")
}

/// A file to lock, and its directory.
fn lock_file() -> (TestDir, PathBuf) {
    let dir = TestDir::new();
    let path = path_in(&dir);
    drop(FileLock::open_or_create(&path).unwrap());
    (dir, path)
}

fn start_locker(dir: &TestDir) -> Child {
    Child::start(dir, "file locker", path_in(dir).display())
}

/// Locks as the message says, and unlocks at the next message.
pub(crate) fn locker(link: &mut Link) {
    let mut lock = FileLock::open(link.task()).unwrap();
    loop {
        let acquired = match link.receive().as_str() {
            "lock" => lock.lock().map(Some),
            "read" => lock.read().map(Some),
            "try lock" => lock.try_lock(),
            "try read" => lock.try_read(),
            other => unreachable!("{other}"),
        };
        let Some(guard) = acquired.unwrap() else {
            link.send("refused");
            continue;
        };
        link.send("locked");
        link.receive();
        drop(guard);
        link.send("unlocked");
    }
}

#[test]
fn processes_exclude_each_other_and_share_the_lock_to_read() {
    let (dir, path) = lock_file();
    let mut lock = FileLock::open(&path).unwrap();
    let mut child = start_locker(&dir);

    assert_eq!(child.ask("lock"), "locked");
    assert!(lock.try_lock().unwrap().is_none());
    assert!(lock.try_read().unwrap().is_none());
    assert_eq!(kind(lock.lock_timeout(SHORT)), ErrorKind::TimedOut);
    assert_eq!(kind(lock.read_timeout(SHORT)), ErrorKind::TimedOut);
    assert_eq!(child.ask("unlock"), "unlocked");

    assert_eq!(child.ask("read"), "locked");
    assert!(lock.try_lock().unwrap().is_none());
    let shared = lock.try_read().unwrap().expect("both read");
    assert_eq!(child.ask("unlock"), "unlocked");
    assert_eq!(child.ask("try lock"), "refused");
    drop(shared);

    let held = lock.try_lock().unwrap().expect("the lock is free");
    assert_eq!(child.ask("try lock"), "refused");
    assert_eq!(child.ask("try read"), "refused");
    child.send("lock");
    wait_for_file_lock_waiter(&path);
    drop(held);
    assert_eq!(child.receive(), "locked");
}

/// With Boost's `file_lock` both would get the lock, and closing the second would release the lock
/// of the first.
#[test]
fn two_file_locks_of_one_process_are_independent() {
    let (dir, path) = lock_file();
    let mut child = start_locker(&dir);
    let open = || FileLock::open(&path).unwrap();
    let (mut first, mut second) = (open(), open());
    let held = first.lock().unwrap();
    assert!(second.try_lock().unwrap().is_none());
    assert!(second.try_read().unwrap().is_none());
    drop(second);
    assert_eq!(child.ask("try lock"), "refused");
    assert!(open().try_lock().unwrap().is_none());
    assert_eq!(child.ask("try read"), "refused", "the other handle was closed");
    drop(held);

    let (mut second, held) = (open(), first.read().unwrap());
    drop(second.read().unwrap());
    drop(second);
    assert_eq!(child.ask("try lock"), "refused", "one reader is left");
    drop(held);
    assert_eq!(child.ask("try lock"), "locked");
}

const COUNTS: u64 = 300;

/// Adds to the number in a file repeatedly, each time with the lock.
pub(crate) fn counter(link: &mut Link) {
    let path = PathBuf::from(link.task());
    let number = path.with_file_name("number");
    link.send("ready");
    link.receive();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut lock = FileLock::open(&path).unwrap();
                for _ in 0..COUNTS {
                    let _held = lock.lock().unwrap();
                    let count: u64 = fs::read_to_string(&number).unwrap().parse().unwrap();
                    fs::write(&number, (count + 1).to_string()).unwrap();
                }
            });
        }
    });
    link.send("done");
    link.receive();
}

#[test]
fn threads_of_several_processes_exclude_each_other() {
    const PROCESSES: u64 = 3;
    let (dir, path) = lock_file();
    let number = path.with_file_name("number");
    fs::write(&number, "0").unwrap();
    let start = |_| Child::start_ready(&dir, "counter", path.display());
    let mut children: Vec<_> = (0..PROCESSES).map(start).collect();
    children.iter_mut().for_each(|child| child.send("start"));
    children.iter_mut().for_each(|child| assert_eq!(child.receive(), "done"));
    assert_eq!(fs::read_to_string(number).unwrap(), (PROCESSES * 2 * COUNTS).to_string());
}

#[test]
fn the_lock_of_a_killed_process_is_released() {
    for held in ["lock", "read"] {
        let (dir, path) = lock_file();
        let (mut holder, mut waiter) = (start_locker(&dir), start_locker(&dir));
        assert_eq!(holder.ask(held), "locked");
        waiter.send("lock");
        wait_for_file_lock_waiter(&path);
        holder.kill();
        assert_eq!(waiter.receive(), "locked");
        let mut lock = FileLock::open(path).unwrap();
        assert!(lock.try_read().unwrap().is_none());
        waiter.kill();
        drop(lock.lock().expect("a death is not reported"));
    }
}

#[test]
fn a_killed_waiter_has_taken_nothing() {
    let (dir, path) = lock_file();
    let mut lock = FileLock::open(&path).unwrap();
    let held = lock.lock().unwrap();
    let (mut waiter, mut other) = (start_locker(&dir), start_locker(&dir));
    waiter.send("lock");
    wait_for_file_lock_waiter(&path);
    waiter.kill();
    assert_eq!(other.ask("try lock"), "refused");
    drop(held);
    assert_eq!(other.ask("try lock"), "locked");
}
