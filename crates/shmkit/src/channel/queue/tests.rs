//! The protocol on the heap, with participants that are dead because a test says so.

use std::time::{Duration, Instant};

use super::Queue;
use super::geometry::{
    ARRIVALS, DEPARTURES, FLAG_PRIORITIES, Geometry, OWNER, RANK_COUNT, WAITING,
};
use super::parts::queue_over;
use super::protocol::{Caller, Came, Order, Outgoing, QueueWords, Refused};
use super::slots::State;
use crate::channel::latest::receive;
use crate::error::ErrorKind;
use crate::memory::HeapMemory;
use crate::memory::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::memory::copy::copy_out;
use crate::participant::{Liveness, ParticipantId};
use crate::wait::{ASLEEP, Extent, Until, WaitLoop};

const ME: ParticipantId = ParticipantId::new(1, 7);
const DEAD: ParticipantId = ParticipantId::new(0, 3);

/// Knows which participants are dead.
struct Dead<'a>(&'a [ParticipantId]);

impl Liveness for Dead<'_> {
    fn is_dead(&self, id: ParticipantId) -> bool {
        self.0.contains(&id)
    }
}

struct Heap {
    memory: HeapMemory,
    geometry: Geometry,
    limit: u32,
    loops: [WaitLoop; 2],
    came: Came,
}

impl Heap {
    fn new(depth: u32, flags: u32) -> Self {
        let geometry = Geometry::of(8, 0, depth, flags).unwrap();
        let memory = HeapMemory::zeroed(geometry.words() as usize * 8);
        let loops = [(); 2].map(|()| WaitLoop::for_lock());
        Self { memory, geometry, limit: 0, loops, came: Came::default() }
    }

    fn queue(&self) -> QueueWords<'_> {
        let words = |at, count| self.memory.view().words(at as usize, count as usize);
        queue_over(self.geometry, self.limit, words).unwrap()
    }

    fn caller<'c>(&'c self, me: ParticipantId, liveness: &'c Dead<'c>) -> Caller<'c, Dead<'c>> {
        let [wait_loop, lock_loop] = &self.loops;
        Caller { me, liveness, wait_loop, lock_loop, came: &self.came }
    }

    fn send_as(&self, me: ParticipantId, value: u64, priority: u32) -> Result<bool, Refused> {
        let value = value.to_le_bytes();
        let message = Outgoing { value: &value, length: 1, priority };
        self.queue().send_at_once(self.caller(me, &Dead(&[])), message)
    }

    fn send(&self, value: u64) {
        assert!(self.send_as(ME, value, 0).unwrap(), "full");
    }

    /// The word at this place of the payload.
    fn word(&self, at: u64) -> &AtomicU64 {
        &self.memory.view().words(at as usize, 1).unwrap()[0]
    }

    fn value(&self, number: usize) -> u64 {
        let slot = self.queue().slots.get(number).unwrap();
        let value = receive::attempt(|bytes| {
            copy_out(slot.value(), bytes);
            true
        });
        value.unwrap()
    }

    fn take_as(&self, me: ParticipantId) -> Option<(usize, u64)> {
        let number = self.queue().try_receive(self.caller(me, &Dead(&[]))).unwrap()?;
        Some((number, self.value(number)))
    }

    /// Receives and acknowledges a message.
    fn receive(&self) -> Option<u64> {
        let (number, value) = self.take_as(ME)?;
        assert!(self.queue().acknowledge(number, ME));
        Some(value)
    }

    fn receive_all(&self) -> Vec<u64> {
        std::iter::from_fn(|| self.receive()).collect()
    }

    fn sweep(&self, dead: &[ParticipantId]) {
        self.queue().sweep(Extent::Everything, &Dead(dead));
    }
}

/// Without priorities, and with them.
const BOTH: [u32; 2] = [0, FLAG_PRIORITIES];

#[test]
fn messages_come_in_order_over_many_laps_and_a_full_queue_takes_no_more() {
    for flags in BOTH {
        let heap = Heap::new(3, flags);
        for round in 0..100 {
            (0..3).for_each(|value| heap.send(3 * round + value));
            assert!(!heap.send_as(ME, 0, 0).unwrap());
            assert_eq!(heap.receive_all(), [3 * round, 3 * round + 1, 3 * round + 2]);
        }
    }
}

