//! Buffers under loom: with publishers that die anywhere, and subscribers that borrow.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::channel::topic::geometry::{DROPPED, RECORD_WORDS, Shape};
use crate::channel::topic::ring::{Borrowing, Ended, Publishing, Subscription};
use crate::crash::ends_at;
use crate::participant::models::{DEAD, DeadIs, NOBODY_DIED, living};
use crate::sys::wait::model::check;
use crate::wait::{Until, WaitLoop};

const SHAPE: Shape = Shape { value_bytes: 24, stride_words: 2, element_bytes: 0 };
const SLOTS: usize = 3;
const BUFFERS: usize = 3;
/// Every point at which a publisher that dies leaves a buffer half-way.
const POINTS: [&str; 6] = [
    "topic: buffer taken",
    "topic: claimed, not written",
    "topic: buffer names its message, not in the entry",
    "topic: buffer in the entry, not complete",
    "topic: complete, old buffer not taken",
    "topic: lost buffer found, not freed",
];

struct Words {
    line: [AtomicU64; DROPPED + 1],
    records: [AtomicU64; SLOTS * RECORD_WORDS],
    entries: [AtomicU64; 2],
    owners: [AtomicU64; BUFFERS],
    buffers: [AtomicU64; BUFFERS * 3],
    when_full: WhenFull,
}

impl Words {
    /// A ring with one entry.
    fn new(when_full: WhenFull) -> Arc<Self> {
        fn zeros<const N: usize>() -> [AtomicU64; N] {
            std::array::from_fn(|_| AtomicU64::new(0))
        }
        let (line, records, entries) = (zeros(), zeros(), zeros());
        let (owners, buffers) = (zeros(), zeros());
        Arc::new(Self { line, records, entries, owners, buffers, when_full })
    }

    fn ring(&self) -> Ring<'_> {
        let ring = Ring::new(&self.line, &self.records, &self.entries, 1, self.when_full, SHAPE);
        ring.and_then(|ring| ring.with_buffers(&self.owners, &self.buffers)).expect("as many words")
    }

    /// Publishes a message that tells its number.
    fn publish(&self, to: &mut Publishing, me: ParticipantId, number: u64, liveness: &DeadIs) {
        let ring = self.ring();
        let taken = ring.take_buffer(me, 0).or_else(|| {
            ring.reclaim(liveness);
            ring.take_buffer(me, 0)
        });
        let buffer = taken.expect("a buffer that nobody uses");
        ring.fill(buffer, &[number.to_le_bytes(); 3].concat());
        let wait_loop = WaitLoop::for_answer(0);
        let claim = ring.claim_within(to, &wait_loop, Until::Ever, liveness).unwrap();
        let displaced = ring.publish_buffer(claim, me, buffer, 24).unwrap();
        displaced.into_iter().for_each(|buffer| ring.release_buffer(me, buffer));
    }

    /// Borrows a message, and calls `meanwhile`: its bytes stay.
    fn borrow(&self, from: &mut Subscription, me: ParticipantId, meanwhile: impl FnOnce()) -> u64 {
        let (wait_loop, none) = (WaitLoop::for_answer(0), || None::<()>);
        let mut borrowing = Borrowing { slot: me.slot(), sample: 0, borrowed: None };
        let until = Until::Ever;
        self.ring()
            .receive(from, &mut borrowing, &wait_loop, until, &NOBODY_DIED, none)
            .map_err(|error: Ended<()>| format!("{error:?}"))
            .expect("a message");
        let words = self.ring().buffer(borrowing.borrowed.unwrap().buffer);
        // ORDERING: Relaxed; the message was acquired, and does not change.
        let load = |at: usize| words[at].load(Ordering::Relaxed);
        let number = load(0);
        meanwhile();
        assert_eq!([load(1), load(2)], [number; 2], "a borrowed message was overwritten");
        self.ring().return_sample(me.slot(), 0);
        number
    }

    /// How many buffers are free or in the ring, once nobody is in the middle of anything.
    fn accounted(&self) -> u64 {
        let counts = self.ring().buffer_counts();
        counts.free + counts.published
    }
}

