//! The thread that receives death notices: when it exists, what a fork or `closefrom` does to it, and
//! what happens where the system refuses it.

mod crowd;
mod refused;
mod unloaded;

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use shmkit::memory::SharedMemory;
use shmkit::sync::{Condvar, Event, LockError, Mutex, Reset};
use shmkit::{ErrorKind, Latest, Object};

pub(crate) use self::crowd::crowd;
pub(crate) use self::refused::waiter_without_a_call;
pub(crate) use self::unloaded::loader;
use crate::children::{Child, Link};
use crate::fork::{fork, raw_fork};
use crate::system::notices_threads_of;
use crate::test_dir::{TestDir, kind, open, primitive_in};

const CONDITION: &str = "condition";
const COUNT: &str = "count";
const EVENT: &str = "event";
/// The name that the role "mutex holder" uses.
const MUTEX: &str = "lock";
/// Longer than a waiter waits before it arms the notices.
const LONG: Duration = Duration::from_millis(20);
/// How many values the reader that is not woken waits for.
const ROUNDS: u64 = 4;

/// How many threads of this process receive death notices.
fn notices_threads() -> usize {
    notices_threads_of(std::process::id())
}

/// How many threads this process has.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Waits for an event that is never set. Returns how many threads receive notices then.
fn wait_for(event: &Event) -> usize {
    assert_eq!(kind(event.wait_timeout(LONG)), ErrorKind::TimedOut);
    notices_threads()
}

/// Answers how many threads received notices after each step.
pub(crate) fn counter(link: &mut Link) {
    let others = threads();
    let mut counts = vec![notices_threads()];
    let first = open::<Event>(EVENT);
    counts.push(notices_threads());
    counts.push(wait_for(&first));
    let second = open::<Event>(EVENT);
    counts.push(wait_for(&second));
    drop(first);
    counts.push(wait_for(&second));
    drop(second);
    counts.push(notices_threads());
    let again = open::<Event>(EVENT);
    counts.push(wait_for(&again));
    assert_eq!(threads(), others + counts.last().unwrap(), "no other thread was started");
    drop(again);
    let directory = shmkit::default_directory();
    let without = primitive_in::<Event>(&directory).death_notices(false).open(EVENT).unwrap();
    counts.push(wait_for(&without));
    let memory = SharedMemory::anonymous(1 << 16).unwrap();
    let options = Object::<Event>::options().death_notices(false);
    counts.push(wait_for(&options.create_in(&memory, 0, Reset::Manual).unwrap()));
    assert_eq!(threads(), others, "without notices no thread is started");
    link.send(format!("{counts:?}"));
    link.receive();
}

#[test]
fn the_first_long_wait_starts_a_thread_which_ends_with_the_last_object_that_needs_it() {
    let dir = TestDir::new();
    let _event = dir.primitive::<Event>().create(EVENT, Reset::Manual).unwrap();
    let mut child = Child::start(&dir, "thread counter", "");
    assert_eq!(child.receive(), "[0, 0, 1, 1, 1, 0, 1, 0, 0]");
    let mut child = Child::start_with(&dir, "thread counter", "", |command| {
        command.env("SHMKIT_NOTICES", "off")
    });
    assert_eq!(child.receive(), "[0, 0, 0, 0, 0, 0, 0, 0, 0]");
}

/// Forks after its notices were armed. The child waits, too, for a lock whose holder is killed.
pub(crate) fn forking_waiter(link: &mut Link) {
    let inherited = open::<Event>(EVENT);
    // A raw clone is only for processes with a single thread.
    let is_raw = link.task() == "raw clone";
    if !is_raw {
        assert_eq!(wait_for(&inherited), 1);
    }
    let in_child = || {
        let before = (notices_threads(), kind(inherited.wait_timeout(LONG)));
        let mutex = open::<Mutex<u64>>(MUTEX);
        link.send(format!("{before:?}"));
        let is_told = mutex.lock().is_err();
        let ends_with_it = notices_threads();
        drop(mutex);
        link.send(format!("{is_told} {ends_with_it} {}", notices_threads()));
    };
    let child = if is_raw { raw_fork(in_child) } else { fork(in_child) };
    // SAFETY: the child is this process's, and the status is not asked for.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    assert_eq!(wait_for(&inherited), 1, "the parent's own still works");
    link.send("parent");
    link.receive();
}

#[test]
fn a_forked_child_arms_notices_of_its_own_and_leaves_those_of_its_parent() {
    for task in ["fork", "raw clone"] {
        let dir = TestDir::new();
        let _event = dir.primitive::<Event>().create(EVENT, Reset::Manual).unwrap();
        let _mutex = dir.primitive::<Mutex<u64>>().create(MUTEX, 0).unwrap();
        let mut holder = Child::start_ready(&dir, "mutex holder", "");
        let mut child = Child::start(&dir, "forking waiter", task);
        assert_eq!(child.receive(), "(0, Forked)", "{task}");
        dir.wait_for_waiters(MUTEX, 1);
        std::thread::sleep(LONG);
        holder.kill();
        assert_eq!(child.receive(), "true 1 0", "{task}");
        assert_eq!(child.receive(), "parent", "{task}");
    }
}

/// The numbers of all descriptors of this process except the standard ones, and more.
const NUMBERS: std::ops::Range<RawFd> = 3..64;
/// What is in the pipe. If it is read as events of inotify, they belong to no watch.
const IN_PIPE: [u8; 64] = [0; 64];

