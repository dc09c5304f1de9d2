use std::cell::RefCell;

use super::*;
use crate::channel::message::Message;
use crate::channel::topic::geometry::{CLAIMING, CURSOR, PUBLISHING, SUBSCRIBED};
use crate::error::{Error, ErrorKind};
use crate::memory::HeapMemory;
use crate::participant::ParticipantId;
use crate::wait::{Extent, Until, WaitLoop};
use core::mem::MaybeUninit;

const SHAPE: Shape = Shape { value_bytes: 20, stride_words: 4, element_bytes: 0 };
/// Lists of up to 4 elements of 4 bytes.
const LISTS: Shape = Shape { value_bytes: 16, stride_words: 4, element_bytes: 4 };
const SLOTS: usize = 4;

/// Says which participants are dead.
#[derive(Default)]
struct Dead(RefCell<Vec<ParticipantId>>);

impl Liveness for Dead {
    fn is_dead(&self, id: ParticipantId) -> bool {
        self.0.borrow().contains(&id)
    }
}

struct Fixture {
    memory: HeapMemory,
    depth: u32,
    when_full: WhenFull,
    shape: Shape,
    dead: Dead,
}

impl Fixture {
    fn new(depth: u32, when_full: WhenFull) -> Self {
        let memory = HeapMemory::zeroed(128 + SLOTS * 128 + depth as usize * 32);
        Self { memory, depth, when_full, shape: SHAPE, dead: Dead::default() }
    }

    fn of_lists(depth: u32, when_full: WhenFull) -> Self {
        Self { shape: LISTS, ..Self::new(depth, when_full) }
    }

    fn ring(&self) -> Ring<'_> {
        let view = self.memory.view();
        let words = |from, count| view.words(from, count).unwrap();
        let entries = words(128 + SLOTS * 128, self.depth as usize * 4);
        let records = words(128, SLOTS * RECORD_WORDS);
        Ring::new(words(0, 16), records, entries, self.depth, self.when_full, self.shape).unwrap()
    }

    fn publisher(&self, slot: u32) -> Publishing {
        Publishing::join(self.ring(), id(slot))
    }

    fn subscriber(&self, slot: u32, history: u64) -> Subscription {
        Subscription::join(self.ring(), id(slot), history)
    }

    /// Publishes a message that tells its number, if there is room.
    fn publish(&self, publishing: &mut Publishing, number: u8) -> Result<(), ClaimError> {
        let wait_loop = WaitLoop::for_answer(0);
        let claim = self.ring().claim_within(publishing, &wait_loop, Until::Now, &self.dead)?;
        self.ring().publish_claimed(claim, &[number; 20])
    }

    fn publish_all(&self, publishing: &mut Publishing, numbers: std::ops::RangeInclusive<u8>) {
        numbers.for_each(|number| self.publish(publishing, number).unwrap());
    }

    /// Receives the next message. 0: there is none.
    fn receive(&self, subscription: &mut Subscription) -> Result<u8, ReceiveError> {
        let mut into = [MaybeUninit::uninit(); 20];
        let wait_loop = WaitLoop::for_answer(0);
        let received = self.ring().receive(
            subscription,
            &mut into[..],
            &wait_loop,
            Until::Now,
            &self.dead,
            || None::<()>,
        );
        match received {
            Ok(()) => {
                // SAFETY: the ring initialised all of it.
                let bytes = into.map(|byte| unsafe { byte.assume_init() });
                assert!(bytes.iter().all(|byte| *byte == bytes[0]), "torn: {bytes:?}");
                Ok(bytes[0])
            }
            Err(Ended::Failed(ReceiveError::TimedOut)) => Ok(0),
            Err(Ended::Failed(error)) => Err(error),
            Err(Ended::News(())) => unreachable!(),
        }
    }

    /// The messages that are there.
    fn drain(&self, subscription: &mut Subscription) -> Vec<u8> {
        std::iter::from_fn(|| Some(self.receive(subscription).unwrap()).filter(|it| *it > 0))
            .collect()
    }

    fn kill(&self, slot: u32) {
        self.dead.0.borrow_mut().push(id(slot));
    }

    /// A publisher claims the next sequence, and dies.
    fn die_after_claim(&self, slot: u32) {
        let mut publishing = self.publisher(slot);
        let _ = self.ring().claim(&mut publishing).unwrap();
        self.kill(slot);
    }
}

