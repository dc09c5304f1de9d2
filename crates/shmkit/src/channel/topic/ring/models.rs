//! The ring under loom, with values of two words: publishers, subscribers, and deaths.

use core::mem::MaybeUninit;

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::crash::ends_at;
use crate::participant::ParticipantId;
use crate::participant::models::{DEAD, DeadIs, NOBODY_DIED, living};
use crate::sys::wait::model::check;
use crate::wait::{Until, WaitLoop};

const SHAPE: Shape = Shape { value_bytes: 16, stride_words: 3, element_bytes: 0 };
const SLOTS: usize = 3;
/// Every point of publishing at which a publisher that dies leaves something half-done.
const POINTS: [&str; 5] = [
    "topic: about to claim",
    "topic: claimed, not written",
    "topic: being written",
    "topic: half written",
    "topic: written, not complete",
];

struct Words {
    line: [AtomicU64; DROPPED + 1],
    records: [AtomicU64; SLOTS * RECORD_WORDS],
    entries: [AtomicU64; 2 * 3],
    depth: u32,
    when_full: WhenFull,
}

impl Words {
    fn new(depth: u32, when_full: WhenFull) -> Arc<Self> {
        Arc::new(Self {
            line: std::array::from_fn(|_| AtomicU64::new(0)),
            records: std::array::from_fn(|_| AtomicU64::new(0)),
            entries: std::array::from_fn(|_| AtomicU64::new(0)),
            depth,
            when_full,
        })
    }

    fn ring(&self) -> Ring<'_> {
        let Self { line, records, entries, depth, when_full } = self;
        Ring::new(line, records, entries, *depth, *when_full, SHAPE).expect("as many words")
    }

    fn publisher(&self, me: ParticipantId) -> Publishing {
        Publishing::join(self.ring(), me)
    }

    fn subscriber(&self, slot: u32, history: u64) -> Subscription {
        Subscription::join(self.ring(), living(slot), history)
    }

    fn publish(&self, publishing: &mut Publishing, number: u64) {
        self.publish_beside(publishing, number, &NOBODY_DIED);
    }

    /// Publishes a message that tells its number, beside a publisher that may be dead.
    fn publish_beside(&self, publishing: &mut Publishing, number: u64, liveness: &DeadIs) {
        let (ring, wait_loop) = (self.ring(), WaitLoop::for_answer(0));
        let claim = ring.claim_within(publishing, &wait_loop, Until::Ever, liveness).unwrap();
        ring.publish_claimed(claim, &value(number)).unwrap();
    }

    fn receive(&self, subscription: &mut Subscription) -> u64 {
        self.receive_beside(subscription, &NOBODY_DIED)
    }

    /// Receives a message whole, and returns its number.
    fn receive_beside(&self, subscription: &mut Subscription, liveness: &DeadIs) -> u64 {
        let mut into = [MaybeUninit::uninit(); 16];
        let (wait_loop, until) = (WaitLoop::for_answer(0), Until::Ever);
        let none = || None::<()>;
        self.ring()
            .receive(subscription, &mut into[..], &wait_loop, until, liveness, none)
            .expect("a message");
        // SAFETY: the ring initialised all of it.
        let bytes = into.map(|byte| unsafe { byte.assume_init() });
        let [first, second] =
            [0, 8].map(|at| u64::from_le_bytes(*bytes[at..].first_chunk().unwrap()));
        assert_eq!(first, second, "torn");
        first
    }
}

fn value(number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes[8..].copy_from_slice(&number.to_le_bytes());
    bytes
}

#[test]
fn loom_both_sides_wait_for_each_other_and_no_message_is_lost() {
    check(Some(2), || {
        let words = Words::new(1, WhenFull::Block);
        let mut subscriber = words.subscriber(1, 0);
        let publishing = thread::spawn({
            let words = words.clone();
            move || {
                let mut publisher = words.publisher(living(0));
                (1..=2).for_each(|number| words.publish(&mut publisher, number));
            }
        });
        for number in 1..=2 {
            assert_eq!(words.receive(&mut subscriber), number);
        }
        publishing.join().unwrap();
    });
}

#[test]
fn loom_two_publishers_take_different_sequences() {
    check(Some(2), || {
        let words = Words::new(2, WhenFull::Block);
        let mut subscriber = words.subscriber(2, 0);
        let publishing = [0, 1].map(|slot| {
            let words = words.clone();
            thread::spawn(move || {
                words.publish(&mut words.publisher(living(slot)), u64::from(slot) + 1);
            })
        });
        let received = [(); 2].map(|()| words.receive(&mut subscriber));
        assert!([[1, 2], [2, 1]].contains(&received), "{received:?}");
        publishing.map(|publishing| publishing.join().unwrap());
    });
}

