//! Where other message queues fail between processes: each failure is a test here.

use std::time::{Duration, Instant};

use shmkit::{ErrorKind, Queue};

use super::{NAME, options, receive_all};
use crate::children::Child;
use crate::test_dir::{TestDir, kind};
use crate::times::{SLOW_CHECKS, TIMEOUT};

const SHORT: Duration = Duration::from_millis(50);

/// Creates a queue, with priorities and without.
fn queues(depth: u32) -> impl Iterator<Item = (TestDir, Queue<u64>)> {
    [false, true].into_iter().map(move |priorities| {
        let dir = TestDir::new();
        let queue = options(&dir).depth(depth).priorities(priorities).create(NAME).unwrap();
        (dir, queue)
    })
}

#[test]
fn after_blocked_receivers_were_killed_a_timed_send_keeps_its_timeout() {
    for (dir, queue) in queues(2) {
        let mut children = [(); 3].map(|()| Child::start_ready(&dir, "queue holder", 0));
        dir.wait_for_waiters(NAME, 3);
        children.iter_mut().for_each(Child::kill);
        let sender = queue.sender().unwrap();
        (0..2).for_each(|number| sender.send_timeout(&number, TIMEOUT).unwrap());
        let start = Instant::now();
        assert_eq!(kind(sender.send_timeout(&2, SHORT)), ErrorKind::TimedOut);
        assert!(start.elapsed() >= SHORT);
        assert_eq!(receive_all(&queue, &queue.receiver().unwrap()), [0, 1]);
    }
}

#[test]
fn a_killed_receiver_s_messages_go_to_the_next_in_their_old_places() {
    for (dir, queue) in queues(8) {
        let sender = queue.sender().unwrap();
        (0..5).for_each(|number| sender.send(&number).unwrap());
        let mut child = Child::start_ready(&dir, "queue holder", 3);
        child.kill();
        let receiver = queue.receiver().unwrap();
        let received: Vec<_> = (0..5)
            .map(|_| {
                let message = receiver.recv_timeout(TIMEOUT).unwrap();
                (*message, message.deliveries())
            })
            .collect();
        assert_eq!(received, [(0, 2), (1, 2), (2, 2), (3, 1), (4, 1)]);
    }
}

#[test]
fn a_waiting_receiver_gets_a_killed_receiver_s_message() {
    for (dir, queue) in queues(1) {
        queue.sender().unwrap().send(&7).unwrap();
        let mut child = Child::start_ready(&dir, "queue holder", 1);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let receiver = queue.receiver().unwrap();
                let message = receiver.recv_timeout(TIMEOUT).unwrap();
                (*message, message.deliveries())
            });
            dir.wait_for_waiters(NAME, 1);
            child.kill();
            assert_eq!(waiting.join().unwrap(), (7, 2));
        });
    }
}

#[test]
fn a_sender_that_waits_for_a_killed_receiver_goes_on() {
    for (dir, queue) in queues(1) {
        let sender = queue.sender().unwrap();
        sender.send(&1).unwrap();
        let mut child = Child::start_ready(&dir, "queue holder", 1);
        std::thread::scope(|scope| {
            let sending = scope.spawn(|| sender.send_timeout(&2, TIMEOUT));
            dir.wait_for_waiters(NAME, 1);
            child.kill();
            let receiver = queue.receiver().unwrap();
            assert_eq!(*receiver.recv_timeout(TIMEOUT).unwrap(), 1);
            sending.join().unwrap().unwrap();
            assert_eq!(*receiver.recv_timeout(TIMEOUT).unwrap(), 2);
        });
    }
}

#[test]
fn full_does_not_count_a_receiver_that_was_killed() {
    for (dir, queue) in queues(1) {
        let sender = queue.sender().unwrap();
        sender.send(&1).unwrap();
        let mut child = Child::start_ready(&dir, "queue holder", 1);
        let full = sender.try_send(&2).unwrap_err().to_string();
        assert!(full.ends_with("(0 ready, 1 taken), and 1 receiver"), "{full}");
        child.kill();
        let full = sender.try_send(&2).unwrap_err().to_string();
        assert!(full.ends_with(", and no process receives"), "{full}");
    }
}

#[test]
fn a_stopped_receiver_keeps_its_message() {
    for (dir, queue) in queues(2) {
        let sender = queue.sender().unwrap();
        sender.send(&1).unwrap();
        let mut child = Child::start_ready(&dir, "queue holder", 1);
        child.stop();
        let receiver = queue.receiver().unwrap();
        assert_eq!(kind(receiver.recv_timeout(SLOW_CHECKS)), ErrorKind::TimedOut);
        sender.send(&2).unwrap();
        assert_eq!(*receiver.recv_timeout(TIMEOUT).unwrap(), 2, "it stops no other message");
        child.resume();
        assert_eq!(child.ask("acknowledge"), "acknowledged");
        assert_eq!(queue.counts().total(), 0);
    }
}

#[test]
fn a_message_that_kills_its_receivers_is_set_aside() {
    let dir = TestDir::new();
    let queue = options(&dir).delivery_limit(2).create(NAME).unwrap();
    let sender = queue.sender().unwrap();
    (0..2).for_each(|number| sender.send(&number).unwrap());
    for _ in 0..2 {
        Child::start_ready(&dir, "queue holder", 1).kill();
        assert_eq!(dir.repair().len(), 1, "what the dead receiver holds");
    }
    assert_eq!(receive_of(&queue), 1);
    let letters = queue.dead_letters().unwrap();
    assert_eq!((letters.len(), letters[0].value, letters[0].deliveries), (1, Some(0), 2));
    assert!(queue.drop_dead(letters[0].number).unwrap());
}

fn receive_of(queue: &Queue<u64>) -> u64 {
    queue.receiver().unwrap().recv_timeout(TIMEOUT).unwrap().into_inner()
}

#[test]
fn a_repair_gives_back_what_a_killed_receiver_held_without_joining() {
    for (dir, queue) in queues(4) {
        let sender = queue.sender().unwrap();
        (0..3).for_each(|number| sender.send(&number).unwrap());
        Child::start_ready(&dir, "queue holder", 2).kill();
        assert_eq!(queue.counts().taken, 2);
        dir.repair();
        assert_eq!((queue.counts().taken, queue.counts().ready), (0, 3));
        assert_eq!(receive_all(&queue, &queue.receiver().unwrap()), [0, 1, 2]);
    }
}