fn id(slot: u32) -> ParticipantId {
    ParticipantId::new(slot, 7)
}

#[test]
fn every_subscriber_gets_every_message_in_order_at_every_depth() {
    for depth in [1, 2, 4, 8] {
        let topic = Fixture::new(depth, WhenFull::Block);
        let mut publisher = topic.publisher(0);
        let mut subscribers = [topic.subscriber(1, 0), topic.subscriber(2, 0)];
        assert_eq!(publisher.audience(topic.ring()), 2);
        for number in 1..=100 {
            topic.publish(&mut publisher, number).unwrap();
            for subscriber in &mut subscribers {
                assert_eq!(topic.drain(subscriber), [number]);
                assert_eq!(subscriber.sequence(), u64::from(number));
            }
        }
        assert!(topic.ring().is_sound());
    }
}

#[test]
fn a_full_topic_names_the_slowest_subscriber_and_goes_on_once_it_receives() {
    for when_full in [WhenFull::Block, WhenFull::DropNew] {
        let topic = Fixture::new(4, when_full);
        let mut publisher = topic.publisher(0);
        let [mut slow, mut fast] = [topic.subscriber(1, 0), topic.subscriber(2, 0)];
        topic.publish_all(&mut publisher, 1..=4);
        assert_eq!(topic.drain(&mut fast), [1, 2, 3, 4]);
        assert_eq!(topic.publish(&mut publisher, 5), Err(ClaimError::Full(Some(1))));
        assert_eq!(topic.receive(&mut slow), Ok(1));
        topic.publish(&mut publisher, 5).unwrap();
        assert_eq!(topic.publish(&mut publisher, 6), Err(ClaimError::Full(Some(1))));
        assert_eq!(topic.drain(&mut slow), [2, 3, 4, 5]);
        assert_eq!(topic.drain(&mut fast), [5]);
    }
}

#[test]
fn without_subscribers_nothing_is_full() {
    for when_full in [WhenFull::Block, WhenFull::DropNew, WhenFull::Overwrite] {
        let topic = Fixture::new(2, when_full);
        let mut publisher = topic.publisher(0);
        topic.publish_all(&mut publisher, 1..=100);
        assert_eq!(topic.ring().last(), 100);
        assert_eq!(publisher.audience(topic.ring()), 0);
    }
}

#[test]
fn a_subscriber_that_leaves_or_dies_no_longer_counts() {
    let topic = Fixture::new(2, WhenFull::Block);
    let mut publisher = topic.publisher(0);
    let [mut stays, _dies, _leaves] = [1, 2, 3].map(|slot| topic.subscriber(slot, 0));
    topic.publish_all(&mut publisher, 1..=2);
    assert_eq!(publisher.audience(topic.ring()), 3);
    topic.drain(&mut stays);
    topic.kill(2);
    assert_eq!(topic.publish(&mut publisher, 3), Err(ClaimError::Full(Some(3))));
    assert_eq!(publisher.audience(topic.ring()), 2);
    topic.ring().unsubscribe(3, id(3));
    topic.publish(&mut publisher, 3).unwrap();
    assert_eq!(publisher.audience(topic.ring()), 1);
    assert_eq!(topic.drain(&mut stays), [3]);
}

#[test]
fn a_slot_of_a_dead_subscriber_is_used_again_with_a_cursor_of_its_own() {
    let topic = Fixture::new(2, WhenFull::Block);
    let mut publisher = topic.publisher(0);
    topic.subscriber(1, 0);
    topic.publish_all(&mut publisher, 1..=2);
    let next = ParticipantId::new(1, 8);
    let mut subscriber = Subscription::join(topic.ring(), next, 0);
    topic.publish_all(&mut publisher, 3..=4);
    // As if the dead subscriber were found only now.
    topic.ring().unsubscribe(1, id(1));
    assert_eq!(topic.publish(&mut publisher, 5), Err(ClaimError::Full(Some(1))));
    assert_eq!(topic.drain(&mut subscriber), [3, 4]);
    assert_eq!(publisher.audience(topic.ring()), 1);
}

