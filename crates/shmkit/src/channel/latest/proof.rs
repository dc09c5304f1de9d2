//! Values that prove themselves whole: those of an object that is on a disk.
//!
//! A file can be copied while values are set, and after a power loss the disk has pages of
//! different moments. There a stamp says nothing about the bytes beside it. So on a disk each slot
//! also has a check, and two more slots keep older values.
//!
//! ```text
//! slots    | slot 0 | slot 1 | ... | kept | kept |    a stamp and a value each
//! checks   one word for each slot: the CRC-32 of its stamp, then of the words of its value
//! kept_at  when a value was last kept, in nanoseconds since 1970
//! ```
//!
//! # Who checks what
//!
//! While processes share the pages of the file, the stamps prove all. So a reader checks only
//! values that are not newer than the last one of which it found a trace when it opened the object.
//! Any later value was set by a process that shares the pages. A check that held once holds for as
//! long as the stamp stays, since a writer changes the stamp before the value.
//!
//! # What a copy contains
//!
//! The slots alone are not enough: a writer that never pauses can overwrite each of them while it
//! is copied. So once in [`KEEP_NS`] the writer also copies the value that it set to one of two
//! slots, in turns. A copy that takes less time misses at most one of them. The time is longer than
//! Linux takes, by default, to write a changed page to its disk (35 s): so the older of the two is
//! whole there, too.
//!
//! | a writer dies | the newest whole value is |
//! |---|---|
//! | before the check, or between the check and the stamp "complete" | the one before |
//! | while it keeps a value | that value, in its own slot |
//!
//! # What the next value follows
//!
//! In a copy, `latest` and the stamps are of different moments. A value that gets a number which a
//! reader has already seen would not be news. So the next writer first moves `latest` to the
//! largest sequence of which there is a trace: [`Proof::settle`]. Its value is then the newest, by
//! the stamps and by its check.
//!
//! # Why CRC-32
//!
//! The check is against accidents. It finds each difference within 32 bits, and lets pass one in
//! 2^32 others. Only a torn value is checked by chance, at most one for each slot of a copy.

use core::mem::MaybeUninit;

use super::geometry::{FLAG_PROVED, Geometry, KEPT};
use super::records::Records;
use super::register::{
    BITS, COMPLETE, LAST, ReadError, Register, SHIFT, TRIES, WRITING, copy_slot, under_stamp,
};
use crate::memory::atomic::{AtomicU64, Ordering, fence, spin_loop};
use crate::memory::copy::copy_in;
use crate::wait::{CLOSED, Wake};

/// A value is kept if the last one was kept that long ago: 60 s.
pub(crate) const KEEP_NS: u64 = 60_000_000_000;

/// The register of an object on a disk, with its checks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proof<'a> {
    register: Register<'a>,
    /// INVARIANT: the words of the geometry's slots, and of those that keep values.
    slots: &'a [AtomicU64],
    /// INVARIANT: a check for each of these slots, and a time if there are times.
    records: Records<'a>,
    kept_at: &'a AtomicU64,
}

/// A value that its slot holds complete, by its stamp: the sequence, and the index of the slot.
type Found = (u64, usize);

/// What the check of a slot says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proved {
    Whole,
    /// The check is not that of the value.
    Torn,
    /// A writer has begun another value there.
    Overwritten,
}

/// A writer overwrote a value while it was read.
struct Overtaken;

impl<'a> Proof<'a> {
    /// Takes the slots of `register`, with those that keep values; `None` if there are too few
    /// words.
    pub(crate) fn new(
        register: Register<'a>,
        slots: &'a [AtomicU64],
        records: Records<'a>,
        kept_at: &'a AtomicU64,
    ) -> Option<Self> {
        let geometry = register.shape;
        let count = geometry.all_slots(FLAG_PROVED);
        // INVARIANT: as many words as the geometry says.
        let slots = slots.get(..count * geometry.stride_words)?;
        records.has_checks_of(count).then_some(Self { register, slots, records, kept_at })
    }

    /// The largest sequence of which there is a trace: the next value follows it.
    pub(crate) fn last(self) -> u64 {
        // ORDERING: Acquire; pairs with the exchange in `advance`.
        let latest = self.register.latest.load(Ordering::Acquire) >> SHIFT;
        let slots = self.register.shape.slots;
        let begun = |index: usize| {
            let stamp = self.stamp(index);
            let sequence = stamp >> SHIFT;
            let is_begun = stamp & BITS == WRITING && sequence as usize & (slots - 1) == index;
            // Before a value is begun, the one before it is published.
            is_begun.then(|| sequence.saturating_sub(1))
        };
        let begun = (0..slots).filter_map(begun);
        let complete = self.found().into_iter().map(|(sequence, _)| sequence);
        begun.chain(complete).filter(|it| *it <= LAST).fold(latest, u64::max)
    }

