//! What senders and receivers do: two cases of Boost's tests, between processes.

use shmkit::Queue;

use super::{NAME, options, receive_all};
use crate::children::{Child, Link};
use crate::test_dir::TestDir;
use crate::times::TIMEOUT;

/// The message that ends a receiver.
const END: u64 = u64::MAX;
const MESSAGES: u64 = 10_000;
const SENDERS: u64 = 10;

/// Sends the messages with these numbers, with priorities that repeat if it is told how many.
pub(crate) fn sender(link: &mut Link) {
    let task = link.task();
    let numbers: Vec<u64> = task.split(' ').map(|it| it.parse().unwrap()).collect();
    let [first, count, priorities] = numbers[..] else { panic!("{task}") };
    let queue = Queue::<u64>::open(NAME).unwrap();
    let sender = queue.sender().unwrap();
    for number in first..first + count {
        let priority = number.checked_rem(priorities).unwrap_or(0);
        sender.send_with_priority_timeout(&number, priority as u32, TIMEOUT).unwrap();
    }
    link.send("sent");
}

/// Receives messages until the end mark. Reports how many there were, their sum, and the sum of
/// their squares.
pub(crate) fn receiver(link: &mut Link) {
    let queue = Queue::<u64>::open(NAME).unwrap();
    let receiver = queue.receiver().unwrap();
    link.send("ready");
    let (mut count, mut sum, mut squares) = (0, 0, 0_u64);
    loop {
        let message = receiver.recv_timeout(TIMEOUT).unwrap();
        if *message == END {
            break;
        }
        count += 1;
        sum += *message;
        squares = squares.wrapping_add(message.wrapping_mul(*message));
    }
    link.send(format!("{count} {sum} {squares}"));
}

/// Receives as many messages as its task says, and holds them until it is killed, or acknowledges
/// them when it gets a message. Then it waits in the next call.
pub(crate) fn holder(link: &mut Link) {
    let count: usize = link.task().parse().unwrap();
    let queue = Queue::<u64>::open(NAME).unwrap();
    let receiver = queue.receiver().unwrap();
    let held: Vec<_> = (0..count).map(|_| receiver.recv_timeout(TIMEOUT).unwrap()).collect();
    link.send("ready");
    if count == 0 {
        drop(receiver.recv());
        unreachable!("it is killed while it waits");
    }
    link.receive();
    drop(held);
    link.send("acknowledged");
    link.receive();
}

#[test]
fn a_hundred_messages_with_ten_priorities_come_with_priority_never_rising_and_order_kept() {
    let dir = TestDir::new();
    let queue = options(&dir).priorities(true).create(NAME).unwrap();
    let mut child = Child::start(&dir, "queue sender", "0 100 10");
    assert_eq!(child.receive(), "sent");
    let receiver = queue.receiver().unwrap();
    let received = receive_all(&queue, &receiver);
    let expected = (0..10).rev().flat_map(|digit| (0..10).map(move |ten| 10 * ten + digit));
    assert_eq!(received, expected.collect::<Vec<u64>>());
}

#[test]
fn through_a_queue_of_capacity_1_ten_senders_and_ten_receivers_pass_all_messages_once() {
    for priorities in [false, true] {
        let dir = TestDir::new();
        let queue = options(&dir).depth(1).priorities(priorities).create(NAME).unwrap();
        let mut receivers: Vec<_> =
            (0..SENDERS).map(|_| Child::start_ready(&dir, "queue receiver", "")).collect();
        let start = |number| {
            let task = format!("{} {MESSAGES} 0", number * MESSAGES);
            Child::start(&dir, "queue sender", task)
        };
        let mut senders: Vec<_> = (0..SENDERS).map(start).collect();
        for sender in &mut senders {
            assert_eq!(sender.receive(), "sent");
        }
        let end = queue.sender().unwrap();
        (0..SENDERS).for_each(|_| end.send_timeout(&END, TIMEOUT).unwrap());
        let mut totals = [0_u64; 3];
        for receiver in &mut receivers {
            let report = receiver.receive();
            for (total, number) in totals.iter_mut().zip(report.split(' ')) {
                *total = total.wrapping_add(number.parse().unwrap());
            }
        }
        let all = SENDERS * MESSAGES;
        let squares = (0..all).fold(0_u64, |sum, it| sum.wrapping_add(it * it));
        assert_eq!(totals, [all, all * (all - 1) / 2, squares]);
        assert_eq!(queue.counts().total(), 0);
    }
}