/// A pipe with bytes in it, both ends above the numbers. A thread that reads it does not block.
fn pipe_with_bytes() -> (OwnedFd, File) {
    let (reader, writer) = std::io::pipe().unwrap();
    let reader = rustix::io::fcntl_dupfd_cloexec(reader, NUMBERS.end).unwrap();
    rustix::io::ioctl_fionbio(&reader, true).unwrap();
    let writer = rustix::io::fcntl_dupfd_cloexec(writer, NUMBERS.end).unwrap();
    let mut writer = File::from(writer);
    writer.write_all(&IN_PIPE).unwrap();
    (reader, writer)
}

/// Replaces its descriptors by those of a pipe after its notices were armed.
pub(crate) fn waiter_without_descriptors(link: &mut Link) {
    let event = open::<Event>(EVENT);
    assert_eq!(wait_for(&event), 1);
    let (pipe, _writer) = pipe_with_bytes();
    for number in NUMBERS {
        // In one step: if the number were free for a moment, the thread could notice that.
        // SAFETY: the owners of the numbers check at their next use that these are still theirs.
        assert_eq!(unsafe { libc::dup2(pipe.as_raw_fd(), number) }, number);
    }
    link.send("closed");
    link.receive();
    let is_whole = || rustix::io::ioctl_fionread(&pipe) == Ok(IN_PIPE.len() as u64);
    // The other process has caused events. The thread finds that its descriptor is closed.
    while notices_threads() > 0 && is_whole() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let waited = event.wait_timeout(LONG).map_err(|error| error.kind());
    link.send(format!("{waited:?}"));
    drop(event);
    // SAFETY: the command takes no argument, and any number.
    let is_open = |number: &RawFd| unsafe { libc::fcntl(*number, libc::F_GETFD) } != -1;
    let are_open = NUMBERS.filter(is_open).count() == NUMBERS.len();
    link.send(format!("{} {} {are_open}", notices_threads(), is_whole()));
    link.receive();
}

#[test]
fn a_thread_whose_descriptor_was_closed_reads_nothing_from_the_next_file_of_its_number() {
    let dir = TestDir::new();
    let _event = dir.primitive::<Event>().create(EVENT, Reset::Manual).unwrap();
    let mut child = Child::start(&dir, "waiter without descriptors", "");
    assert_eq!(child.receive(), "closed");
    drop(dir.primitive::<Event>().open(EVENT).unwrap());
    assert_eq!(child.ask("go on"), "Err(RoleLost)", "another process freed its slot");
    assert_eq!(child.receive(), "0 true true", "no thread, all bytes, and all descriptors");
}

/// Waits for values that do not wake it. Announces that it has just begun to sleep again, and then
/// answers how many milliseconds later it found the next value.
pub(crate) fn reader_that_is_not_woken(link: &mut Link) {
    let latest = Latest::<u64>::options().open_read_only(COUNT).unwrap();
    let mut changes = latest.changes();
    while notices_threads() == 0 {
        assert_eq!(kind(changes.next_timeout(LONG)), ErrorKind::TimedOut);
    }
    for _ in 0..ROUNDS {
        let before = shmkit::crash::expired_sleeps();
        let found = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                changes.next().unwrap();
                Instant::now()
            });
            // The first sleep of a wait may end early.
            while shmkit::crash::expired_sleeps() < before + 2 {
                std::thread::yield_now();
            }
            let begun = Instant::now();
            link.send("asleep");
            waiting.join().unwrap().duration_since(begun)
        });
        link.send(found.as_millis());
    }
    link.receive();
}

#[test]
fn a_reader_that_no_change_wakes_looks_at_intervals_although_its_notices_are_armed() {
    let dir = TestDir::new();
    let latest = dir.latest::<u64>().create(COUNT).unwrap();
    let mut writer = latest.writer().unwrap();
    let mut child = Child::start(&dir, "reader that is not woken", "");
    let elapsed_ms = (0..ROUNDS).map(|round| {
        assert_eq!(child.receive(), "asleep");
        writer.set(&round).unwrap();
        child.receive().parse::<u64>().unwrap()
    });
    // Of several times the least, since a thread may be woken late.
    let least = elapsed_ms.min();
    assert!(least < Some(150), "{least:?}");
}

/// Waits for a condition in one object with a lock in another, until the lock's next holder dies.
pub(crate) fn waiter_between_objects(link: &mut Link) {
    let (mutex, condvar) = (open::<Mutex<u64>>(MUTEX), open::<Condvar>(CONDITION));
    let guard = mutex.lock().unwrap();
    link.send("locked");
    let answer = condvar.wait(guard);
    link.send(format!("{} {}", matches!(answer, Err(LockError::OwnerDied(_))), notices_threads()));
    link.receive();
}

#[test]
fn a_condition_in_another_object_than_its_lock_is_waited_for_at_intervals() {
    let dir = TestDir::new();
    let _mutex = dir.primitive::<Mutex<u64>>().create(MUTEX, 0).unwrap();
    let _condvar = dir.primitive::<Condvar>().create(CONDITION, ()).unwrap();
    let mut child = Child::start(&dir, "waiter between objects", "");
    assert_eq!(child.receive(), "locked");
    dir.wait_for_waiters(CONDITION, 1);
    let mut holder = Child::start_ready(&dir, "mutex holder", "");
    std::thread::sleep(LONG);
    holder.kill();
    // A notice about the condition's object would not tell of the lock's.
    assert_eq!(child.receive(), "true 0");
}