    /// The sequence of the newest whole value; 0 if there is none.
    pub(crate) fn newest_whole(self) -> u64 {
        for _ in 0..TRIES {
            match self.find_newest_whole() {
                Ok(found) => return found.map_or(0, |(sequence, _)| sequence),
                Err(Overtaken) => spin_loop(),
            }
        }
        self.register.newest().sequence
    }

    /// When the newest whole value was set, if times are recorded.
    pub(crate) fn newest_time(self) -> Result<Option<u64>, ReadError> {
        for _ in 0..TRIES {
            if self.register.newest().closed {
                return Err(ReadError::Closed);
            }
            match self.find_newest_whole() {
                Ok(Some((sequence, index))) => {
                    let mut time = None;
                    let look = || time = self.records.time(index);
                    let stamp = sequence << SHIFT | COMPLETE;
                    if under_stamp(self.slot(index).0, stamp, look).is_ok() {
                        return Ok(time);
                    }
                }
                Ok(None) if self.last() == 0 => return Err(ReadError::Empty),
                Ok(None) => return Err(ReadError::Torn),
                Err(Overtaken) => {}
            }
            spin_loop();
        }
        Err(ReadError::Busy)
    }

    fn find_newest_whole(self) -> Result<Option<Found>, Overtaken> {
        let mut found = self.found().into_iter().map(|it| (it, self.prove(it)));
        match found.find(|(_, proved)| *proved != Proved::Torn) {
            Some((found, Proved::Whole)) => Ok(Some(found)),
            Some(_) => Err(Overtaken),
            None => Ok(None),
        }
    }

    /// Copies the newest value into `into`. Values up to `until` must prove themselves. Returns
    /// whether the stamps alone prove this value and all newer ones.
    pub(crate) fn read_newest(
        self,
        until: u64,
        into: &mut [MaybeUninit<u8>],
    ) -> Result<bool, ReadError> {
        for _ in 0..TRIES {
            let (newest, found) = (self.register.newest(), self.found());
            if newest.closed {
                return Err(ReadError::Closed);
            }
            if newest.sequence > until {
                match self.register.read(newest.sequence, into) {
                    Ok(()) => return Ok(true),
                    Err(_) => continue,
                }
            }
            match self.read_first(&found, into) {
                Ok(Some(sequence)) => {
                    return Ok(sequence == newest.sequence && sequence == self.last());
                }
                Ok(None) => {}
                Err(Overtaken) => {
                    spin_loop();
                    continue;
                }
            }
            if (newest, &found) == (self.register.newest(), &self.found()) {
                let is_new = newest.sequence == 0 && found.is_empty();
                return Err(if is_new { ReadError::Empty } else { ReadError::Torn });
            }
            spin_loop();
        }
        Err(ReadError::Busy)
    }

    /// Copies the oldest whole value after `seen`, up to `until`, and returns its sequence.
    pub(crate) fn read_after(
        self,
        seen: u64,
        until: u64,
        into: &mut [MaybeUninit<u8>],
    ) -> Option<u64> {
        for _ in 0..TRIES {
            let mut found = self.found();
            found.retain(|(sequence, _)| (seen + 1..=until).contains(sequence));
            found.reverse();
            if let Ok(read) = self.read_first(&found, into) {
                return read;
            }
            spin_loop();
        }
        None
    }

    /// Moves `latest` to the last sequence of which there is a trace. Only the current writer may
    /// call it.
    ///
    /// CRASH: dying after it leaves `latest` at a value that may be torn: readers check it.
    pub(crate) fn settle(self) {
        let last = self.last();
        for _ in 0..TRIES {
            // ORDERING: Relaxed; only the writer moves it, and acquiring that role was an Acquire.
            let from = self.register.latest.load(Ordering::Relaxed);
            if from & CLOSED != 0 || from >> SHIFT >= last {
                return;
            }
            // ORDERING: Release; pairs with the Acquire in `newest`, as in `advance`.
            if self
                .register
                .latest
                .change(from, last << SHIFT, Ordering::Release, Wake::All)
                .is_ok()
            {
                return;
            }
        }
    }

