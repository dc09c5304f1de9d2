//! Each kind: what makes a handle ready, and what does not any more.

use std::io::Write;
use std::thread;
use std::time::Duration;

use shmkit::sync::{Reset, named};
use shmkit::{Latest, Pipe, Queue, Topic, Waitable};

use super::{TIMEOUT, TestDir, assert_woken, set_of};

/// Makes the handle ready while a thread waits, and takes what made it ready: again and again.
#[track_caller]
fn check<H: Waitable + Sync>(
    handle: &mut H,
    mut make_ready: impl FnMut(u32),
    mut take: impl FnMut(&mut H, u32),
) {
    let set = set_of(handle);
    for round in 0..10 {
        assert!(set.try_wait().unwrap().is_empty(), "round {round}");
        assert_woken(&set, &[7], || make_ready(round));
        assert_eq!(set.try_wait().unwrap(), [7], "it is still there");
        take(handle, round);
    }
    assert!(set.try_wait().unwrap().is_empty());
}

#[test]
fn changes_of_a_latest() {
    let dir = TestDir::new();
    let latest = dir.with(Latest::<u32>::options()).open_or_create("latest").unwrap();
    let mut writer = latest.writer().unwrap();
    check(
        &mut latest.changes(),
        |round| _ = writer.set(&round).unwrap(),
        |changes, round| assert_eq!(changes.try_next().unwrap(), Some(round)),
    );
    let reader = dir.with(Latest::<u32>::options()).open("latest").unwrap();
    let set = set_of(&reader.changes());
    writer.set(&1).unwrap();
    assert!(set.try_wait().unwrap().is_empty(), "its handle was dropped");
}

#[test]
fn a_subscriber_of_a_topic() {
    let dir = TestDir::new();
    let topic = dir.with(Topic::<u32>::options()).depth(8).open_or_create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    check(
        &mut topic.subscriber().unwrap(),
        |round| _ = publisher.publish(&round).unwrap(),
        |subscriber, round| assert_eq!(subscriber.try_recv().unwrap(), Some(round)),
    );
}

#[test]
fn a_subscriber_whose_messages_were_overwritten() {
    let dir = TestDir::new();
    let options = dir.with(Topic::<u32>::options()).depth(8).when_full(shmkit::WhenFull::Overwrite);
    let topic = options.open_or_create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    check(
        &mut topic.subscriber().unwrap(),
        |_| (0..20).for_each(|number| _ = publisher.publish(&number).unwrap()),
        |subscriber, _| while subscriber.try_recv().unwrap().is_some() {},
    );
}

#[test]
fn a_receiver_and_a_sender_of_a_queue() {
    for by_priority in [false, true] {
        let dir = TestDir::new();
        let options = dir.with(Queue::<u32>::options()).depth(4).priorities(by_priority);
        let queue = options.open_or_create("queue").unwrap();
        let sender = queue.sender().unwrap();
        let mut receiver = queue.receiver().unwrap();
        check(
            &mut receiver,
            |round| sender.send(&round).unwrap(),
            |receiver, round| assert_eq!(*receiver.try_recv().unwrap().unwrap(), round),
        );
        let mut other = queue.sender().unwrap();
        (0..4).for_each(|number| sender.send(&number).unwrap());
        check(
            &mut other,
            |_| drop(receiver.try_recv().unwrap().unwrap()),
            |sender, round| sender.send(&round).unwrap(),
        );
    }
}

#[test]
fn the_ends_of_a_pipe() {
    let dir = TestDir::new();
    let pipe = dir.with(Pipe::options()).capacity(8 << 10).create("pipe").unwrap();
    let (mut writer, mut reader) = (pipe.writer().unwrap(), pipe.reader().unwrap());
    let mut bytes = [0; 8 << 10];
    check(
        &mut reader,
        |round| writer.write_all(&[round as u8; 100]).unwrap(),
        |reader, _| assert_eq!(reader.try_read(&mut [0; 200]).unwrap(), Some(100)),
    );
    let mut reader = pipe.reader().unwrap();
    writer.write_all(&bytes).unwrap();
    check(
        &mut writer,
        |_| assert_eq!(reader.try_read(&mut bytes[..4 << 10]).unwrap(), Some(4 << 10)),
        |writer, _| writer.write_all(&[0; 4 << 10]).unwrap(),
    );
    while reader.try_read(&mut bytes).unwrap().is_some_and(|count| count > 0) {}
    let set = set_of(&reader);
    assert_woken(&set, &[7], || writer.close());
    assert_eq!(reader.try_read(&mut bytes).unwrap(), Some(0), "the end of the stream");
    assert_eq!(set.try_wait().unwrap(), [7], "it is still the end");
    let (next, mut writer) = (pipe.reader().unwrap(), None);
    let set = set_of(&next);
    assert!(set.try_wait().unwrap().is_empty(), "it waits for the next writer");
    assert_woken(&set, &[7], || {
        writer.insert(pipe.writer().unwrap()).write_all(&[1]).unwrap();
    });
}