#[test]
fn loom_what_is_published_after_a_subscriber_joined_is_not_overwritten() {
    check(Some(3), || {
        let words = Words::new(1, WhenFull::Block);
        let publishing = thread::spawn({
            let words = words.clone();
            move || {
                let mut publisher = words.publisher(living(0));
                (1..=3).for_each(|number| words.publish(&mut publisher, number));
            }
        });
        let mut subscriber = words.subscriber(1, 0);
        for number in subscriber.sequence() + 1..=3 {
            assert_eq!(words.receive(&mut subscriber), number);
        }
        assert_eq!(subscriber.lost(), 0);
        publishing.join().unwrap();
    });
}

#[test]
fn loom_history_is_whole_while_it_is_overwritten() {
    check(Some(3), || {
        let words = Words::new(1, WhenFull::Block);
        let mut publisher = words.publisher(living(0));
        words.publish(&mut publisher, 1);
        let publishing = thread::spawn({
            let words = words.clone();
            move || words.publish(&mut publisher, 2)
        });
        let mut subscriber = words.subscriber(1, 1);
        let mut last = 0;
        while last < 2 {
            let number = words.receive(&mut subscriber);
            assert!(number > last, "{number} after {last}");
            last = number;
        }
        publishing.join().unwrap();
    });
}

#[test]
fn loom_a_slow_subscriber_gets_whole_messages_and_counts_the_others() {
    check(Some(2), || {
        let words = Words::new(1, WhenFull::Overwrite);
        let mut subscriber = words.subscriber(1, 0);
        let mut publisher = words.publisher(living(0));
        words.publish(&mut publisher, 1);
        let publishing = thread::spawn({
            let words = words.clone();
            move || words.publish(&mut publisher, 2)
        });
        // More looks, while the message is overwritten, would be too much for loom.
        let number = words.receive(&mut subscriber);
        assert_eq!(1 + subscriber.lost(), number);
        publishing.join().unwrap();
    });
}

#[test]
fn loom_a_blocked_publisher_continues_when_the_subscriber_leaves() {
    check(Some(3), || {
        let words = Words::new(1, WhenFull::Block);
        let _subscriber = words.subscriber(1, 0);
        let publishing = thread::spawn({
            let words = words.clone();
            move || {
                let mut publisher = words.publisher(living(0));
                (1..=2).for_each(|number| words.publish(&mut publisher, number));
            }
        });
        words.ring().unsubscribe(1, living(1));
        publishing.join().unwrap();
    });
}

#[test]
fn loom_a_publisher_that_dies_anywhere_leaves_a_message_or_none_and_stops_nobody() {
    for point in POINTS {
        for when_full in [WhenFull::Block, WhenFull::Overwrite] {
            let mut builder = loom::model::Builder::new();
            builder.preemption_bound = Some(2);
            builder.max_branches = 10_000;
            builder.check(move || {
                let words = Words::new(2, when_full);
                let mut subscriber = words.subscriber(1, 0);
                let died = ends_at(point, || words.publish(&mut words.publisher(DEAD), 7));
                let _ = died;
                let publishing = thread::spawn({
                    let words = words.clone();
                    move || {
                        let mut publisher = words.publisher(living(2));
                        words.publish_beside(&mut publisher, 8, &DeadIs(Some(DEAD)));
                    }
                });
                let first = words.receive_beside(&mut subscriber, &DeadIs(Some(DEAD)));
                assert_eq!(first, if died { 8 } else { 7 }, "{point}");
                publishing.join().unwrap();
            });
        }
    }
}

#[test]
fn loom_a_slow_publisher_that_is_taken_for_dead_publishes_or_finds_out() {
    check(Some(3), || {
        let words = Words::new(2, WhenFull::Block);
        let mut subscriber = words.subscriber(1, 0);
        let publishing = thread::spawn({
            let words = words.clone();
            move || {
                let (ring, mut publisher) = (words.ring(), words.publisher(DEAD));
                let claim = ring.claim(&mut publisher).expect("there is room");
                ring.publish_claimed(claim, &value(1)).is_ok()
            }
        });
        words.ring().skip_if_abandoned(1, &DeadIs(Some(DEAD)));
        let published = publishing.join().unwrap();
        words.publish(&mut words.publisher(living(2)), 2);
        let first = words.receive(&mut subscriber);
        assert_eq!(first, if published { 1 } else { 2 });
    });
}