#[test]
fn losses_are_counted_exactly_where_messages_are_overwritten() {
    for depth in [1, 2, 4, 8] {
        let topic = Fixture::new(depth, WhenFull::Overwrite);
        let mut publisher = topic.publisher(0);
        let mut subscriber = topic.subscriber(1, 0);
        let mut received = 0;
        for round in 0..10 {
            topic.publish_all(&mut publisher, round * 20 + 1..=round * 20 + 20);
            let numbers = topic.drain(&mut subscriber);
            assert!(numbers.is_sorted() && numbers.last() == Some(&(round * 20 + 20)));
            received += numbers.len() as u64;
            assert_eq!(received + subscriber.lost(), u64::from(round) * 20 + 20, "depth {depth}");
        }
        let cursors: Vec<_> = topic.ring().cursors().collect();
        assert_eq!((cursors[0].lag, cursors[0].lost), (0, subscriber.lost()));
    }
}

#[test]
fn history_is_received_first_as_far_as_it_is_still_there_and_is_not_counted_as_lost() {
    for when_full in [WhenFull::Block, WhenFull::DropNew, WhenFull::Overwrite] {
        let topic = Fixture::new(4, when_full);
        let mut publisher = topic.publisher(0);
        topic.publish_all(&mut publisher, 1..=10);
        let all = |history| topic.drain(&mut topic.subscriber(1, history));
        assert_eq!(all(0), [0; 0]);
        assert_eq!(all(2), [9, 10]);
        assert_eq!(all(4), [7, 8, 9, 10]);
        assert_eq!(all(100), [7, 8, 9, 10]);
        topic.ring().unsubscribe(1, id(1));
        let mut late = topic.subscriber(2, 3);
        if when_full == WhenFull::Overwrite {
            topic.publish_all(&mut publisher, 11..=20);
            assert_eq!(topic.drain(&mut late), [18, 19, 20]);
            assert_eq!(late.lost(), 7, "11 to 17");
        } else {
            // A new one, which knows of no room.
            let mut publisher = topic.publisher(3);
            topic.publish(&mut publisher, 11).unwrap();
            assert_eq!(topic.publish(&mut publisher, 12), Err(ClaimError::Full(Some(2))));
            assert_eq!(topic.drain(&mut late), [8, 9, 10, 11]);
            assert_eq!(late.lost(), 0);
        }
    }
}

#[test]
fn history_that_a_publisher_with_an_older_limit_overwrites_is_passed_over() {
    let topic = Fixture::new(4, WhenFull::Block);
    let mut publisher = topic.publisher(0);
    // Without a subscriber it knows of room up to 4 messages after the first.
    topic.publish(&mut publisher, 1).unwrap();
    topic.publish_all(&mut publisher, 2..=5);
    let mut late = topic.subscriber(1, 4);
    // Of those, one is left: it overwrites the oldest one of the history.
    topic.publish_all(&mut publisher, 6..=8);
    assert_eq!(topic.drain(&mut late), [6, 7, 8]);
    assert_eq!(late.lost(), 0);
}

#[test]
fn a_subscriber_whose_history_was_overwritten_gets_all_that_was_published_since_it_joined() {
    for when_full in [WhenFull::Block, WhenFull::DropNew] {
        let topic = Fixture::new(8, when_full);
        let mut publisher = topic.publisher(0);
        topic.publish_all(&mut publisher, 1..=9);
        // The publisher knows of room up to 16 now, and looks at no cursor before that.
        let mut late = topic.subscriber(1, 8);
        topic.publish_all(&mut publisher, 10..=16);
        assert_eq!(topic.drain(&mut late), [10, 11, 12, 13, 14, 15, 16]);
        assert_eq!(late.lost(), 0);
    }
}