#[test]
fn the_last_reader_that_leaves_wakes_a_writer() {
    let dir = TestDir::new();
    let pipe = dir.with(Pipe::options()).capacity(4 << 10).create("pipe").unwrap();
    let (mut writer, reader) = (pipe.writer().unwrap(), pipe.reader().unwrap());
    writer.write_all(&[0; 4 << 10]).unwrap();
    let set = set_of(&writer);
    assert!(set.try_wait().unwrap().is_empty());
    assert_woken(&set, &[7], || reader.close());
    assert_eq!(super::kind(writer.try_write(&[0])), shmkit::ErrorKind::BrokenPipe);
}

#[test]
fn an_event_of_each_reset() {
    let dir = TestDir::new();
    for (name, reset) in [("manual", Reset::Manual), ("automatic", Reset::Automatic)] {
        let (mut event, other) = (dir.event(name, reset), dir.event(name, reset));
        check(
            &mut event,
            |_| other.set().unwrap(),
            |event, _| {
                assert!(event.try_wait().unwrap());
                event.reset().unwrap();
            },
        );
    }
}

#[test]
fn a_semaphore_and_a_mutex() {
    let dir = TestDir::new();
    let options = dir.with(named::Semaphore::options());
    let (mut permits, other) =
        [(); 2].map(|()| options.open_or_create("permits", 0).unwrap()).into();
    check(
        &mut permits,
        |_| _ = other.post(1).unwrap(),
        |permits, _| assert!(permits.try_consume().unwrap()),
    );
    let options = dir.with(named::Mutex::<u32>::options());
    let (mut mutex, other) = [(); 2].map(|()| options.open_or_create("mutex", 1).unwrap()).into();
    let mut held = Some(other.lock().unwrap());
    let set = set_of(&mutex);
    for _ in 0..10 {
        assert!(set.try_wait().unwrap().is_empty());
        assert_woken(&set, &[7], || drop(held.take()));
        assert_eq!(set.try_wait().unwrap(), [7]);
        drop(mutex.try_lock().unwrap().expect("it is free"));
        held = Some(other.lock().unwrap());
    }
    drop(held);
    assert!(mutex.try_lock().unwrap().is_some());
    let _ = &mut mutex;
}

#[cfg(unix)]
#[test]
fn a_name_that_was_removed_by_hand_makes_its_object_ready() {
    let dir = TestDir::new();
    let event = dir.event("event", Reset::Automatic);
    let set = set_of(&event);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| set.wait_timeout(TIMEOUT).unwrap());
        thread::sleep(super::SHORT);
        std::fs::remove_file(dir.0.path().join("event.shmkit")).unwrap();
        assert_eq!(waiting.join().unwrap(), [7]);
    });
    assert_eq!(set.try_wait().unwrap(), [7]);
}

/// A wake is for one waiter. A set that receives it leaves what it announces to the others.
#[test]
fn a_wake_that_a_set_does_not_use_reaches_the_next_waiter() {
    let dir = TestDir::new();
    let event = dir.event("event", Reset::Automatic);
    let set = set_of(&event);
    for _ in 0..20 {
        thread::scope(|scope| {
            let looking = scope.spawn(|| set.wait_timeout(TIMEOUT).unwrap());
            thread::sleep(Duration::from_millis(2));
            let taking = scope.spawn(|| {
                let before = shmkit::crash::late_finds_of_thread();
                event.wait_timeout(TIMEOUT).unwrap();
                shmkit::crash::late_finds_of_thread() - before
            });
            thread::sleep(Duration::from_millis(2));
            event.set().unwrap();
            assert_eq!(taking.join().unwrap(), 0, "the set slept first, and passed its wake on");
            // The other one may have taken it before the set looked.
            event.set().unwrap();
            assert_eq!(looking.join().unwrap(), [7]);
            event.reset().unwrap();
        });
    }
}