#[test]
fn a_participant_that_stayed_behind_for_many_laps_finds_the_tail_and_the_head() {
    for depth in [1, 5, 256] {
        let heap = Heap::new(depth, 0);
        let (nobody, behind) = (Dead(&[]), Came::default());
        let slow = Caller { came: &behind, ..heap.caller(ME, &nobody) };
        for round in [0, 1, 7, 8, 1_000, 10_000] {
            for value in 0..round {
                heap.send(value);
                assert_eq!(heap.receive(), Some(value));
            }
            let value = u64::to_le_bytes(77);
            let message = Outgoing { value: &value, length: 1, priority: 0 };
            assert!(heap.queue().send_at_once(slow, message).unwrap());
            if depth > 1 {
                heap.send(78);
            }
            let number = heap.queue().try_receive(slow).unwrap().expect("a message");
            assert_eq!(heap.value(number), 77);
            assert!(heap.queue().acknowledge(number, ME));
            assert_eq!(heap.receive(), (depth > 1).then_some(78));
            assert!(heap.queue().try_receive(slow).unwrap().is_none());
        }
    }
}

#[test]
fn messages_that_are_held_for_long_do_not_stop_the_others() {
    for flags in BOTH {
        let heap = Heap::new(4, flags);
        heap.send(0);
        let held = heap.take_as(ME).unwrap();
        for value in 1..100 {
            heap.send(value);
            assert_eq!(heap.receive(), Some(value));
        }
        (0..3).for_each(|value| heap.send(value));
        assert!(!heap.send_as(ME, 0, 0).unwrap(), "the held one counts");
        assert!(heap.queue().acknowledge(held.0, ME));
        assert!(heap.send_as(ME, 3, 0).unwrap());
        assert_eq!(heap.receive_all(), [0, 1, 2, 3]);
    }
}

#[test]
fn a_message_that_is_given_back_comes_in_its_old_place() {
    for flags in BOTH {
        let heap = Heap::new(8, flags);
        (0..5).for_each(|value| heap.send(value));
        let taken = [(); 3].map(|()| heap.take_as(ME).unwrap());
        assert_eq!(taken.map(|it| it.1), [0, 1, 2]);
        for (number, _) in [taken[1], taken[0]] {
            heap.queue().give_back(number, ME);
        }
        assert_eq!(heap.receive_all(), [0, 1, 3, 4]);
        assert!(heap.queue().acknowledge(taken[2].0, ME));
        assert_eq!(heap.queue().counts().total(), 0);
    }
}

#[test]
fn what_a_dead_receiver_held_is_received_again_and_its_deliveries_are_counted() {
    for flags in BOTH {
        let heap = Heap::new(8, flags);
        (0..3).for_each(|value| heap.send(value));
        assert_eq!([heap.take_as(DEAD).unwrap().1, heap.take_as(DEAD).unwrap().1], [0, 1]);
        heap.sweep(&[]);
        assert_eq!(heap.queue().counts().taken, 2, "it lives");
        heap.sweep(&[DEAD]);
        heap.sweep(&[DEAD]);
        let (number, value) = heap.take_as(ME).unwrap();
        assert_eq!((value, heap.queue().slots.get(number).unwrap().info().deliveries), (0, 2));
        assert_eq!(heap.receive_all(), [1, 2]);
    }
}

#[test]
fn what_a_dead_sender_wrote_half_is_free_again() {
    for flags in BOTH {
        let heap = Heap::new(1, flags);
        let slot = heap.queue().slots.get(0).unwrap();
        slot.exchange(State::Free, State::Writing(DEAD)).unwrap();
        assert!(!heap.send_as(ME, 0, 0).unwrap());
        heap.sweep(&[DEAD]);
        heap.send(7);
        assert_eq!(heap.receive_all(), [7]);
    }
}

#[test]
fn what_a_dead_sender_left_in_no_line_comes_behind_its_earlier_messages() {
    let heap = Heap::new(8, 0);
    (0..3).for_each(|value| assert!(heap.send_as(DEAD, value, 0).unwrap()));
    // As it died after READY.
    let slot = heap.queue().slots.get(5).unwrap();
    slot.exchange(State::Free, State::Writing(DEAD)).unwrap();
    slot.begin(DEAD, 0, 1);
    slot.value()[0].store(3, Ordering::Relaxed);
    slot.set_position(3);
    slot.exchange(State::Writing(DEAD), State::Ready(3)).unwrap();
    heap.sweep(&[]);
    assert_eq!(heap.queue().counts().ready, 4);
    heap.sweep(&[DEAD]);
    heap.send(4);
    assert_eq!(heap.receive_all(), [0, 1, 2, 3, 4]);
}

