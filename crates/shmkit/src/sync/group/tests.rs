//! What a description of every kind, and of groups of them, says.

use crate::object::{Part, Payload, Planner};
use crate::sync::{
    Barrier, Condvar, Counter, Event, Latch, Mutex, Once, ReentrantMutex, Reset, RwLock, Semaphore,
};

/// A struct with padding, which is aligned to 16 bytes.
#[derive(shmkit_derive::Shareable, Clone, Copy)]
#[repr(C)]
struct Wide {
    number: u128,
    part: u8,
}

const WIDE: Wide = Wide { number: 1, part: 2 };

#[test]
fn the_text_of_each_kind_is_read_as_it_is_hashed() {
    Planner::check::<Mutex<u8>>(&1);
    Planner::check::<Mutex<Wide>>(&WIDE);
    Planner::check::<Mutex<[u64; 40]>>(&[1; 40]);
    Planner::check::<ReentrantMutex<Wide>>(&WIDE);
    Planner::check::<RwLock<u64>>(&1);
    Planner::check::<RwLock<[Wide; 4]>>(&[WIDE; 4]);
    Planner::check::<Condvar>(&());
    Planner::check::<Semaphore>(&1);
    Planner::check::<Event>(&Reset::Automatic);
    Planner::check::<Barrier>(&2);
    Planner::check::<Latch>(&2);
    Planner::check::<Once>(&());
    Planner::check::<Counter>(&1);
}

#[test]
fn the_text_of_groups_and_slices_is_read_as_it_is_hashed() {
    type Pair = (Mutex<Wide>, Condvar);
    Planner::check::<(Once,)>(&((),));
    Planner::check::<Pair>(&(WIDE, ()));
    Planner::check::<[Semaphore; 1]>(&[1]);
    Planner::check::<[Pair; 12]>(&[(); 12].map(|()| (WIDE, ())));
    type Nested = ([[RwLock<[Wide; 9]>; 2]; 3], (Event, (Pair, [Latch; 2])), Counter);
    let wide = [[[WIDE; 9]; 2]; 3];
    Planner::check::<Nested>(&(wide, (Reset::Manual, ((WIDE, ()), [2, 3])), 4));
    for count in [1, 2, 1_000] {
        Planner::check::<Box<[Semaphore]>>(&(0..count).collect());
        Planner::check::<Box<[Pair]>>(&(0..count).map(|_| (WIDE, ())).collect());
        Planner::check::<Box<[[Mutex<u8>; 3]]>>(&(0..count).map(|_| [1, 2, 3]).collect());
    }
}

#[test]
fn fingerprints_differ_by_types_order_and_numbers() {
    let mut all = vec![
        Planner::fingerprint::<Mutex<u64>>(0),
        Planner::fingerprint::<Mutex<i64>>(0),
        Planner::fingerprint::<RwLock<u64>>(0),
        // The kind of an object is in its header, that of a member in the text.
        Planner::fingerprint::<(Barrier,)>(0),
        Planner::fingerprint::<(Latch,)>(0),
        Planner::fingerprint::<(ReentrantMutex<u64>,)>(0),
        Planner::fingerprint::<(Mutex<u64>,)>(0),
        Planner::fingerprint::<[Mutex<u64>; 1]>(0),
        Planner::fingerprint::<[Mutex<u64>; 2]>(0),
        Planner::fingerprint::<(Mutex<u64>, Mutex<u64>)>(0),
        Planner::fingerprint::<(Mutex<u64>, Condvar)>(0),
        Planner::fingerprint::<(Condvar, Mutex<u64>)>(0),
        Planner::fingerprint::<Box<[Mutex<u64>]>>(3),
        Planner::fingerprint::<Box<[Mutex<u64>]>>(4),
    ];
    all.sort_unstable();
    let count = all.len();
    all.dedup();
    assert_eq!(all.len(), count);
    let array = Planner::fingerprint::<[Mutex<u64>; 2]>(0);
    assert_eq!(Planner::fingerprint::<Box<[Mutex<u64>]>>(2), array, "the same bytes");
}

const PARTICIPANTS: u32 = 5;
/// The words of a share, of the records of a condition, of the permits of a slot, and of the
/// records of a barrier or latch.
const SHARE: u64 = 8;
const RECORDS: u64 = 896;
const SLOT: u64 = 8;
const PARTIES: u64 = 1024;

/// The places that the parts of an object take, one after the other.
#[derive(Default)]
struct Places {
    end: u64,
    /// The words that can be slept on, and whether they are to be closed.
    words: Vec<(u64, bool)>,
}

impl Places {
    /// A line whose first word is to be closed.
    fn line(&mut self) -> &mut Self {
        self.words.push((self.end, true));
        self.bytes(128)
    }

    fn bytes(&mut self, count: u64) -> &mut Self {
        self.end = (self.end + count).next_multiple_of(128);
        self
    }

    /// Words that are slept on.
    fn sleep(&mut self, count: u64) -> &mut Self {
        let start = self.end;
        self.words.extend((0..count).map(|index| (start + 8 * index, false)));
        self.bytes(8 * count)
    }
}

/// Every word that is found in an object of this type.
fn found<P: Payload>(items: u32) -> Vec<(u64, bool)> {
    Part::wait_words(&Planner::text::<P>(PARTICIPANTS, items))
}

/// The places of one of every primitive.
fn one_of_each(places: &mut Places) {
    let [shares, slots] = [SHARE, SLOT].map(|words| words * u64::from(PARTICIPANTS));
    // A mutex, with its value in the line; a reentrant one, with its value behind it.
    places.line().line().bytes(320);
    // A lock with its value in the line, and one with its value behind it.
    places.line().sleep(shares).line().bytes(320).sleep(shares);
    // A condition, a semaphore, an event.
    places.line().sleep(RECORDS).line().bytes(8 * slots).line();
    // A barrier, a latch, a once, a counter.
    places.line().bytes(8 * PARTIES).line().bytes(8 * PARTIES).line().line();
}

type OneOfEach = (
    (Mutex<u64>, ReentrantMutex<[u64; 40]>, RwLock<u64>, RwLock<[u64; 40]>),
    (Condvar, Semaphore, Event),
    (Barrier, Latch, Once, Counter),
);

#[test]
fn every_word_that_can_be_slept_on_is_found() {
    let mut places = Places::default();
    one_of_each(&mut places);
    assert_eq!(found::<OneOfEach>(0), places.words);
}

#[test]
fn every_word_of_arrays_and_slices_is_found() {
    let mut places = Places::default();
    for _ in 0..3 {
        one_of_each(&mut places);
    }
    assert_eq!(found::<[OneOfEach; 3]>(0), places.words);
    assert_eq!(found::<Box<[OneOfEach]>>(3), places.words);
    let slice = found::<Box<[[Mutex<u64>; 4]]>>(250);
    let expected: Vec<_> = (0..1_000).map(|index| (128 * index, true)).collect();
    assert_eq!(slice, expected);
}
