//! A lock over a file excludes between processes and within one, and goes with its holder.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use shmkit::ErrorKind;
use shmkit::sync::FileLock;

use crate::children::{Child, Link, PATIENCE};
use crate::place::{Place, kind};
use crate::system::wait_for_waiter;

#[cfg(unix)]
pub(crate) mod unix;

const MOMENT: Duration = Duration::from_millis(5);

fn path_in(place: &Place) -> PathBuf {
    place.path().join("lock")
}

/// A file to be locked, in a place of its own.
fn site() -> (Place, PathBuf) {
    let place = Place::new();
    let path = path_in(&place);
    drop(FileLock::open_or_create(&path).unwrap());
    (place, path)
}

/// A child with a handle of its own.
fn start_locker(place: &Place) -> Child {
    Child::start(place, "locker", path_in(place).display())
}

/// Locks in the way that it is told, and gives up at the next word.
pub(crate) fn locker(link: &mut Link) {
    let mut lock = FileLock::open(link.task()).unwrap();
    loop {
        let taken = match link.hear().as_str() {
            "lock" => lock.lock().map(Some),
            "read" => lock.read().map(Some),
            "try lock" => lock.try_lock(),
            "try read" => lock.try_read(),
            other => unreachable!("{other}"),
        };
        let Some(guard) = taken.unwrap() else {
            link.say("another has it");
            continue;
        };
        link.say("has it");
        link.hear();
        drop(guard);
        link.say("gave it up");
    }
}

#[test]
fn processes_exclude_each_other_and_share_to_read() {
    let (place, path) = site();
    let mut lock = FileLock::open(&path).unwrap();
    let mut child = start_locker(&place);

    assert_eq!(child.ask("lock"), "has it");
    assert!(lock.try_lock().unwrap().is_none());
    assert!(lock.try_read().unwrap().is_none());
    assert_eq!(kind(lock.lock_timeout(MOMENT)), ErrorKind::TimedOut);
    assert_eq!(kind(lock.read_timeout(MOMENT)), ErrorKind::TimedOut);
    assert_eq!(child.ask("give it up"), "gave it up");

    assert_eq!(child.ask("read"), "has it");
    assert!(lock.try_lock().unwrap().is_none());
    let shared = lock.try_read().unwrap().expect("both read");
    assert_eq!(child.ask("give it up"), "gave it up");
    assert_eq!(child.ask("try lock"), "another has it");
    drop(shared);

    let held = lock.try_lock().unwrap().expect("nobody else");
    assert_eq!(child.ask("try lock"), "another has it");
    assert_eq!(child.ask("try read"), "another has it");
    child.say("lock");
    wait_for_waiter(&path, PATIENCE);
    drop(held);
    assert_eq!(child.hear(), "has it");
}

/// What Boost's `file_lock` documents as its failure: there the two would both have the lock, and
/// closing the second would take it from the first.
#[test]
fn two_file_locks_of_one_process_exclude_each_other_and_closing_one_keeps_the_other() {
    let (place, path) = site();
    let mut child = start_locker(&place);
    let open = || FileLock::open(&path).unwrap();
    let (mut first, mut second) = (open(), open());
    let held = first.lock().unwrap();
    assert!(second.try_lock().unwrap().is_none());
    assert!(second.try_read().unwrap().is_none());
    drop(second);
    assert_eq!(child.ask("try lock"), "another has it");
    assert!(open().try_lock().unwrap().is_none());
    assert_eq!(child.ask("try read"), "another has it", "another was closed");
    drop(held);

    let (mut second, held) = (open(), first.read().unwrap());
    drop(second.read().unwrap());
    drop(second);
    assert_eq!(child.ask("try lock"), "another has it", "a reader was closed, one is left");
    drop(held);
    assert_eq!(child.ask("try lock"), "has it");
}

const COUNTS: u64 = 300;

/// Adds to the number in a file again and again, each time with the lock.
pub(crate) fn counter(link: &mut Link) {
    let path = PathBuf::from(link.task());
    let number = path.with_file_name("number");
    link.say("ready");
    link.hear();
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
    link.say("done");
    link.hear();
}

#[test]
fn threads_of_several_processes_take_turns() {
    const PROCESSES: u64 = 3;
    let (place, path) = site();
    let number = path.with_file_name("number");
    fs::write(&number, "0").unwrap();
    let start = |_| Child::start(&place, "counter", path.display());
    let mut children: Vec<_> = (0..PROCESSES).map(start).collect();
    children.iter_mut().for_each(|child| assert_eq!(child.hear(), "ready"));
    children.iter_mut().for_each(|child| child.say("go"));
    children.iter_mut().for_each(|child| assert_eq!(child.hear(), "done"));
    assert_eq!(fs::read_to_string(number).unwrap(), (PROCESSES * 2 * COUNTS).to_string());
}

#[test]
fn the_lock_of_a_killed_process_goes_to_the_next() {
    for held in ["lock", "read"] {
        let (place, path) = site();
        let (mut holder, mut waiter) = (start_locker(&place), start_locker(&place));
        assert_eq!(holder.ask(held), "has it");
        waiter.say("lock");
        wait_for_waiter(&path, PATIENCE);
        holder.kill();
        assert_eq!(waiter.hear(), "has it");
        let mut lock = FileLock::open(path).unwrap();
        assert!(lock.try_read().unwrap().is_none());
        waiter.kill();
        drop(lock.lock().expect("nobody is told of the death"));
    }
}

#[test]
fn a_process_killed_while_it_waits_leaves_the_lock_alone() {
    let (place, path) = site();
    let mut lock = FileLock::open(&path).unwrap();
    let held = lock.lock().unwrap();
    let (mut waiter, mut other) = (start_locker(&place), start_locker(&place));
    waiter.say("lock");
    wait_for_waiter(&path, PATIENCE);
    waiter.kill();
    assert_eq!(other.ask("try lock"), "another has it");
    drop(held);
    assert_eq!(other.ask("try lock"), "has it");
}
