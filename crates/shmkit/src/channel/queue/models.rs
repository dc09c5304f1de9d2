//! Queues under loom: each message is received once, at whatever step a participant dies.

use loom::sync::Arc;
use loom::thread;

use super::line::Line;
use super::protocol::{Caller, Came, Order, Outgoing, QueueWords};
use super::ranks::{RANK_WORDS, Ranks};
use super::slots::{Slots, header};
use crate::crash::ends_at;
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::participant::models::{DEAD, DeadIs, NOBODY_DIED, living};
use crate::participant::owner::OwnerWord;
use crate::participant::{Liveness, ParticipantId};
use crate::sys::wait::model::{check, let_time_pass};
use crate::wait::{Extent, Until, WaitLoop};

const STRIDE: usize = header(false).len() + 1;
const DEAD_FOUND: DeadIs = DeadIs(Some(DEAD));

struct Words {
    control: [AtomicU64; 8],
    entries: Vec<AtomicU64>,
    ranks: Vec<AtomicU64>,
    slots: Vec<AtomicU64>,
    depth: usize,
    has_priorities: bool,
}

impl Words {
    fn new(depth: usize, entries: usize) -> Arc<Self> {
        Self::with(depth, entries, false)
    }

    fn with(depth: usize, entries: usize, has_priorities: bool) -> Arc<Self> {
        let zeros = |count| (0..count).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self {
            control: [0; 8].map(AtomicU64::new),
            entries: zeros(entries),
            ranks: zeros(if has_priorities { depth * (RANK_WORDS + 1) } else { 0 }),
            slots: zeros(depth * STRIDE),
            depth,
            has_priorities,
        })
    }

    fn queue(&self) -> QueueWords<'_> {
        let [arrivals, returned, departures, tail, head, owner, waiting, count] = &self.control;
        let order = match self.has_priorities {
            false => Order::Line(Line::new(tail, head, &self.entries)),
            true => {
                let (ranks, next) = self.ranks.split_at(self.depth * RANK_WORDS);
                Order::Ranks(OwnerWord::of_lock(owner), Ranks { tail, waiting, count, ranks, next })
            }
        };
        let slots = Slots::new(&self.slots, STRIDE, self.depth, false);
        QueueWords { arrivals, returned, departures, order, slots, delivery_limit: 0 }
    }

    fn send(&self, me: ParticipantId, value: u64, liveness: &impl Liveness) {
        let (wait_loop, lock_loop) = (&WaitLoop::for_answer(0), &WaitLoop::for_lock());
        let came = &Came::default();
        let caller = Caller { me, liveness, wait_loop, lock_loop, came };
        let value = value.to_le_bytes();
        let message = Outgoing { value: &value, length: 1, priority: 0 };
        self.queue().send(caller, message, Until::Ever).unwrap();
    }

    fn receive(&self, me: ParticipantId, liveness: &impl Liveness) -> u64 {
        let (wait_loop, lock_loop) = (&WaitLoop::for_answer(0), &WaitLoop::for_lock());
        let came = &Came::default();
        let caller = Caller { me, liveness, wait_loop, lock_loop, came };
        let number = self.queue().receive(caller, Until::Ever).unwrap();
        self.acknowledge(me, number)
    }

    fn try_take(&self, me: ParticipantId) -> Option<usize> {
        let (wait_loop, lock_loop) = (&WaitLoop::for_answer(0), &WaitLoop::for_lock());
        let came = &Came::default();
        let caller = Caller { me, liveness: &NOBODY_DIED, wait_loop, lock_loop, came };
        self.queue().try_receive(caller).unwrap()
    }

    fn try_receive(&self, me: ParticipantId) -> Option<u64> {
        self.try_take(me).map(|number| self.acknowledge(me, number))
    }

    fn acknowledge(&self, me: ParticipantId, number: usize) -> u64 {
        let slot = self.queue().slots.get(number).unwrap();
        let value = slot.value()[0].load(Ordering::Relaxed);
        assert!(self.queue().acknowledge(number, me));
        value
    }

    fn sweep(&self) {
        self.queue().sweep(Extent::Everything, &DEAD_FOUND);
    }

    /// Receives what is left, after a sweep.
    fn rest(&self) -> Vec<u64> {
        self.sweep();
        std::iter::from_fn(|| self.try_receive(living(9))).collect()
    }
}

