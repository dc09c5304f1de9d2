//! Sets whose handles other processes make ready: by what they send, or by their death.

#[cfg(target_os = "linux")]
pub(crate) mod linux;

use std::io::Write;
use std::time::Instant;

use shmkit::sync::{Event, LockError, Mutex, Reset, Semaphore, named};
use shmkit::{ErrorKind, Latest, Pipe, Queue, Topic, WaitSet};

use crate::children::{Child, Link, Role};
use crate::test_dir::{TestDir, kind};
use crate::times::{SLOW_CHECKS, TIMEOUT};

pub(crate) const ROLES: &[(&str, Role)] =
    &[("holder of everything", holder), ("waiter for a set", waiter)];

/// Holds something of each kind until it is killed.
fn holder(link: &mut Link) {
    let latest = Latest::<u64>::open("latest").unwrap();
    let _writer = latest.writer().unwrap();
    let topic = Topic::<u64>::open("topic").unwrap();
    let _publisher = topic.publisher().unwrap();
    let queue = Queue::<u64>::open("queue").unwrap();
    let receiver = queue.receiver().unwrap();
    let _message = receiver.recv().unwrap();
    let pipe = Pipe::open("pipe").unwrap();
    let mut end = pipe.writer().unwrap();
    end.write_all(b"x").unwrap();
    let mutex = named::Mutex::<u64>::open("mutex").unwrap();
    let _held = mutex.lock().unwrap();
    let semaphore = named::Semaphore::open("semaphore").unwrap();
    let _permit = semaphore.acquire().unwrap();
    link.send("ready");
    link.receive();
}

#[test]
fn a_death_makes_each_handle_ready_whose_wait_would_tell_it() {
    let dir = TestDir::new();
    let here = dir.path();
    let latest = dir.latest::<u64>().create("latest").unwrap();
    let topic = Topic::<u64>::options().directory(here).create("topic").unwrap();
    let queue = Queue::<u64>::options().directory(here).create("queue").unwrap();
    let pipe = Pipe::options().directory(here).create("pipe").unwrap();
    let mutex = dir.primitive::<Mutex<u64>>().create("mutex", 0).unwrap();
    let semaphore = dir.primitive::<Semaphore>().create("semaphore", 1).unwrap();
    queue.sender().unwrap().send(&7).unwrap();

    let mut child = Child::start_ready(&dir, "holder of everything", "");
    let (mut changes, mut subscriber) = (latest.changes(), topic.subscriber().unwrap());
    let (receiver, mut reader) = (queue.receiver().unwrap(), pipe.reader().unwrap());
    assert_eq!(reader.try_read(&mut [0; 8]).unwrap(), Some(1));
    let set = WaitSet::new();
    set.add("latest", &changes).unwrap();
    set.add("topic", &subscriber).unwrap();
    set.add("queue", &receiver).unwrap();
    set.add("pipe", &reader).unwrap();
    set.add("mutex", &mutex).unwrap();
    set.add("semaphore", &semaphore).unwrap();
    assert_eq!(kind(set.wait_timeout(SLOW_CHECKS)), ErrorKind::TimedOut);

    child.kill();
    let (deadline, mut found) = (Instant::now() + TIMEOUT, Vec::new());
    while found.len() < 6 {
        for key in set.wait_until(deadline).unwrap() {
            match key {
                "latest" => assert_eq!(kind(changes.try_next()), ErrorKind::PeerDied),
                "topic" => assert_eq!(kind(subscriber.try_recv()), ErrorKind::PeerDied),
                "queue" => match receiver.try_recv().unwrap() {
                    Some(message) => assert_eq!(*message, 7),
                    // A message that is given back makes receivers look once more than needed.
                    None => continue,
                },
                "pipe" => assert_eq!(kind(reader.try_read(&mut [0; 8])), ErrorKind::PeerDied),
                "mutex" => match mutex.try_lock() {
                    Err(LockError::OwnerDied(Some(mut guard))) => guard.mark_consistent(),
                    _ => panic!("the holder died"),
                },
                _ => assert!(semaphore.try_consume().unwrap()),
            }
            assert!(!found.contains(&key) || key == "mutex", "{key} twice");
            found.push(key);
            if key == "mutex" {
                assert!(set.remove(&key));
            }
        }
    }
    // The end of the pipe: the writer that died was the last one.
    while set.wait_until(deadline).unwrap() != ["pipe"] {
        assert!(receiver.try_recv().unwrap().is_none(), "it was acknowledged");
    }
    assert_eq!(reader.try_read(&mut [0; 8]).unwrap(), Some(0));
}

/// Waits for a set of two events, and reports each that is set; it resets that one.
fn waiter(link: &mut Link) {
    let events = ["first", "second"].map(|name| named::Event::open(name).unwrap());
    let set = WaitSet::new();
    for (key, event) in events.iter().enumerate() {
        set.add(key, event).unwrap();
    }
    link.send("ready");
    loop {
        for key in set.wait().unwrap() {
            if events[key].try_wait().unwrap() {
                link.send(key);
            }
        }
    }
}

fn events(dir: &TestDir) -> [named::Event; 2] {
    let create = |name| dir.primitive::<Event>().create(name, Reset::Automatic).unwrap();
    ["first", "second"].map(create)
}

#[test]
fn each_event_that_another_process_sets_ends_the_wait_of_a_set() {
    let dir = TestDir::new();
    let events = events(&dir);
    let mut child = Child::start_ready(&dir, "waiter for a set", "");
    for round in 0..50 {
        let key = round % 2;
        events[key].set().unwrap();
        assert_eq!(child.receive(), key.to_string());
    }
}

#[test]
fn a_process_that_is_stopped_while_it_waits_for_a_set_finds_what_was_set() {
    let dir = TestDir::new();
    let events = events(&dir);
    let mut child = Child::start_ready(&dir, "waiter for a set", "");
    for _ in 0..3 {
        child.stop();
        events[1].set().unwrap();
        assert!(events[0].wait_timeout(SLOW_CHECKS).is_err(), "nobody sets it");
        assert!(events[1].is_set(), "a stopped process takes nothing");
        child.resume();
        assert_eq!(child.receive(), "1");
    }
    // A waiter that is killed took nothing.
    child.kill();
    events[1].set().unwrap();
    assert!(events[1].try_wait().unwrap());
}