#[test]
fn a_message_that_was_delivered_too_often_is_set_aside_and_given_back_or_dropped_by_its_number() {
    for flags in BOTH {
        let heap = Heap { limit: 2, ..Heap::new(4, flags) };
        (0..2).for_each(|value| heap.send(value));
        for _ in 0..2 {
            let (number, value) = heap.take_as(ME).unwrap();
            assert_eq!(value, 0);
            heap.queue().give_back(number, ME);
        }
        assert_eq!(heap.receive_all(), [1]);
        assert_eq!(heap.queue().counts().dead, 1);
        assert!(!heap.queue().change_aside(1, true), "another number");
        assert!(heap.queue().change_aside(0, false));
        let (number, value) = heap.take_as(DEAD).unwrap();
        assert_eq!((number, value), (0, 0));
        heap.sweep(&[DEAD]);
        assert_eq!(heap.queue().counts().dead, 1, "once more was too often");
        assert!(heap.queue().change_aside(0, true));
        assert_eq!(heap.queue().counts().total(), 0);
    }
}

#[test]
fn priorities_come_first_and_keep_their_order() {
    let heap = Heap::new(100, FLAG_PRIORITIES);
    for value in 0..100 {
        assert!(heap.send_as(ME, value, (value % 10) as u32).unwrap());
    }
    let expected: Vec<u64> =
        (0..10).rev().flat_map(|digit| (0..10).map(move |ten| 10 * ten + digit)).collect();
    assert_eq!(heap.receive_all(), expected);
}

#[test]
fn entries_of_messages_that_were_given_back_do_not_fill_the_line() {
    let heap = Heap::new(1, 0);
    for value in 0..100 {
        heap.send(value);
        // As a receiver that died before it passed the entry.
        let slot = heap.queue().slots.get(0).unwrap();
        let ready @ State::Ready(position) = slot.state().unwrap() else { panic!() };
        slot.exchange(ready, State::Taken(DEAD)).unwrap();
        heap.sweep(&[DEAD]);
        assert_eq!(slot.state(), Some(State::Returned(position)));
        slot.exchange(State::Returned(position), State::Free).unwrap();
    }
    heap.send(100);
    assert_eq!(heap.receive_all(), [100]);
}

#[test]
fn waits_end_by_time_and_sleepers_are_woken() {
    for flags in BOTH {
        let heap = Heap::new(1, flags);
        let nobody = Dead(&[]);
        let soon = || Until::Deadline(Instant::now() + Duration::from_millis(20));
        let empty = heap.queue().receive(heap.caller(ME, &nobody), soon());
        assert!(matches!(empty, Err(Refused::TimedOut)), "{empty:?}");
        std::thread::scope(|scope| {
            let receiving = scope.spawn(|| {
                let received = heap.queue().receive(heap.caller(ME, &nobody), Until::Ever);
                let value = heap.value(received.unwrap());
                std::thread::sleep(Duration::from_millis(30));
                assert!(heap.queue().acknowledge(0, ME));
                value
            });
            std::thread::sleep(Duration::from_millis(30));
            heap.send(7);
            assert_eq!(receiving.join().unwrap(), 7);
        });
        heap.send(1);
        let bytes = [0; 8];
        let message = Outgoing { value: &bytes, length: 1, priority: 0 };
        let full = heap.queue().send(heap.caller(ME, &nobody), message, soon());
        assert!(matches!(full, Err(Refused::TimedOut)), "{full:?}");
        std::thread::scope(|scope| {
            let sending =
                scope.spawn(|| heap.queue().send(heap.caller(ME, &nobody), message, Until::Ever));
            std::thread::sleep(Duration::from_millis(30));
            assert_eq!(heap.receive(), Some(1));
            sending.join().unwrap().unwrap();
        });
    }
}