fn sorted(mut values: Vec<u64>) -> Vec<u64> {
    values.sort_unstable();
    values
}

#[test]
fn loom_messages_of_two_senders_are_received_once() {
    check(Some(2), || {
        let words = Words::new(2, 2);
        let sending = thread::spawn({
            let words = words.clone();
            move || words.send(living(1), 1, &NOBODY_DIED)
        });
        words.send(living(2), 2, &NOBODY_DIED);
        let first = words.try_receive(living(3)).expect("a message that was sent");
        sending.join().unwrap();
        assert_eq!(sorted([vec![first], words.rest()].concat()), [1, 2]);
    });
}

#[test]
fn loom_two_receivers_receive_a_message_once() {
    check(Some(2), || {
        let words = Words::new(2, 2);
        words.send(living(1), 1, &NOBODY_DIED);
        let receiving = thread::spawn({
            let words = words.clone();
            move || words.try_receive(living(2))
        });
        let mine = words.try_receive(living(3));
        let received = [mine, receiving.join().unwrap()].into_iter().flatten();
        assert_eq!(received.collect::<Vec<_>>(), [1]);
    });
}

#[test]
fn loom_a_receiver_that_sleeps_is_woken_by_a_message() {
    check(Some(3), || {
        let words = Words::new(2, 2);
        let receiving = thread::spawn({
            let words = words.clone();
            move || words.receive(living(2), &NOBODY_DIED)
        });
        words.send(living(1), 7, &NOBODY_DIED);
        assert_eq!(receiving.join().unwrap(), 7);
    });
}

#[test]
fn loom_two_receivers_that_sleep_get_a_message_each() {
    check(Some(1), || {
        let words = Words::new(2, 2);
        let receiving = [2, 3].map(|slot| {
            let words = words.clone();
            thread::spawn(move || words.receive(living(slot), &NOBODY_DIED))
        });
        words.send(living(1), 1, &NOBODY_DIED);
        words.send(living(1), 2, &NOBODY_DIED);
        let received = receiving.map(|it| it.join().unwrap());
        assert_eq!(sorted(received.into()), [1, 2]);
    });
}

#[test]
fn loom_a_sender_that_sleeps_is_woken_by_a_free_slot_and_slots_come_round() {
    check(Some(2), || {
        let words = Words::new(1, 1);
        words.send(living(1), 1, &NOBODY_DIED);
        let sending = thread::spawn({
            let words = words.clone();
            move || words.send(living(1), 2, &NOBODY_DIED)
        });
        assert_eq!(words.try_receive(living(2)), Some(1));
        sending.join().unwrap();
        assert_eq!(words.rest(), [2]);
    });
}

/// A sender dies at the point; another one sends, while a sweep runs.
fn sender_dies(point: &'static str, is_sent: bool) {
    let words = Words::new(3, 4);
    assert!(ends_at(point, || words.send(DEAD, 1, &NOBODY_DIED)));
    let sending = thread::spawn({
        let words = words.clone();
        move || words.send(living(1), 2, &NOBODY_DIED)
    });
    words.sweep();
    let first = words.try_receive(living(2));
    sending.join().unwrap();
    let received = sorted([first.into_iter().collect(), words.rest()].concat());
    assert_eq!(received, if is_sent { &[1, 2][..] } else { &[2] });
    assert_eq!(words.queue().counts().total(), 0, "a slot is left");
}