#[test]
fn the_entry_of_a_dead_publisher_is_skipped_by_whoever_needs_it() {
    for when_full in [WhenFull::Block, WhenFull::DropNew, WhenFull::Overwrite] {
        let topic = Fixture::new(2, when_full);
        let mut publisher = topic.publisher(0);
        let mut subscriber = topic.subscriber(1, 0);
        topic.publish(&mut publisher, 1).unwrap();
        topic.die_after_claim(2);
        assert_eq!(topic.ring().incomplete(), 1);
        assert_eq!(topic.ring().claimers().collect::<Vec<_>>(), [id(2)]);
        // The subscriber needs it.
        assert_eq!(topic.drain(&mut subscriber), [1]);
        assert_eq!((topic.ring().incomplete(), subscriber.sequence()), (0, 2));
        topic.publish(&mut publisher, 3).unwrap();
        assert_eq!(topic.drain(&mut subscriber), [3]);
        // A publisher needs it.
        topic.ring().unsubscribe(1, id(1));
        topic.die_after_claim(3);
        topic.publish_all(&mut publisher, 5..=9);
        assert_eq!(topic.ring().last(), 9);
        // An outsider frees it.
        let next = ParticipantId::new(3, 8);
        let claim = topic.ring().claim(&mut Publishing::join(topic.ring(), next));
        assert!(claim.is_ok());
        topic.ring().skip_abandoned(&topic.dead);
        assert_eq!(topic.ring().incomplete(), 1, "its claimer lives");
        topic.dead.0.borrow_mut().push(next);
        topic.ring().skip_abandoned(&topic.dead);
        assert_eq!(topic.ring().incomplete(), 0);
        assert_eq!(subscriber.lost(), 0);
    }
}

#[test]
fn a_publisher_whose_entry_was_skipped_finds_that_out() {
    for when_full in [WhenFull::Block, WhenFull::Overwrite] {
        let topic = Fixture::new(2, when_full);
        let mut publisher = topic.publisher(0);
        let claim = topic.ring().claim(&mut publisher).unwrap();
        topic.kill(0);
        topic.ring().skip_abandoned(&topic.dead);
        let answer = topic.ring().publish_claimed(claim, &[1; 20]);
        assert_eq!(answer, Err(ClaimError::RoleLost));
    }
}

#[test]
fn a_retired_topic_has_its_messages_and_then_is_closed() {
    let topic = Fixture::new(4, WhenFull::Block);
    let mut publisher = topic.publisher(0);
    let mut subscriber = topic.subscriber(1, 0);
    topic.publish_all(&mut publisher, 1..=2);
    let ring = topic.ring();
    ring.tail().close();
    (0..4).for_each(|entry| ring.stamp(entry).close());
    WaitWord::new(&ring.records[RECORD_WORDS + CURSOR]).close();
    assert_eq!(topic.publish(&mut publisher, 3), Err(ClaimError::Closed));
    assert_eq!(
        [(); 3].map(|()| topic.receive(&mut subscriber)),
        [Ok(1), Ok(2), Err(ReceiveError::Closed)]
    );
}

#[test]
fn words_of_garbage_give_errors_and_never_a_hang_or_a_panic() {
    for when_full in [WhenFull::Block, WhenFull::DropNew, WhenFull::Overwrite] {
        for garbage in [0, 1, 2, 0xff, 1 << 20, 1 << 60, u64::MAX / 2, u64::MAX - 3, u64::MAX] {
            for word in 0..16 + SLOTS * 16 + 4 * 4 {
                let topic = Fixture::new(4, when_full);
                let mut publisher = topic.publisher(0);
                let mut subscriber = topic.subscriber(1, 2);
                topic.publish_all(&mut publisher, 1..=2);
                assert_eq!(topic.receive(&mut subscriber), Ok(1));
                let words = topic.memory.view().words(0, word + 1).unwrap();
                words[word].store(garbage, Ordering::Relaxed);
                for number in 3..=20 {
                    let _ = topic.publish(&mut publisher, number);
                    let mut into = [MaybeUninit::uninit(); 20];
                    let (wait_loop, until) = (WaitLoop::for_answer(0), Until::Now);
                    let ring = topic.ring();
                    let news = || None::<()>;
                    let _ = ring.receive(
                        &mut subscriber,
                        &mut into[..],
                        &wait_loop,
                        until,
                        &topic.dead,
                        news,
                    );
                }
                let ring = topic.ring();
                ring.skip_abandoned(&topic.dead);
                ring.reap_subscribers(Extent::Everything, &topic.dead);
                let _ = (ring.is_sound(), ring.incomplete(), ring.cursors().count());
                let _ = (ring.claimers().count(), publisher.audience(ring));
                Subscription::join(ring, id(2), 1);
                Publishing::join(ring, id(3));
            }
        }
    }
}

