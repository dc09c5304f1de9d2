//! The register under loom, with two slots of two words: one writer, readers, and deaths.

use loom::sync::Arc;
use loom::sync::atomic::AtomicBool;
use loom::thread;

use super::*;
use crate::crash::ends_at;

const GEOMETRY: Geometry = Geometry { value_bytes: 16, stride_words: 3, slots: 2 };
/// Every point of `publish` at which a dying writer leaves something half-done.
const POINTS: [&str; 4] = [
    "latest: slot in writing",
    "latest: slot half written",
    "latest: slot written, not complete",
    "latest: slot complete, latest not moved",
];

struct Words {
    latest: AtomicU64,
    begun: AtomicU64,
    slots: [AtomicU64; GEOMETRY.words()],
}

impl Words {
    fn new() -> Arc<Self> {
        let slots = std::array::from_fn(|_| AtomicU64::new(0));
        Arc::new(Self { latest: AtomicU64::new(0), begun: AtomicU64::new(0), slots })
    }

    fn register(&self) -> Register<'_> {
        Register::new(WaitWord::new(&self.latest), &self.begun, &self.slots, GEOMETRY)
            .expect("as many words")
    }
}

/// Explores all interleavings with at most three preemptions. That found every bug that was
/// inserted to test the model, and takes seconds.
fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(run);
}

/// Both words of the value published as `sequence`, by the `attempt`-th writer.
fn value(sequence: u64, attempt: u64) -> [u8; 16] {
    let word = (sequence << 8 | attempt).to_le_bytes();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&word);
    bytes[8..].copy_from_slice(&word);
    bytes
}

fn publish(words: &Words, sequence: u64) {
    assert_eq!(words.register().publish(&value(sequence, 0)), Ok(sequence));
}

/// Asserts that both words are of one value and of this sequence.
fn assert_whole(sequence: u64, into: &[MaybeUninit<u8>; 16]) {
    // SAFETY: the register initialised all of it.
    let bytes = into.map(|byte| unsafe { byte.assume_init() });
    let [first, second] = [0, 8].map(|at| u64::from_le_bytes(*bytes[at..].first_chunk().unwrap()));
    assert_eq!(first, second, "torn");
    assert_eq!(first >> 8, sequence, "of another sequence");
}

/// The newest sequence, checked to be whole; 0 if no value is available.
fn read_newest(words: &Words) -> u64 {
    let mut into = [MaybeUninit::uninit(); 16];
    if words.register().try_newest(&mut into) {
        // SAFETY: the register initialised all of it.
        let first = into[..8].iter().map(|byte| unsafe { byte.assume_init() });
        let sequence = first.rev().fold(0, |word, byte| word << 8 | u64::from(byte)) >> 8;
        assert_whole(sequence, &into);
        return sequence;
    }
    match words.register().read_newest(&mut into) {
        Ok(sequence) => {
            assert_whole(sequence, &into);
            sequence
        }
        Err(ReadError::Empty | ReadError::Busy) => 0,
        Err(miss) => panic!("{miss:?}"),
    }
}

/// Asserts that a second read of the newest value returns none before the first one. Returns the
/// sequence of the first one.
fn read_newest_twice(words: &Words) -> u64 {
    let first = read_newest(words);
    let second = read_newest(words);
    assert!(second == 0 || first <= second, "{second} after {first}");
    first
}

/// Whether `sequence` could be read. Asserts that its value is whole.
fn read(words: &Words, sequence: u64) -> bool {
    let mut into = [MaybeUninit::uninit(); 16];
    let there = words.register().read(sequence, &mut into).is_ok();
    if there {
        assert_whole(sequence, &into);
    }
    there
}

#[test]
fn loom_a_reader_gets_whole_values_in_order() {
    model(|| {
        let words = Words::new();
        publish(&words, 1);
        let writer = thread::spawn({
            let words = words.clone();
            move || (2..=3).for_each(|sequence| publish(&words, sequence))
        });
        read_newest_twice(&words);
        writer.join().unwrap();
        assert_eq!(read_newest(&words), 3);
    });
}

#[test]
fn loom_an_older_value_is_whole_or_overwritten() {
    model(|| {
        let words = Words::new();
        (1..=2).for_each(|sequence| publish(&words, sequence));
        let reader = thread::spawn({
            let words = words.clone();
            move || (read(&words, 1), read(&words, 2), read(&words, 3))
        });
        (3..=4).for_each(|sequence| publish(&words, sequence));
        reader.join().unwrap();
        assert!(!read(&words, 2));
        assert!(read(&words, 3) && read(&words, 4) && !read(&words, 5));
    });
}

#[test]
fn loom_a_reader_that_learns_of_a_value_finds_it_or_a_newer_one() {
    model(|| {
        let words = Words::new();
        let told = Arc::new(AtomicBool::new(false));
        publish(&words, 1);
        let writer = thread::spawn({
            let words = words.clone();
            move || publish(&words, 2)
        });
        let waiting = thread::spawn({
            let (words, told) = (words.clone(), told.clone());
            move || told.store(read(&words, 2), Ordering::Release)
        });
        if told.load(Ordering::Acquire) {
            assert_eq!(words.register().newest().sequence, 2);
            assert_eq!(read_newest(&words), 2);
        }
        writer.join().unwrap();
        waiting.join().unwrap();
    });
}

