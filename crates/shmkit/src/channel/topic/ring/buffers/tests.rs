use std::cell::RefCell;
use std::mem::MaybeUninit;

use super::*;
use crate::channel::topic::geometry::{RECORD_WORDS, Shape, buffers_at, entries_at, owners_at};
use crate::channel::topic::ring::{Borrowing, Publishing, ReceiveError, Subscription};
use crate::memory::HeapMemory;
use crate::wait::{Until, WaitLoop};

const SLOTS: usize = 4;
const BUFFERS: usize = 4;
const BYTES: usize = 5_000;

/// Says which participants are dead.
#[derive(Default)]
struct Dead(RefCell<Vec<ParticipantId>>);

impl Liveness for Dead {
    fn is_dead(&self, id: ParticipantId) -> bool {
        self.0.borrow().contains(&id)
    }
}

/// A topic of large values with 2 entries and 4 buffers.
struct Fixture {
    memory: HeapMemory,
    shape: Shape,
    when_full: WhenFull,
    dead: Dead,
}

impl Fixture {
    fn new(when_full: WhenFull) -> Self {
        let shape = Shape::of(BYTES).unwrap();
        let words = buffers_at(SLOTS, 2, BUFFERS, shape) + BUFFERS * shape.buffer_words();
        Self { memory: HeapMemory::zeroed(words * 8), shape, when_full, dead: Dead::default() }
    }

    fn words(&self, from: usize, count: usize) -> &[AtomicU64] {
        self.memory.view().words(from * 8, count).unwrap()
    }

    fn ring(&self) -> Ring<'_> {
        let records = self.words(16, SLOTS * RECORD_WORDS);
        let entries = self.words(entries_at(SLOTS), 2 * self.shape.stride_bytes() / 8);
        let owners = self.words(owners_at(SLOTS, 2, self.shape), BUFFERS);
        let buffers = BUFFERS * self.shape.buffer_words();
        let buffers = self.words(buffers_at(SLOTS, 2, BUFFERS, self.shape), buffers);
        let ring =
            Ring::new(self.words(0, 16), records, entries, 2, self.when_full, self.shape).unwrap();
        ring.with_buffers(owners, buffers).unwrap()
    }

    fn take(&self, slot: u32) -> Option<u32> {
        self.ring().take_buffer(id(slot), 0).or_else(|| {
            self.ring().reclaim(&self.dead);
            self.ring().take_buffer(id(slot), 0)
        })
    }

    /// Publishes a message that tells its number. `None`: there is no buffer.
    fn publish(&self, slot: u32, number: u8) -> Option<Result<(), ClaimError>> {
        let (ring, buffer) = (self.ring(), self.take(slot)?);
        ring.fill(buffer, &[number; BYTES]);
        let mut publishing = Publishing::join(ring, id(slot));
        let wait_loop = WaitLoop::for_answer(0);
        let claim = ring.claim_within(&mut publishing, &wait_loop, Until::Now, &self.dead);
        Some(claim.and_then(|claim| {
            let displaced = ring.publish_buffer(claim, id(slot), buffer, BYTES)?;
            displaced.into_iter().for_each(|buffer| ring.release_buffer(id(slot), buffer));
            Ok(())
        }))
    }

    fn subscriber(&self, slot: u32) -> Subscription {
        self.ring().begin_borrowing(id(slot));
        Subscription::join(self.ring(), id(slot), 0)
    }

    /// Borrows the next message as a sample of a slot.
    fn borrow(&self, from: &mut Subscription, slot: u32, sample: usize) -> Option<Borrowed> {
        let mut borrowing = Borrowing { slot, sample, borrowed: None };
        let taken = self.ring().take(from, &mut borrowing).unwrap();
        taken.then(|| borrowing.borrowed.unwrap())
    }

    /// The number that a borrowed message tells, after a check that it is whole.
    fn number(&self, borrowed: Borrowed) -> u8 {
        assert_eq!(borrowed.bytes, BYTES);
        let words = self.ring().buffer(borrowed.buffer);
        let numbers = words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes());
        let numbers: Vec<u8> = numbers.take(BYTES).collect();
        assert!(numbers.iter().all(|it| *it == numbers[0]), "torn");
        numbers[0]
    }

    fn counts(&self) -> [u64; 4] {
        let BufferCounts { free, published, lent, samples } = self.ring().buffer_counts();
        [free, published, lent, samples]
    }
}

fn id(slot: u32) -> ParticipantId {
    ParticipantId::new(slot, 7)
}

#[test]
fn messages_are_copied_out_of_buffers() {
    for when_full in [WhenFull::Block, WhenFull::Overwrite] {
        let topic = Fixture::new(when_full);
        let mut subscriber = topic.subscriber(1);
        for number in 1..=50 {
            topic.publish(0, number).unwrap().unwrap();
            let mut into = [MaybeUninit::uninit(); BYTES];
            assert_eq!(topic.ring().take(&mut subscriber, &mut into[..]), Ok(true));
            // SAFETY: the ring initialised all of it.
            let bytes = into.map(|byte| unsafe { byte.assume_init() });
            assert_eq!(bytes, [number; BYTES]);
        }
        assert_eq!(topic.counts(), [2, 2, 0, 0]);
    }
}