#[test]
fn a_garbage_stamp_is_reported_once_and_the_topic_is_not_sound() {
    let topic = Fixture::new(4, WhenFull::Block);
    let mut subscriber = topic.subscriber(1, 0);
    assert!(topic.ring().is_sound());
    topic.ring().entry(1).stamp.store(77 << STAMP_SHIFT, Ordering::Relaxed);
    assert_eq!(topic.receive(&mut subscriber), Err(ReceiveError::Corrupt));
    assert_eq!(topic.receive(&mut subscriber), Ok(0));
    let mut publisher = topic.publisher(0);
    assert_eq!(topic.publish(&mut publisher, 1), Err(ClaimError::Corrupt));
    topic.ring().line[TAIL].store(5 << TAIL_SHIFT, Ordering::Relaxed);
    assert!(!topic.ring().is_sound());
}

/// Receives the next list. `None`: there is none.
fn next_list(topic: &Fixture, subscriber: &mut Subscription) -> Result<Option<Vec<u8>>, Error> {
    let mut failed = None;
    let list = <[u8]>::receive(
        |place| match topic.ring().take(subscriber, place) {
            Ok(true) => Ok(()),
            other => {
                failed = Some(other);
                Err(Error::new(ErrorKind::TimedOut, "none"))
            }
        },
        || unreachable!("any bytes are valid"),
    );
    match failed {
        Some(Err(error)) => panic!("{error:?}"),
        Some(Ok(_)) => Ok(None),
        None => list.map(Some),
    }
}

#[test]
fn each_list_has_its_own_length() {
    for when_full in [WhenFull::Block, WhenFull::Overwrite] {
        let topic = Fixture::of_lists(4, when_full);
        let (mut publisher, mut subscriber) = (topic.publisher(0), topic.subscriber(1, 0));
        for elements in [0, 4, 1, 0, 3, 2, 4, 4, 0] {
            let sent: Vec<u8> = (0..elements * 4).collect();
            let claim = topic.ring().claim(&mut publisher).unwrap();
            topic.ring().publish_claimed(claim, &sent).unwrap();
            assert_eq!(next_list(&topic, &mut subscriber).unwrap(), Some(sent));
            assert_eq!(next_list(&topic, &mut subscriber).unwrap(), None);
        }
    }
}

#[test]
fn a_length_that_no_publisher_writes_is_reported_once_and_passed() {
    for garbage in [5, u64::MAX / 4 + 2, u64::MAX] {
        let topic = Fixture::of_lists(4, WhenFull::Block);
        let (mut publisher, mut subscriber) = (topic.publisher(0), topic.subscriber(1, 0));
        for list in [&[1; 4], &[2; 4]] {
            let claim = topic.ring().claim(&mut publisher).unwrap();
            topic.ring().publish_claimed(claim, list).unwrap();
        }
        topic.ring().entry(1).length.unwrap().store(garbage, Ordering::Relaxed);
        let mut into = [MaybeUninit::uninit(); 16];
        let taken = topic.ring().take(&mut subscriber, &mut into[..]);
        assert_eq!(taken, Err(ReceiveError::Corrupt));
        assert_eq!(next_list(&topic, &mut subscriber).unwrap(), Some(vec![2; 4]));
    }
}

#[test]
fn a_record_names_its_words() {
    let topic = Fixture::new(4, WhenFull::Block);
    let mut publisher = topic.publisher(2);
    topic.subscriber(1, 0);
    topic.publish(&mut publisher, 1).unwrap();
    let word = |slot: usize, word: usize| {
        topic.ring().records[slot * RECORD_WORDS + word].load(Ordering::Relaxed)
    };
    assert_eq!(word(1, SUBSCRIBED), id(1).to_bits());
    assert_eq!(word(1, CURSOR) >> 3, 0);
    assert_eq!((word(2, PUBLISHING), word(2, CLAIMING)), (id(2).to_bits(), 1 << 2));
}