#[test]
fn threads_receive_each_message_once_and_those_of_each_sender_in_order() {
    const SENDERS: u64 = 3;
    const EACH: u64 = if cfg!(miri) { 100 } else { 20_000 };
    for (flags, depth) in [(0, 1), (0, 7), (FLAG_PRIORITIES, 7)] {
        let heap = Heap::new(depth, flags);
        let nobody = Dead(&[]);
        let received: Vec<Vec<u64>> = std::thread::scope(|scope| {
            for sender in 0..SENDERS {
                let (heap, nobody) = (&heap, &nobody);
                scope.spawn(move || {
                    let loops = [(); 2].map(|()| WaitLoop::for_answer(8));
                    let [wait_loop, lock_loop] = &loops;
                    let me = ParticipantId::new(2 + sender as u32, 1);
                    let came = &Came::default();
                    let caller = Caller { me, liveness: nobody, wait_loop, lock_loop, came };
                    for number in 0..EACH {
                        let value = (sender << 32 | number).to_le_bytes();
                        let message = Outgoing { value: &value, length: 1, priority: 0 };
                        heap.queue().send(caller, message, Until::Ever).unwrap();
                    }
                });
            }
            let receivers = [10, 11].map(|slot| {
                let (heap, nobody) = (&heap, &nobody);
                scope.spawn(move || {
                    let loops = [(); 2].map(|()| WaitLoop::for_answer(8));
                    let [wait_loop, lock_loop] = &loops;
                    let me = ParticipantId::new(slot, 1);
                    let came = &Came::default();
                    let caller = Caller { me, liveness: nobody, wait_loop, lock_loop, came };
                    (0..SENDERS * EACH / 2)
                        .map(|_| {
                            let number = heap.queue().receive(caller, Until::Ever).unwrap();
                            let value = heap.value(number);
                            assert!(heap.queue().acknowledge(number, me));
                            value
                        })
                        .collect()
                })
            });
            receivers.map(|it| it.join().unwrap()).into()
        });
        for values in &received {
            for sender in 0..SENDERS {
                let mine: Vec<_> = values.iter().filter(|it| *it >> 32 == sender).collect();
                assert!(mine.is_sorted(), "sender {sender}");
            }
        }
        let mut all = received.concat();
        all.sort_unstable();
        let sent = (0..SENDERS).flat_map(|sender| (0..EACH).map(move |it| sender << 32 | it));
        assert_eq!(all, sent.collect::<Vec<_>>());
    }
}

#[test]
fn a_garbage_number_of_waiting_messages_stops_neither_senders_nor_receivers() {
    for garbage in [u64::MAX, u64::MAX - 1, 5] {
        let heap = Heap::new(4, FLAG_PRIORITIES);
        heap.send(0);
        heap.word(WAITING).store(garbage, Ordering::Relaxed);
        (1..4).for_each(|value| heap.send(value));
        assert_eq!(heap.receive_all(), [0, 1, 2, 3]);
        assert_eq!(heap.word(WAITING).load(Ordering::Relaxed), 0);
        assert_eq!(heap.queue().counts().total(), 0);
    }
}