    /// Keeps the value that was just published, if none was kept for a while. Only the current
    /// writer may call it.
    pub(crate) fn keep(self, sequence: u64, value: &[u8], now_ns: u64) {
        // ORDERING: Relaxed; only the writer uses it, and acquiring that role was an Acquire.
        let kept_at = self.kept_at.load(Ordering::Relaxed);
        // A clock that was set back must not stop it.
        if kept_at != 0 && now_ns.abs_diff(kept_at) < KEEP_NS {
            return;
        }
        // A slot that a dead writer left half-written, or that a copy tore, before a whole one.
        let slots = self.register.shape.slots;
        let kept = |index: &usize| {
            let sequence = self.stamp(*index) >> SHIFT;
            if self.prove((sequence, *index)) == Proved::Whole { sequence } else { 0 }
        };
        let Some(index) = (slots..slots + KEPT).min_by_key(kept) else { return };
        let (stamp, words) = self.slot(index);
        // ORDERING: Release; as in `begin`, with the same partner.
        stamp.store(sequence << SHIFT | WRITING, Ordering::Release);
        // ORDERING: Release; as in `begin`, with the same partner.
        fence(Ordering::Release);
        copy_in(value, words);
        let complete = sequence << SHIFT | COMPLETE;
        let set_at = self.records.time(sequence as usize & (slots - 1));
        self.records.store_of(index, complete, value, set_at.unwrap_or(0));
        // ORDERING: Release; as in `publish_begun`, with the same partner.
        stamp.store(complete, Ordering::Release);
        // ORDERING: Relaxed; as above.
        self.kept_at.store(now_ns, Ordering::Relaxed);
    }

    /// The values that are complete by their stamps, the newest first.
    fn found(self) -> Vec<Found> {
        let slots = self.register.shape.slots;
        let complete = |index: usize| {
            let stamp = self.stamp(index);
            let sequence = stamp >> SHIFT;
            let is_there = index >= slots || sequence as usize & (slots - 1) == index;
            let is_value = stamp & BITS == COMPLETE && (1..=LAST).contains(&sequence);
            (is_there && is_value).then_some((sequence, index))
        };
        let mut found: Vec<_> = (0..slots + KEPT).filter_map(complete).collect();
        found.sort_unstable_by(|one, other| other.cmp(one));
        found
    }

    /// Copies the first of these values that is whole, and returns its sequence. Only what is torn
    /// is passed over: behind a value that a writer overwrote meanwhile, there are newer ones.
    fn read_first(
        self,
        found: &[Found],
        into: &mut [MaybeUninit<u8>],
    ) -> Result<Option<u64>, Overtaken> {
        for &(sequence, index) in found {
            let (stamp, words) = self.slot(index);
            match self.prove((sequence, index)) {
                Proved::Torn => {}
                Proved::Overwritten => return Err(Overtaken),
                Proved::Whole => {
                    return match copy_slot(stamp, words, sequence << SHIFT | COMPLETE, into) {
                        Ok(()) => Ok(Some(sequence)),
                        Err(_) => Err(Overtaken),
                    };
                }
            }
        }
        Ok(None)
    }

    /// Compares the value in the slot with its check.
    fn prove(self, (sequence, index): Found) -> Proved {
        let expected = sequence << SHIFT | COMPLETE;
        let (stamp, words) = self.slot(index);
        if self.stamp(index) != expected {
            return Proved::Overwritten;
        }
        let is_right = self.records.is_right(index, expected, words);
        // ORDERING: Acquire; as in `check_before`: a value that is being overwritten shows its
        // stamp.
        fence(Ordering::Acquire);
        // ORDERING: Relaxed; ordered by the fence above.
        match stamp.load(Ordering::Relaxed) == expected {
            true if is_right => Proved::Whole,
            true => Proved::Torn,
            false => Proved::Overwritten,
        }
    }

    fn stamp(self, index: usize) -> u64 {
        // ORDERING: Acquire; pairs with the Release stores of stamps in `begin`, `publish_begun`
        // and `keep`.
        self.slot(index).0.load(Ordering::Acquire)
    }

    /// Stamp and value of a slot.
    fn slot(self, index: usize) -> (&'a AtomicU64, &'a [AtomicU64]) {
        let Geometry { stride_words, .. } = self.register.shape;
        let from = index * stride_words;
        (&self.slots[from], &self.slots[from + 1..][..self.register.shape.value_words()])
    }
}

#[cfg(all(test, not(loom)))]
#[allow(unsafe_code, reason = "a value that was read is initialised")]
mod tests {
    use super::super::geometry::WORD;
    use super::*;
    use crate::memory::HeapMemory;
    use crate::wait::WaitWord;