#[test]
fn loom_a_borrowed_message_stays_while_others_are_published() {
    for when_full in [WhenFull::Block, WhenFull::Overwrite] {
        check(Some(2), move || {
            let words = Words::new(when_full);
            let mut subscriber = Subscription::join(words.ring(), living(1), 0);
            words.ring().begin_borrowing(living(1));
            let mut to = Publishing::join(words.ring(), living(0));
            words.publish(&mut to, living(0), 1, &NOBODY_DIED);
            let publishing = thread::spawn({
                let words = words.clone();
                move || words.publish(&mut to, living(0), 2, &NOBODY_DIED)
            });
            let first = words.borrow(&mut subscriber, living(1), || {});
            assert!(first == 1 || when_full == WhenFull::Overwrite && first == 2);
            publishing.join().unwrap();
            words.ring().end_borrowing(living(1));
            assert_eq!(words.accounted(), BUFFERS as u64);
        });
    }
}

#[test]
fn loom_history_that_is_borrowed_stays_or_is_given_up() {
    check(Some(2), || {
        let words = Words::new(WhenFull::Block);
        let mut to = Publishing::join(words.ring(), living(0));
        words.publish(&mut to, living(0), 1, &NOBODY_DIED);
        let mut subscriber = Subscription::join(words.ring(), living(1), 1);
        words.ring().begin_borrowing(living(1));
        let publishing = thread::spawn({
            let words = words.clone();
            // It knows of room, and does not look at the cursor.
            move || words.publish(&mut to, living(0), 2, &NOBODY_DIED)
        });
        let number = words.borrow(&mut subscriber, living(1), || {});
        assert!([1, 2].contains(&number));
        publishing.join().unwrap();
    });
}

#[test]
fn loom_two_publishers_never_fill_one_buffer() {
    check(Some(2), || {
        let words = Words::new(WhenFull::Overwrite);
        let publishing = [0, 1].map(|slot| {
            let words = words.clone();
            thread::spawn(move || {
                let mut to = Publishing::join(words.ring(), living(slot));
                words.publish(&mut to, living(slot), u64::from(slot) + 1, &NOBODY_DIED);
            })
        });
        publishing.map(|it| it.join().unwrap());
        assert_eq!(words.accounted(), BUFFERS as u64);
        let mut reader = Subscription::join(words.ring(), living(2), 1);
        words.ring().begin_borrowing(living(2));
        assert!([1, 2].contains(&words.borrow(&mut reader, living(2), || {})));
    });
}

#[test]
fn loom_a_publisher_that_dies_anywhere_loses_no_buffer() {
    for point in POINTS {
        check(Some(2), move || {
            let words = Words::new(WhenFull::Overwrite);
            let mut first = Publishing::join(words.ring(), living(2));
            words.publish(&mut first, living(2), 1, &NOBODY_DIED);
            let _ = ends_at(point, || {
                let mut to = Publishing::join(words.ring(), DEAD);
                words.publish(&mut to, DEAD, 2, &NOBODY_DIED);
                words.ring().reclaim(&NOBODY_DIED);
            });
            let reclaiming = thread::spawn({
                let words = words.clone();
                move || words.ring().reclaim(&DeadIs(Some(DEAD)))
            });
            words.publish(&mut first, living(2), 3, &DeadIs(Some(DEAD)));
            reclaiming.join().unwrap();
            words.ring().reclaim(&DeadIs(Some(DEAD)));
            assert_eq!(words.accounted(), BUFFERS as u64, "{point}");
            assert_eq!(words.ring().buffer_counts().published, 1, "{point}");
        });
    }
}

#[test]
fn loom_nothing_is_reclaimed_from_a_publisher_that_lives() {
    check(Some(3), || {
        let words = Words::new(WhenFull::Overwrite);
        let mut to = Publishing::join(words.ring(), living(0));
        words.publish(&mut to, living(0), 1, &NOBODY_DIED);
        let publishing = thread::spawn({
            let words = words.clone();
            move || words.publish(&mut to, living(0), 2, &NOBODY_DIED)
        });
        words.ring().reclaim(&NOBODY_DIED);
        publishing.join().unwrap();
        words.ring().reclaim(&NOBODY_DIED);
        assert_eq!(words.accounted(), BUFFERS as u64);
        assert_eq!(words.ring().buffer_counts().published, 1);
    });
}