#[test]
fn loom_a_sender_that_dies_has_sent_its_message_or_not() {
    check(Some(2), || sender_dies("queue: slot written, not ready", false));
    check(Some(2), || sender_dies("queue: ready, not in line", true));
    check(Some(2), || sender_dies("queue: in line, tail not moved", true));
}

/// A receiver dies at the point; two others receive.
fn receiver_dies(point: &'static str) {
    let words = Words::new(3, 4);
    words.send(living(1), 1, &NOBODY_DIED);
    words.send(living(1), 2, &NOBODY_DIED);
    assert!(ends_at(point, || drop(words.try_take(DEAD))));
    let receiving = thread::spawn({
        let words = words.clone();
        move || {
            words.sweep();
            words.try_receive(living(3))
        }
    });
    words.sweep();
    let mine = words.try_receive(living(2));
    let theirs = receiving.join().unwrap();
    let received = [mine, theirs].into_iter().flatten().chain(words.rest());
    assert_eq!(sorted(received.collect()), [1, 2]);
    assert_eq!(words.queue().counts().total(), 0, "a slot is left");
}

#[test]
fn loom_what_a_dead_receiver_took_is_received_by_another_once() {
    check(Some(2), || receiver_dies("queue: taken, head not moved"));
    check(Some(2), || receiver_dies("queue: taken, not counted"));
}

#[test]
fn loom_a_message_that_is_given_back_during_a_scan_is_found() {
    check(Some(3), || {
        let words = Words::new(2, 2);
        words.send(living(1), 1, &NOBODY_DIED);
        let taken = words.try_take(living(2)).unwrap();
        words.queue().announce();
        let giving = thread::spawn({
            let words = words.clone();
            move || words.queue().give_back(taken, living(2))
        });
        let first = words.try_receive(living(3));
        giving.join().unwrap();
        // Without a sweep: the bit must be set.
        let second = words.try_receive(living(3));
        assert_eq!([first, second].into_iter().flatten().collect::<Vec<_>>(), [1]);
    });
}

#[test]
fn loom_a_receiver_that_sleeps_gets_what_a_dead_receiver_took() {
    check(Some(2), || {
        let words = Words::new(1, 1);
        words.send(living(1), 1, &NOBODY_DIED);
        words.try_take(DEAD).unwrap();
        let receiving = thread::spawn({
            let words = words.clone();
            move || words.receive(living(2), &DEAD_FOUND)
        });
        let_time_pass();
        assert_eq!(receiving.join().unwrap(), 1);
    });
}

#[test]
fn loom_with_priorities_messages_are_received_once_and_sleepers_are_woken() {
    check(Some(2), || {
        let words = Words::with(2, 0, true);
        let receiving = thread::spawn({
            let words = words.clone();
            move || words.receive(living(2), &NOBODY_DIED)
        });
        words.send(living(1), 1, &NOBODY_DIED);
        assert_eq!(receiving.join().unwrap(), 1);
        assert_eq!(words.queue().counts().total(), 0);
    });
}

/// With priorities, a participant dies at the point while it holds the lock.
fn holder_dies(point: &'static str, sends: bool) {
    let words = Words::with(2, 0, true);
    words.send(living(1), 1, &NOBODY_DIED);
    assert!(ends_at(point, || match sends {
        true => words.send(DEAD, 2, &NOBODY_DIED),
        false => drop(words.try_take(DEAD)),
    }));
    let receiving = thread::spawn({
        let words = words.clone();
        move || words.receive(living(2), &DEAD_FOUND)
    });
    let_time_pass();
    let received = vec![receiving.join().unwrap()];
    let rest = words.rest();
    let expected = if sends { &[1, 2][..] } else { &[1] };
    assert_eq!(sorted([received, rest].concat()), expected);
    assert_eq!(words.queue().counts().total(), 0);
}

#[test]
fn loom_with_priorities_the_order_is_built_again_after_a_death_in_the_lock() {
    check(Some(2), || holder_dies("queue: ready, not in order", true));
    check(Some(2), || holder_dies("queue: out of order, not taken", false));
}