    const BYTES: usize = 13;

    /// A register with its checks, in which no value was set.
    fn with_proof(check: impl FnOnce(Proof<'_>)) {
        let geometry = Geometry::of(BYTES).unwrap();
        let checks_offset = geometry.checks_offset();
        let count = geometry.all_slots(FLAG_PROVED);
        let memory = HeapMemory::zeroed(checks_offset + count * WORD);
        let view = memory.view();
        let word = |at| view.word(at).unwrap();
        let slots = view.words(256, count * geometry.stride_words).unwrap();
        let records = Records::new(Some(view.words(checks_offset, count).unwrap()), None);
        let register = Register::new(WaitWord::new(word(0)), word(8), slots, geometry).unwrap();
        let register = register.with_records(records);
        check(Proof::new(register, slots, records, word(16)).unwrap());
    }

    fn publish(proof: Proof<'_>, from: u64, to: u64) {
        for sequence in from..=to {
            assert_eq!(proof.register.publish(&[sequence as u8; BYTES]), Ok(sequence));
        }
    }

    /// The first byte of the newest whole value.
    fn newest(proof: Proof<'_>) -> Result<u8, ReadError> {
        let mut into = [MaybeUninit::uninit(); BYTES];
        proof.read_newest(u64::MAX, &mut into)?;
        // SAFETY: `read_newest` initialised all of it.
        let bytes = into.map(|byte| unsafe { byte.assume_init() });
        assert!(bytes.iter().all(|byte| *byte == bytes[0]), "torn: {bytes:?}");
        Ok(bytes[0])
    }

    fn kept(proof: Proof<'_>) -> [u64; KEPT] {
        std::array::from_fn(|at| proof.stamp(proof.register.shape.slots + at) >> SHIFT)
    }

    fn tear(proof: Proof<'_>, index: usize) {
        proof.slot(index).1[1].fetch_xor(1, Ordering::Relaxed);
    }

    #[test]
    fn values_are_kept_in_turns_and_not_too_often() {
        with_proof(|proof| {
            publish(proof, 1, 9);
            let keep = |sequence: u64, now| proof.keep(sequence, &[sequence as u8; BYTES], now);
            keep(1, 1_000);
            keep(2, 999 + KEEP_NS);
            assert_eq!(kept(proof), [1, 0], "the last one was kept a moment ago");
            keep(3, 1_000 + KEEP_NS);
            assert_eq!(kept(proof), [1, 3]);
            keep(4, 1_000 + 2 * KEEP_NS);
            assert_eq!(kept(proof), [4, 3]);
            keep(5, 1_000);
            assert_eq!(kept(proof), [4, 5], "the clock was set back");
            tear(proof, proof.register.shape.slots + 1);
            keep(6, 1_000 + KEEP_NS);
            assert_eq!(kept(proof), [4, 6], "the other one was not whole");
        });
    }

    #[test]
    fn the_newest_whole_value_is_served_and_the_next_one_follows_the_last_trace() {
        with_proof(|proof| {
            assert_eq!((newest(proof), proof.last()), (Err(ReadError::Empty), 0));
            publish(proof, 1, 70);
            assert_eq!((newest(proof), proof.newest_whole(), proof.last()), (Ok(70), 70, 70));
            tear(proof, 70 % 64);
            tear(proof, 69 % 64);
            assert_eq!((newest(proof), proof.newest_whole(), proof.last()), (Ok(68), 68, 70));
            // A copy whose first page is older, and that was made while value 71 was written.
            proof.register.latest.atomic().store(65 << SHIFT, Ordering::Relaxed);
            proof.slot(71 % 64).0.store(71 << SHIFT | WRITING, Ordering::Relaxed);
            assert_eq!((newest(proof), proof.last()), (Ok(68), 70));
            proof.settle();
            publish(proof, 71, 71);
            assert_eq!((newest(proof), proof.last()), (Ok(71), 71));
        });
    }

    #[test]
    fn a_check_is_of_the_value_and_of_its_number() {
        with_proof(|proof| {
            publish(proof, 1, 1);
            assert_eq!(proof.prove((1, 1)), Proved::Whole);
            let (stamp, words) = proof.slot(1);
            assert!(proof.records.is_right(1, 6, words) && !proof.records.is_right(1, 2, words));
            stamp.store(65 << SHIFT | COMPLETE, Ordering::Relaxed);
            assert_ne!(proof.prove((65, 1)), Proved::Whole, "the value of another number");
            assert_eq!(newest(proof), Err(ReadError::Torn));
        });
    }

    #[test]
    fn garbage_in_any_word_gives_a_value_or_an_error() {
        with_proof(|proof| {
            for word in [0, 1, 2, 5, LAST, LAST << SHIFT, 1 << 63, u64::MAX, u64::MAX - 1] {
                proof.register.latest.atomic().store(word, Ordering::Relaxed);
                proof.slots.iter().for_each(|slot| slot.store(word, Ordering::Relaxed));
                let _ = (newest(proof), proof.last(), proof.newest_whole());
                proof.settle();
                proof.keep(word, &[1; BYTES], word);
            }
        });
    }
}

#[cfg(all(test, loom))]
#[allow(unsafe_code, reason = "a value that was read is initialised")]
mod models {
    use std::ops::RangeInclusive;

    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::wait::WaitWord;