#[test]
fn a_borrowed_message_stays_and_its_buffer_is_set_aside() {
    for when_full in [WhenFull::Block, WhenFull::Overwrite] {
        let topic = Fixture::new(when_full);
        let mut subscriber = topic.subscriber(1);
        topic.publish(0, 1).unwrap().unwrap();
        let held = topic.borrow(&mut subscriber, 1, 0).unwrap();
        for number in 2..=50 {
            topic.publish(0, number).unwrap().unwrap();
            let next = topic.borrow(&mut subscriber, 1, 1).unwrap();
            assert_eq!([topic.number(held), topic.number(next)], [1, number]);
            topic.ring().return_sample(1, 1);
        }
        assert_eq!(topic.counts(), [2, 2, 0, 1]);
        topic.ring().return_sample(1, 0);
        topic.ring().end_borrowing(id(1));
        assert_eq!(topic.counts(), [2, 2, 0, 0]);
    }
}

#[test]
fn when_all_buffers_are_in_use_there_is_none_until_one_is_returned() {
    let topic = Fixture::new(WhenFull::Overwrite);
    let mut subscriber = topic.subscriber(1);
    for (number, sample) in [(1, 0), (2, 1)] {
        topic.publish(0, number).unwrap().unwrap();
        topic.borrow(&mut subscriber, 1, sample).unwrap();
    }
    topic.publish(0, 3).unwrap().unwrap();
    topic.publish(0, 4).unwrap().unwrap();
    assert_eq!(topic.publish(0, 5), None, "2 are in the ring, and 2 are borrowed");
    topic.ring().return_sample(1, 1);
    topic.publish(0, 5).unwrap().unwrap();
    assert_eq!(topic.ring().last(), 5);
}

#[test]
fn what_the_dead_hold_comes_back() {
    let topic = Fixture::new(WhenFull::Overwrite);
    let mut subscriber = topic.subscriber(1);
    topic.publish(0, 1).unwrap().unwrap();
    topic.borrow(&mut subscriber, 1, 0).unwrap();
    let loans = [(); 3].map(|()| topic.take(2));
    assert!(loans.iter().all(Option::is_some));
    assert_eq!((topic.take(0), topic.counts()), (None, [0, 1, 3, 1]));
    topic.dead.0.borrow_mut().push(id(2));
    for number in 2..=4 {
        topic.publish(0, number).unwrap().unwrap();
    }
    topic.dead.0.borrow_mut().push(id(1));
    topic.ring().reclaim(&topic.dead);
    assert_eq!(topic.counts(), [2, 2, 0, 0]);
}

#[test]
fn a_buffer_between_its_owner_and_its_entry_comes_back() {
    let topic = Fixture::new(WhenFull::Overwrite);
    (1..=2).for_each(|number| topic.publish(0, number).unwrap().unwrap());
    // It has claimed, and its buffer names the message.
    let buffer = topic.take(2).unwrap();
    let claim = topic.ring().claim(&mut Publishing::join(topic.ring(), id(2))).unwrap();
    let named = claim.sequence() << OWNER_SHIFT | IN_ENTRY;
    assert!(exchange(&topic.ring().owners[buffer as usize], id(2).to_bits(), named));
    topic.ring().reclaim(&topic.dead);
    assert_eq!(topic.counts(), [1, 3, 0, 0], "it lives");
    topic.dead.0.borrow_mut().push(id(2));
    topic.ring().reclaim(&topic.dead);
    assert_eq!(topic.counts(), [2, 2, 0, 0]);
    topic.publish(0, 4).unwrap().unwrap();
}

#[test]
fn garbage_gives_errors_and_never_a_hang_or_a_panic() {
    let shape = Shape::of(BYTES).unwrap();
    let owners = owners_at(SLOTS, 2, shape);
    let places = (0..owners + BUFFERS).filter(|at| *at < 16 + SLOTS * 16 + 32 || *at >= owners);
    for place in places {
        for garbage in [1, 2, 5, 0xff, 1 << 20, 1 << 60, u64::MAX / 2, u64::MAX - 3, u64::MAX] {
            let topic = Fixture::new(WhenFull::Overwrite);
            let mut subscriber = topic.subscriber(1);
            (1..=2).for_each(|number| topic.publish(0, number).unwrap().unwrap());
            topic.words(place, 1)[0].store(garbage, Ordering::Relaxed);
            for number in 3..=9 {
                let _ = topic.publish(0, number);
                let mut borrowing = Borrowing { slot: 1, sample: 0, borrowed: None };
                let _ = topic.ring().take(&mut subscriber, &mut borrowing);
                topic.ring().return_sample(1, 0);
            }
            topic.ring().reclaim(&topic.dead);
            let _ = topic.counts();
        }
    }
}

#[test]
fn an_entry_without_a_buffer_is_reported_once() {
    let topic = Fixture::new(WhenFull::Block);
    let mut subscriber = topic.subscriber(1);
    (1..=2).for_each(|number| topic.publish(0, number).unwrap().unwrap());
    topic.ring().entry(1).value[0].store(99, Ordering::Relaxed);
    let mut borrowing = Borrowing { slot: 1, sample: 0, borrowed: None };
    let taken = topic.ring().take(&mut subscriber, &mut borrowing);
    assert_eq!(taken, Err(ReceiveError::Corrupt));
    assert_eq!(topic.number(topic.borrow(&mut subscriber, 1, 0).unwrap()), 2);
}
