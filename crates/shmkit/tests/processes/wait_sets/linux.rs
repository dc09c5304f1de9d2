//! Sets in forked children, and where the system refuses to let a thread sleep on many words.

use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::thread::Timespec;
use shmkit::sync::{Event, Reset, named};
use shmkit::{PollHandle, WaitSet};

use crate::children::{Child, Link, Role};
use crate::closed_descriptors::deny;
use crate::fork::{fork, outcome};
use crate::test_dir::{TestDir, skip};
use crate::times::TIMEOUT;

pub(crate) const ROLES: &[(&str, Role)] = &[
    ("waiter without futex_waitv", waiter_without_waitv),
    ("forking waiter for a set", forking_waiter),
];

const EVENT: &str = "event";

/// Returns whether the handle becomes readable.
fn is_readable(handle: &PollHandle) -> bool {
    let timeout = Timespec::try_from(TIMEOUT).unwrap();
    poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&timeout)).unwrap() == 1
}

fn waiter_without_waitv(link: &mut Link) {
    let event = named::Event::open(EVENT).unwrap();
    let set = WaitSet::new();
    set.add(7, &event).unwrap();
    if let Err(error) = deny(libc::SYS_futex_waitv, None) {
        return link.send(format!("no filter: {error}"));
    }
    link.send("ready");
    loop {
        assert_eq!(set.wait_timeout(TIMEOUT).unwrap(), [7]);
        event.reset().unwrap();
        link.send("woken");
    }
}

#[test]
fn a_set_finds_its_events_where_the_system_does_not_know_the_call() {
    let dir = TestDir::new();
    let event = dir.primitive::<Event>().create(EVENT, Reset::Manual).unwrap();
    let mut child = Child::start(&dir, "waiter without futex_waitv", "");
    let answer = child.receive();
    if answer != "ready" {
        return skip(&format!("a refused system call: {answer}"));
    }
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(20));
        event.set().unwrap();
        assert_eq!(child.receive(), "woken");
    }
}

/// Forks while it waits for a set, in which a future is pending, too.
fn forking_waiter(link: &mut Link) {
    let event = named::Event::open(EVENT).unwrap();
    let set = WaitSet::new();
    set.add(7, &event).unwrap();
    let handle = set.poll_handle().unwrap();
    let in_child = || {
        let inherited = outcome(set.wait());
        let added = outcome(set.add(8, &event));
        let polled = outcome(set.poll_handle().map(drop));
        let own = named::Event::open(EVENT).unwrap();
        let set = WaitSet::new();
        set.add(1, &own).unwrap();
        let handle = set.poll_handle().unwrap();
        own.set().unwrap();
        let is_readable = is_readable(&handle);
        let found = outcome(set.wait_timeout(TIMEOUT));
        own.reset().unwrap();
        link.send(format!("{inherited} {added} {polled} {is_readable} {found}"));
    };
    let child = fork(in_child);
    // SAFETY: the child is this process's, and the status is not asked for.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    assert_eq!(outcome(set.try_wait()), "[]");
    event.set().unwrap();
    link.send(format!("parent {}", is_readable(&handle)));
    link.receive();
}

#[test]
fn a_forked_child_makes_sets_of_its_own_and_has_a_thread_of_its_own() {
    let dir = TestDir::new();
    let _event = dir.primitive::<Event>().create(EVENT, Reset::Manual).unwrap();
    let mut child = Child::start(&dir, "forking waiter for a set", "");
    assert_eq!(child.receive(), "Forked Forked Forked true [1]");
    assert_eq!(child.receive(), "parent true");
}