#[test]
fn loom_a_writer_that_dies_anywhere_is_followed_by_another() {
    for point in POINTS {
        model(move || {
            let words = Words::new();
            (1..=2).for_each(|sequence| publish(&words, sequence));
            let reader = thread::spawn({
                let words = words.clone();
                move || {
                    let seen = read_newest(&words);
                    assert!(seen == 0 || words.register().newest().sequence >= seen);
                }
            });
            // The kernel's report of the death orders the dead writer's stores before the next
            // writer.
            assert!(ends_at(point, || publish(&words, 3)));
            let complete = point == POINTS[3];
            assert_eq!(words.register().half_written(), (!complete).then_some(3));
            assert_eq!(words.register().newest().sequence, if complete { 3 } else { 2 });
            assert_eq!(words.register().resume(), complete.then_some(3));
            let next = if complete { 4 } else { 3 };
            assert_eq!(words.register().publish(&value(next, 1)), Ok(next));
            assert_eq!(read_newest(&words), next);
            reader.join().unwrap();
        });
    }
}

#[test]
fn loom_closing_and_publishing_agree_on_what_was_last() {
    model(|| {
        let words = Words::new();
        publish(&words, 1);
        let closer = thread::spawn({
            let words = words.clone();
            move || words.register().close()
        });
        let result = words.register().publish(&value(2, 0));
        closer.join().unwrap();
        let newest = words.register().newest();
        assert!(newest.closed);
        assert!(result == Ok(2) || result == Err(PublishError::Closed), "{result:?}");
        assert!(result.is_err() || newest.sequence == 2);
        assert_eq!(words.register().publish(&value(3, 0)), Err(PublishError::Closed));
    });
}

#[test]
fn loom_the_newest_value_is_never_older_than_one_that_was_seen_complete() {
    model(|| {
        let words = Words::new();
        publish(&words, 1);
        ends_at("latest: slot complete, latest not moved", || publish(&words, 2));
        assert!(read(&words, 2), "by its stamp, while `latest` is 1");
        let reading = thread::spawn({
            let words = words.clone();
            move || assert!(words.register().newest().sequence >= 2)
        });
        assert_eq!(words.register().resume(), Some(2));
        publish(&words, 3);
        ends_at("latest: slot in writing", || publish(&words, 4));
        reading.join().unwrap();
    });
}

/// Fills the slot of the value that is begun as its writer may in place: with anything first.
fn fill(words: &Words, begun: &Begun, bytes: &[u8; 16]) {
    words.register().write(begun, &value(9, 9));
    words.register().write(begun, bytes);
}

#[test]
fn loom_a_loan_is_seen_whole_or_not_at_all() {
    model(|| {
        let words = Words::new();
        (1..=2).for_each(|sequence| publish(&words, sequence));
        let writer = thread::spawn({
            let words = words.clone();
            move || {
                let begun = words.register().begin().unwrap();
                let bytes = value(3, 0);
                fill(&words, &begun, &bytes);
                assert_eq!(words.register().publish_begun(begun, &bytes), Ok(3));
            }
        });
        let older = read(&words, 1);
        let first = read_newest_twice(&words);
        assert!(!older || first != 1);
        writer.join().unwrap();
        assert_eq!(read_newest(&words), 3);
    });
}

#[test]
fn loom_a_loan_that_is_given_up_is_never_seen_and_hides_no_value() {
    model(|| {
        let words = Words::new();
        let told = Arc::new(AtomicBool::new(false));
        publish(&words, 1);
        let writer = thread::spawn({
            let words = words.clone();
            move || {
                let begun = words.register().begin().unwrap();
                words.register().write(&begun, &value(9, 9));
                words.register().give_up(begun);
                assert_eq!(words.register().half_written(), None);
                assert_eq!(words.register().newest().sequence, 1);
                publish(&words, 2);
            }
        });
        let waiting = thread::spawn({
            let (words, told) = (words.clone(), told.clone());
            move || told.store(read(&words, 2), Ordering::Release)
        });
        if told.load(Ordering::Acquire) {
            assert_eq!(read_newest(&words), 2);
        }
        writer.join().unwrap();
        waiting.join().unwrap();
        assert_eq!(read_newest(&words), 2);
    });
}

#[test]
fn loom_the_time_of_a_value_is_never_that_of_another() {
    model(|| {
        let words = Words::new();
        let times = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let recorded = |sequence: u64| {
            let (words, times) = (words.clone(), times.clone());
            move || {
                let register = words.register();
                let begun = register.begin().unwrap();
                let records = Records::new(None, Some(&*times));
                let (index, stamp) = (register.index(begun.next()), begun.next() | COMPLETE);
                records.store_of(index, stamp, &[], sequence);
                assert_eq!(register.publish_begun(begun, &[]), Ok(sequence));
            }
        };
        (1..=2).for_each(|sequence| recorded(sequence)());
        let writer = thread::spawn(recorded(3));
        let register = words.register().with_records(Records::new(None, Some(&*times)));
        match register.newest_time() {
            Ok(time) => assert!([Some(2), Some(3)].contains(&time), "{time:?}"),
            Err(error) => assert_eq!(error, ReadError::Busy),
        }
        let stamp = 1 << SHIFT | COMPLETE;
        let mut first = None;
        let found = register.slot(stamp).0;
        if under_stamp(found, stamp, || first = register.records.time(1)).is_ok() {
            assert_eq!(first, Some(1));
        }
        writer.join().unwrap();
        assert_eq!(register.newest_time(), Ok(Some(3)));
    });
}