    const GEOMETRY: Geometry = Geometry { value_bytes: 16, stride_words: 3, slots: 2 };
    const COUNT: usize = GEOMETRY.all_slots(FLAG_PROVED);

    /// All bytes of a whole value.
    fn byte_of(into: &[MaybeUninit<u8>; 16]) -> u8 {
        // SAFETY: the register initialised all of it.
        let bytes = into.map(|byte| unsafe { byte.assume_init() });
        assert!(bytes.iter().all(|byte| *byte == bytes[0]), "torn: {bytes:?}");
        bytes[0]
    }

    /// A register whose values prove themselves.
    struct ProvedWords {
        latest: AtomicU64,
        begun: AtomicU64,
        kept_at: AtomicU64,
        slots: [AtomicU64; COUNT * GEOMETRY.stride_words],
        checks: [AtomicU64; COUNT],
        times: [AtomicU64; COUNT],
    }

    impl ProvedWords {
        fn new() -> Arc<Self> {
            Arc::new(Self {
                latest: AtomicU64::new(0),
                begun: AtomicU64::new(0),
                kept_at: AtomicU64::new(0),
                slots: std::array::from_fn(|_| AtomicU64::new(0)),
                checks: std::array::from_fn(|_| AtomicU64::new(0)),
                times: std::array::from_fn(|_| AtomicU64::new(0)),
            })
        }

        /// With these values, and a thread that publishes more.
        fn being_written(
            first: RangeInclusive<u64>,
            more: RangeInclusive<u64>,
        ) -> (Arc<Self>, thread::JoinHandle<()>) {
            let words = Self::new();
            first.for_each(|sequence| words.publish(sequence));
            let writer = words.clone();
            let writer = thread::spawn(move || more.for_each(|sequence| writer.publish(sequence)));
            (words, writer)
        }

        fn proof(&self) -> Proof<'_> {
            let latest = WaitWord::new(&self.latest);
            let register = Register::new(latest, &self.begun, &self.slots, GEOMETRY);
            let records = Records::new(Some(&self.checks), Some(&self.times));
            let register = register.expect("as many words").with_records(records);
            Proof::new(register, &self.slots, records, &self.kept_at).expect("as many words")
        }

        fn publish(&self, sequence: u64) {
            let value = [sequence as u8; 16];
            assert_eq!(self.proof().register.publish(&value), Ok(sequence));
            self.proof().keep(sequence, &value, 1);
        }
    }

    #[test]
    fn loom_a_reader_that_checks_values_is_not_confused_by_a_writer() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let (words, writer) = ProvedWords::being_written(1..=1, 2..=2);
            let mut into = [MaybeUninit::uninit(); 16];
            match words.proof().read_newest(LAST, &mut into) {
                Ok(_) => assert!([1, 2].contains(&byte_of(&into))),
                Err(error) => assert_eq!(error, ReadError::Busy),
            }
            writer.join().unwrap();
            assert_eq!(words.proof().read_newest(LAST, &mut into), Ok(true));
            assert_eq!(byte_of(&into), 2);
        });
    }

    #[test]
    fn loom_a_reader_that_checks_values_returns_no_kept_one_while_a_writer_overwrites_the_newest() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(2);
        model.check(|| {
            let (words, writer) = ProvedWords::being_written(1..=2, 3..=4);
            let mut into = [MaybeUninit::uninit(); 16];
            match words.proof().read_newest(LAST, &mut into) {
                Ok(_) => assert!((2..=4).contains(&byte_of(&into)), "value 1 is kept"),
                Err(error) => assert_eq!(error, ReadError::Busy),
            }
            assert_ne!(words.proof().newest_whole(), 1, "value 1 is kept");
            writer.join().unwrap();
        });
    }
}