#[test]
fn a_message_that_is_sent_while_the_order_is_garbage_is_sent_once_and_receivers_are_told() {
    let heap = Heap::new(8, FLAG_PRIORITIES);
    (0..3).for_each(|value| heap.send(value));
    heap.word(RANK_COUNT).store(77, Ordering::Relaxed);
    heap.word(ARRIVALS).fetch_or(ASLEEP, Ordering::Relaxed);
    heap.send(3);
    assert_eq!(heap.word(ARRIVALS).load(Ordering::Relaxed) & ASLEEP, 0, "a sleeper is woken");
    (4..6).for_each(|value| heap.send(value));
    // The order is right again, and so is the place of each message.
    let taken = [(); 4].map(|()| heap.take_as(DEAD).unwrap().1);
    assert_eq!(taken, [0, 1, 2, 3]);
    heap.sweep(&[DEAD]);
    assert_eq!(heap.receive_all(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(heap.queue().counts().total(), 0);
}

#[test]
fn a_panic_releases_the_lock_and_the_order_is_built_again() {
    let heap = Heap::new(4, FLAG_PRIORITIES);
    heap.send(0);
    let nobody = Dead(&[]);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let queue = heap.queue();
        let Order::Ranks(lock, ranks) = queue.order else { unreachable!() };
        queue.in_lock::<()>(lock, ranks, heap.caller(ME, &nobody), || {
            ranks.count.store(0, Ordering::Relaxed);
            ranks.waiting.store(0, Ordering::Relaxed);
            std::panic::resume_unwind(Box::new("half done"))
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(heap.receive(), Some(0));
    heap.send(1);
    assert_eq!(heap.receive(), Some(1));
}

#[test]
fn a_sender_that_finds_the_line_full_keeps_its_mark_and_can_sleep() {
    let heap = Heap::new(4, 0);
    // The entry of the lap before holds a message that is READY, as far as anyone can tell.
    heap.send(0);
    heap.came.sent.store(heap.geometry.entries, Ordering::Relaxed);
    heap.word(DEPARTURES).fetch_or(ASLEEP, Ordering::Relaxed);
    assert!(!heap.send_as(ME, 1, 0).unwrap(), "full");
    assert_ne!(heap.word(DEPARTURES).load(Ordering::Relaxed) & ASLEEP, 0);
    assert_eq!(heap.queue().counts().total(), 1, "its slot is free again");
}

#[test]
fn a_message_whose_sender_died_between_two_places_stays_at_the_first_of_them() {
    let heap = Heap::new(8, 0);
    heap.send(0);
    let slot = heap.queue().slots.get(5).unwrap();
    slot.exchange(State::Free, State::Writing(DEAD)).unwrap();
    slot.begin(DEAD, 0, 1);
    slot.value()[0].store(1, Ordering::Relaxed);
    // It was READY at 1, another sender was faster, and it was about to be READY at 3.
    slot.set_position(3);
    slot.exchange(State::Writing(DEAD), State::Ready(1)).unwrap();
    (2..5).for_each(|value| heap.send(value));
    heap.sweep(&[DEAD]);
    assert_eq!([heap.take_as(DEAD).unwrap().1, heap.take_as(DEAD).unwrap().1], [0, 1]);
    heap.sweep(&[DEAD]);
    assert_eq!(heap.receive_all(), [0, 1, 2, 3, 4]);
}

#[test]
fn a_list_that_is_longer_than_its_place_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let queue = Queue::<[u16]>::options().directory(dir.path()).max_len(4).create("lists").unwrap();
    let (sender, receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
    for length in [5, 1 << 40, u64::MAX / 2 + 1, u64::MAX] {
        sender.send(&[1, 2, 3]).unwrap();
        let slots = queue.handle.queue().slots;
        let mut ready = slots.all().filter(|it| matches!(it.1.state(), Some(State::Ready(_))));
        ready.next().unwrap().1.begin(DEAD, 0, length);
        let error = receiver.try_recv().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let letters = queue.dead_letters().unwrap();
        assert_eq!((letters.len(), &letters[0].value), (1, &None));
        assert!(queue.drop_dead(letters[0].number).unwrap());
    }
}

/// A number that looks random.
fn next_random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

/// What `WaitSet` promises: it asks `has_free_slot` and `may_have_message`.
#[test]
fn a_sender_that_is_told_of_a_free_slot_can_send_and_a_receiver_finds_what_it_is_told_of() {
    for flags in BOTH {
        let mut heap = Heap::new(5, flags);
        heap.limit = 3;
        let (mut seed, mut held, mut dying, mut sent) = (9, Vec::new(), DEAD, [0; 2]);
        for number in 0..50_000 {
            let queue = heap.queue();
            let random = next_random(&mut seed);
            let (choice, pick) = ((random >> 8) % 16, (random >> 16) as usize);
            match choice {
                0..5 => {
                    let (is_ready, by) = (queue.has_free_slot(), [ME, dying][pick % 2]);
                    let priority = if flags == 0 { 0 } else { pick as u32 % 3 };
                    assert_eq!(heap.send_as(by, number, priority).unwrap(), is_ready, "{number}");
                    sent[usize::from(is_ready)] += 1;
                }
                5..9 => {
                    let (may_have, scans) = (queue.may_have_message(), queue.must_scan());
                    let by = [ME, dying][usize::from(pick % 8 == 0)];
                    let taken = heap.take_as(by);
                    assert!(may_have || taken.is_none(), "{number}");
                    // What was given back makes a receiver look once more than needed.
                    assert!(!may_have || scans || taken.is_some(), "{number}");
                    held.extend(taken.filter(|_| by == ME).map(|(slot, _)| slot));
                }
                9..13 if !held.is_empty() => {
                    let slot = held.swap_remove(pick % held.len());
                    match choice {
                        9 => queue.give_back(slot, ME),
                        10 => queue.reject(slot, ME),
                        _ => assert!(queue.acknowledge(slot, ME)),
                    }
                }
                // It dies while it writes, or before its message is in line.
                13 => {
                    let slot = queue.slots.get(pick % 5).unwrap();
                    if slot.exchange(State::Free, State::Writing(dying)).is_ok() && flags == 0 {
                        let next = heap.came.sent.load(Ordering::Relaxed);
                        slot.begin(dying, 0, 1);
                        slot.set_position(next);
                        let to = [State::Writing(dying), State::Ready(next)][pick / 8 % 2];
                        slot.exchange(State::Writing(dying), to).unwrap();
                    }
                    heap.sweep(&[dying]);
                    dying = ParticipantId::new(0, dying.generation() + 1);
                }
                _ => {
                    for (at, slot) in queue.slots.all() {
                        if let Some(State::Aside(position)) = slot.state() {
                            let letter = super::giving_back::letter_number(position, at);
                            assert!(queue.change_aside(letter, pick % 3 > 0));
                        }
                    }
                }
            }
        }
        assert!(sent.iter().all(|count| *count > 1_000), "{sent:?}");
    }
}

#[test]
fn garbage_words_neither_panic_nor_hang() {
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    for round in 0..2_000 {
        let flags = BOTH[round % 2];
        let heap = Heap { limit: 3, ..Heap::new(4, flags) };
        (0..3).for_each(|value| heap.send(value));
        let _ = heap.take_as(DEAD);
        let words = heap.memory.view().words(0, heap.geometry.words() as usize).unwrap();
        for _ in 0..1 + round % 7 {
            let at = next_random(&mut seed) as usize % words.len();
            if flags != 0 && at == OWNER as usize / 8 {
                // A lock that a living participant seems to hold is waited for.
                continue;
            }
            let word = &words[at];
            let bits = next_random(&mut seed);
            word.store(if round % 3 == 0 { bits } else { bits % 64 }, Ordering::Relaxed);
        }
        let dead = Dead(&[DEAD]);
        let caller = heap.caller(ME, &dead);
        let bytes = [0; 8];
        let message = Outgoing { value: &bytes, length: 1, priority: round as u32 };
        let soon = || Until::Deadline(Instant::now());
        for _ in 0..3 {
            let _ = heap.queue().send(caller, message, soon());
            heap.sweep(&[DEAD]);
            if let Ok(number) = heap.queue().receive(caller, soon()) {
                heap.queue().give_back(number, ME);
            }
            let _ = (heap.queue().counts(), heap.queue().counts_by_priority());
            let _ = (heap.queue().taken_by(), heap.queue().is_sound());
            heap.queue().change_aside(next_random(&mut seed) % 8, round % 2 == 0);
        }
    }
}

#[test]
fn a_process_that_scribbles_all_the_time_neither_stops_nor_harms_the_others() {
    for flags in BOTH {
        let heap = Heap { limit: 3, ..Heap::new(4, flags) };
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let words = heap.memory.view().words(0, heap.geometry.words() as usize).unwrap();
                let mut seed = 0x2545_f491_4f6c_dd1d;
                while !is_over.load(Ordering::Relaxed) {
                    let at = next_random(&mut seed) as usize % words.len();
                    if flags == 0 || at != OWNER as usize / 8 {
                        let bits = next_random(&mut seed);
                        let is_small = bits & 1 == 0;
                        words[at]
                            .store(if is_small { bits % 128 } else { bits }, Ordering::Relaxed);
                    }
                }
            });
            let (nobody, bytes) = (Dead(&[]), [0; 8]);
            let caller = heap.caller(ME, &nobody);
            let soon = || Until::Deadline(Instant::now());
            for round in 0..3_000 {
                let message = Outgoing { value: &bytes, length: 1, priority: round % 3 };
                let _ = heap.queue().send(caller, message, soon());
                if let Ok(number) = heap.queue().receive(caller, soon()) {
                    heap.queue().acknowledge(number, ME);
                }
                heap.sweep(&[DEAD]);
            }
            is_over.store(true, Ordering::Relaxed);
        });
    }
}
