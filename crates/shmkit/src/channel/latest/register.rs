//! The register: the newest value, whole, for any number of readers that write nothing.
//!
//! ```text
//! latest   sequence << 2 | ASLEEP | CLOSED       sequence 0: no value yet
//! begun    4n + 2 once value n is begun          in the line of `latest`
//! slots    +-------+----------------+   sequence n lives in slot n % slots
//!          | stamp | value (words)  |   stamp 4n + 2: holds value n, complete
//!          +-------+----------------+   stamp 4n + 1: value n is being written
//! ```
//!
//! There is at most one writer at a time: the owner word sees to that, outside of here.
//!
//! | who | does, in this order |
//! |---|---|
//! | writer of n | begun; stamp = 4n + 1; fence; value; stamp = 4n + 2; latest: n - 1 to n |
//! | reader of n | stamp is 4n + 2?; value; fence; stamp is 4n + 2? |
//! | reader of the newest | latest is m; n = m + 1 if its slot holds it complete, else m; reads n |
//!
//! # Why no torn value is handed out
//!
//! Suppose that a reader of n met, in some word, a value of n + k * slots. That word was stored
//! behind the writer's release fence, and the stamp "is being written" before that. So the reader's
//! second look, behind its acquire fence, finds that stamp or a later one, never 4n + 2 again:
//! stamps only grow. The first look finding 4n + 2 (acquire) excludes words from before n.
//!
//! # Why the newest is the newest
//!
//! A value is published with the stamp "complete". `latest` follows, and the writer does not begin
//! n + 1 before `latest` is n. So when a reader loads `latest` = m, the newest is m or m + 1, also
//! if the writer stopped or died in between. A waiting reader may therefore look at one stamp only,
//! in whose line the value lies, and nobody who is told of it will find an older one.
//! If the look at slot m + 1 finds it already reused, slot m is reused too, and its stamp says so.
//! And if `begun` is still m, nobody can have been told of m + 1 before: then `latest` is enough.
//!
//! # If the writer dies
//!
//! | where | the newest is | the next writer |
//! |---|---|---|
//! | before the stamp "complete" | n - 1, as before | writes n again |
//! | behind it, before `latest` | n | moves `latest`: [`Register::resume`] |
//!
//! # Zeros
//!
//! They hold no value, at any size: `latest` asks for a stamp that differs from 0. So has a new
//! object none, and so is a forked child told none of what it finds in its parent's place.
//!
//! # Bytes that nobody wrote by these rules
//!
//! Slots are found by masking, so every sequence has one. Reads are tried a bounded number of
//! times. Any stamp and any `latest` is possible: the worst is a value nobody set, or [`Miss`].

use core::fmt;
use core::hint::cold_path;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

use crate::memory::atomic::{AtomicU64, Ordering, fence, spin_loop};
use crate::memory::copy::{copy_in, copy_out, fetch_early};
use crate::sync::sleepers::{ASLEEP, CLOSED};

const WORD: usize = size_of::<u64>();
/// In a stamp: the value is being written.
const WRITING: u64 = 1;
/// In a stamp: the value is there. The same bit as [`ASLEEP`], so that setting it in `latest` gives
/// the stamp of the newest value, whoever sleeps; and one that no slot has, if there is no value or
/// `latest` is closed.
const COMPLETE: u64 = 2;
const _: () = assert!(COMPLETE == ASLEEP && WRITING == CLOSED && BITS == COMPLETE | WRITING);
/// Where a sequence is in `latest` and in stamps.
const SHIFT: u32 = 2;
/// From one sequence to the next, there.
const STEP: u64 = 1 << SHIFT;
/// The value's word in the line behind that of the stamp, where a slot begins with a line.
const SECOND_LINE: usize = 7;
/// What is below a sequence, there.
const BITS: u64 = STEP - 1;
/// Sequences end here: 2^61 values take 70 years at one in a nanosecond.
pub(super) const LAST: u64 = 1 << 61;
/// How often something is tried while others keep changing it: reading, before [`Miss::Busy`].
pub(crate) const TRIES: u32 = if cfg!(loom) { 2 } else { 256 };

/// How large the slots for a value are, and how many there are.
///
/// | value, bytes | slots | from slot to slot, bytes |
/// |---|---|---|
/// | to 56 | 64 | the next power of two from value + 8 |
/// | to 64 | 64 | 72, which is in two lines wherever it begins |
/// | to 120 | 32 | 128 |
/// | to 4,096 | 16 | a multiple of 64 |
/// | to 262,144 | 8 | a multiple of 64 |
/// | above | 4 | a multiple of 64 |
///
/// The counts are the least powers of two with which a writer that never pauses laps a reader, on
/// processors of their own, less than once in a thousand reads. More would be colder in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    value_bytes: usize,
    stride_words: usize,
    slots: usize,
}

impl Geometry {
    /// The geometry for a value of `value_bytes`; `None` if that is too large to be addressed.
    pub(crate) const fn of(value_bytes: usize) -> Option<Self> {
        if value_bytes > isize::MAX as usize / 8 {
            return None;
        }
        let least = value_bytes.next_multiple_of(WORD) + WORD;
        let (slots, stride) = match least {
            0..=64 => (64, least.next_power_of_two()),
            65..=72 => (64, least),
            73..=128 => (32, 128),
            129..=4_104 => (16, least.next_multiple_of(64)),
            4_105..=262_152 => (8, least.next_multiple_of(64)),
            _ => (4, least.next_multiple_of(64)),
        };
        Some(Self { value_bytes, stride_words: stride / WORD, slots })
    }

    /// Bytes of a value.
    pub(crate) const fn value_bytes(self) -> usize {
        self.value_bytes
    }

    /// How many values are kept, the newest included.
    pub(crate) const fn slots(self) -> usize {
        self.slots
    }

    /// Words of all slots together.
    pub(crate) const fn words(self) -> usize {
        self.slots * self.stride_words
    }

    const fn value_words(self) -> usize {
        self.value_bytes.div_ceil(WORD)
    }
}

/// What knows a geometry: a variable, or a type, with which every index is a constant.
pub(crate) trait Shape: Copy {
    fn geometry(self) -> Geometry;
}

impl Shape for Geometry {
    #[inline(always)]
    fn geometry(self) -> Geometry {
        self
    }
}

/// The geometry for values of a type, as a constant.
///
/// INVARIANT: it goes with handles only that were compared with the type.
pub(crate) struct Of<T>(PhantomData<fn() -> T>);

impl<T> Of<T> {
    /// # Safety
    /// It is used only with the words of an object whose values have the type's size.
    #[allow(unsafe_code, reason = "indices are not compared with the object again")]
    pub(crate) const unsafe fn compared() -> Self {
        Self(PhantomData)
    }
}

impl<T> fmt::Debug for Of<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::any::type_name::<T>())
    }
}

impl<T> Clone for Of<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Of<T> {}

impl<T> Shape for Of<T> {
    #[inline(always)]
    fn geometry(self) -> Geometry {
        const { Geometry::of(size_of::<T>()).expect("a value this large cannot be addressed") }
    }
}

/// What a look at the register tells, without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Newest {
    /// The newest value's sequence: the first is 1, and 0 means that there is none.
    pub sequence: u64,
    /// The object was retired: nothing will follow.
    pub closed: bool,
}

/// Why there is no value to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Miss {
    /// There is no value yet, or not yet this one.
    Empty,
    /// The object was retired.
    Closed,
    /// A newer value took this one's slot.
    Overwritten,
    /// The writer was faster in each of many tries.
    Busy,
    /// `latest` names a value that its slot has never held.
    Corrupt,
}

/// What was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    /// Its sequence.
    pub sequence: u64,
    /// Someone announced that he sleeps on `latest`, and is to be woken.
    pub asleep: bool,
}

impl Published {
    /// What was in `latest` before, but for the marks.
    pub(crate) fn replaced(self) -> u64 {
        (self.sequence - 1) << SHIFT
    }
}

/// Why a value could not be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The object was retired. The value may have been seen nevertheless.
    Closed,
    /// Someone else published meanwhile: this writer is no longer the one.
    RoleLost,
    /// `latest` is beyond all sequences, or changes all the time.
    Corrupt,
}

/// The register over its words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Register<'a, S: Shape = Geometry> {
    latest: &'a AtomicU64,
    begun: &'a AtomicU64,
    /// INVARIANT: exactly the words of the geometry.
    slots: &'a [AtomicU64],
    shape: S,
}

impl<'a, S: Shape> Register<'a, S> {
    /// A register over its words and the first of `slots`; `None` if those are too few.
    #[inline(always)]
    pub(crate) fn new(
        latest: &'a AtomicU64,
        begun: &'a AtomicU64,
        slots: &'a [AtomicU64],
        shape: S,
    ) -> Option<Self> {
        // INVARIANT: exactly the words of the geometry.
        Some(Self { latest, begun, slots: slots.get(..shape.geometry().words())?, shape })
    }

    /// The newest sequence, and whether more can follow.
    #[inline]
    pub(crate) fn newest(self) -> Newest {
        // ORDERING: Acquire; pairs with the exchange in `advance`: the slot's stamp is seen too.
        let latest = self.latest.load(Ordering::Acquire);
        let next = (latest & !BITS).wrapping_add(STEP) | COMPLETE;
        let ahead = u64::from(self.stamp(next) == next);
        Newest { sequence: (latest >> SHIFT) + ahead, closed: latest & CLOSED != 0 }
    }

    /// Whether `latest` can be what it is: its value is complete, or it was moved meanwhile.
    pub(crate) fn is_sound(self) -> bool {
        // ORDERING: Acquire; pairs with the exchange in `advance`: the slot's stamp is seen too.
        let latest = self.latest.load(Ordering::Acquire) & !BITS;
        if latest == 0 || latest >> SHIFT <= LAST && self.stamp(latest) == latest | COMPLETE {
            return true;
        }
        // ORDERING: Relaxed; another look at the same word, behind the acquire in `stamp`.
        self.latest.load(Ordering::Relaxed) & !BITS != latest
    }

    /// Copies the newest value into `into` if that goes well at once, as it mostly does.
    ///
    /// A small `into` can stay in processor registers, so long as nobody else is handed it.
    ///
    /// # Panics
    /// If `into` is not as long as a value.
    #[inline(always)]
    pub(crate) fn try_newest(self, into: &mut [MaybeUninit<u8>]) -> bool {
        // ORDERING: Acquire; pairs with the exchange in `advance`: the slot's stamp is seen too.
        let mut stamp = self.latest.load(Ordering::Acquire) | COMPLETE;
        // ORDERING: Relaxed; whoever was told of a value sees that it was begun, since that came
        // before it was complete.
        if self.begun.load(Ordering::Relaxed) != stamp {
            cold_path();
            let next = stamp.wrapping_add(STEP);
            if self.stamp(next) == next {
                stamp = next;
            }
        }
        let copied = self.copy_value(stamp, into);
        if !copied {
            retries::count();
        }
        copied
    }

    /// Copies the newest value into `into`, which then is initialised, and returns its sequence.
    ///
    /// # Panics
    /// If `into` is not as long as a value.
    pub(crate) fn read_newest(self, into: &mut [MaybeUninit<u8>]) -> Result<u64, Miss> {
        let mut stuck = 0;
        for _ in 0..TRIES {
            let newest = self.newest();
            match self.read(newest.sequence, into) {
                _ if newest.closed => return Err(Miss::Closed),
                _ if newest.sequence == 0 => return Err(Miss::Empty),
                Ok(()) => return Ok(newest.sequence),
                // The writer went on meanwhile. If it did not, `latest` lies.
                Err(_) if self.newest() == newest => stuck += 1,
                Err(_) => {}
            }
            retries::count();
            spin_loop();
        }
        Err(if stuck == TRIES { Miss::Corrupt } else { Miss::Busy })
    }

    /// Copies the value `sequence` into `into`, which then is initialised.
    ///
    /// A waiting reader may call this in a loop for the next sequence: it touches that slot only.
    /// Each look asks for the value's second line too, which then does not come after the stamp.
    ///
    /// # Panics
    /// If `into` is not as long as a value.
    #[inline(always)]
    pub(crate) fn read(self, sequence: u64, into: &mut [MaybeUninit<u8>]) -> Result<(), Miss> {
        let stamp = sequence << SHIFT | COMPLETE;
        fetch_early(self.slot(stamp).1, SECOND_LINE);
        if self.copy_value(stamp, into) {
            return Ok(());
        }
        let found = self.stamp(stamp);
        Err(if found & !BITS > stamp { Miss::Overwritten } else { Miss::Empty })
    }

    /// Publishes `value`. Only for the one writer, who then wakes those who sleep on `latest`.
    ///
    /// # If a process dies
    /// Readers keep the value before, or have this one whole.
    ///
    /// # Panics
    /// If `value` is not as long as a value.
    #[inline(always)]
    pub(crate) fn publish(self, value: &[u8]) -> Result<Published, Refusal> {
        assert!(value.len() == self.shape.geometry().value_bytes, "a value of another size");
        // ORDERING: Relaxed; only the writer moves it, and taking that role was an acquire.
        let latest = self.latest.load(Ordering::Relaxed);
        if latest & CLOSED != 0 {
            return Err(Refusal::Closed);
        }
        if latest >> SHIFT >= LAST {
            return Err(Refusal::Corrupt);
        }
        let next = (latest & !BITS) + STEP;
        let (stamp, words) = self.slot(next);
        // CRASH: dying behind this costs readers a look at the slot.
        // ORDERING: Relaxed; ordered by the release of the stamp "complete".
        self.begun.store(next | COMPLETE, Ordering::Relaxed);
        // CRASH: dying from here to the next stamp leaves the slot in writing. Readers never take
        // it; the next writer begins it anew.
        // ORDERING: Release; pairs with the Acquire in `stamp`: who sees the slot in writing also
        // sees `latest` at the sequence before.
        stamp.store(next | WRITING, Ordering::Release);
        crash_point!("latest: slot in writing");
        // ORDERING: Release; pairs with the Acquire fence in `copy_value`: whoever copied a word
        // from below finds the stamp from above.
        fence(Ordering::Release);
        write_value(value, words);
        crash_point!("latest: slot written, not complete");
        // ORDERING: Release; pairs with the Acquire in `stamp`: the value is seen with it.
        stamp.store(next | COMPLETE, Ordering::Release);
        crash_point!("latest: slot complete, latest not moved");
        // CRASH: dying here leaves `latest` one behind. Readers look ahead; the next writer moves
        // it.
        self.advance(latest)
    }

    /// Moves `latest` on from `from` to the next sequence.
    #[inline(always)]
    fn advance(self, mut from: u64) -> Result<Published, Refusal> {
        let next = (from & !BITS) + STEP;
        for _ in 0..TRIES {
            if from & CLOSED != 0 {
                return Err(Refusal::Closed);
            }
            if from & !BITS != next - STEP {
                return Err(Refusal::RoleLost);
            }
            // ORDERING: Release; pairs with the Acquire in `newest`, `try_newest` and `resume`: the
            // slot's stamp is seen too.
            let moved =
                self.latest.compare_exchange(from, next, Ordering::Release, Ordering::Relaxed);
            match moved {
                Ok(_) => {
                    return Ok(Published { sequence: next >> SHIFT, asleep: from & ASLEEP != 0 });
                }
                // Who goes to sleep changes it, too: once before each change.
                Err(found) => from = found,
            }
        }
        Err(Refusal::Corrupt)
    }

    /// Completes what a dead writer left: to be called by the one who takes its place, before the
    /// first [`publish`](Self::publish). Returns what was published by that.
    pub(crate) fn resume(self) -> Option<Published> {
        // ORDERING: Acquire; pairs with the exchange in `advance`.
        let latest = self.latest.load(Ordering::Acquire);
        let next = (latest & !BITS).wrapping_add(STEP) | COMPLETE;
        let complete = latest >> SHIFT < LAST && self.stamp(next) == next;
        if complete { self.advance(latest).ok() } else { None }
    }

    /// The sequence whose value is half-written: by a writer at work, or by one that died there.
    pub(crate) fn half_written(self) -> Option<u64> {
        // ORDERING: Acquire; pairs with the exchange in `advance`.
        let latest = self.latest.load(Ordering::Acquire);
        let next = (latest & !BITS).wrapping_add(STEP);
        (self.stamp(next) == next | WRITING).then_some(next >> SHIFT)
    }

    /// Retires the register: nothing can be published, and readers are told. Sleepers on `latest`
    /// are to be woken afterwards.
    #[cfg(test)]
    pub(crate) fn close(self) {
        // ORDERING: Release; pairs with the Acquire in `newest`.
        self.latest.fetch_or(CLOSED, Ordering::Release);
    }

    /// Whether all of the value with the stamp "complete" `stamp` was copied.
    #[inline(always)]
    fn copy_value(self, stamp: u64, into: &mut [MaybeUninit<u8>]) -> bool {
        assert!(into.len() == self.shape.geometry().value_bytes, "a value of another size");
        let (found, words) = self.slot(stamp);
        // ORDERING: Acquire; pairs with the Release of the stamp "complete" in `publish`.
        if found.load(Ordering::Acquire) != stamp {
            return false;
        }
        copy_out(words, into);
        // ORDERING: Acquire; pairs with the Release fence in `publish`, which lies between the
        // stamp "is being written" and the words of that value.
        fence(Ordering::Acquire);
        // ORDERING: Relaxed; ordered by the fence above.
        found.load(Ordering::Relaxed) == stamp
    }

    /// The stamp in the slot that `stamp` belongs to.
    #[inline(always)]
    fn stamp(self, stamp: u64) -> u64 {
        // ORDERING: Acquire; pairs with the Release stores of stamps in `publish`.
        self.slot(stamp).0.load(Ordering::Acquire)
    }

    /// Stamp and value of the slot that `stamp` belongs to: the mask makes every one good.
    #[inline(always)]
    fn slot(self, stamp: u64) -> (&'a AtomicU64, &'a [AtomicU64]) {
        let index = (stamp >> SHIFT) as usize & (self.shape.geometry().slots - 1);
        let from = index * self.shape.geometry().stride_words;
        (&self.slots[from], &self.slots[from + 1..][..self.shape.geometry().value_words()])
    }
}

/// How often a read of the newest value was overtaken by the writer, in this process.
pub(crate) mod retries {
    #[cfg(feature = "count-retries")]
    static COUNT: super::AtomicU64 = super::AtomicU64::new(0);

    #[inline(always)]
    pub(super) fn count() {
        // ORDERING: Relaxed; a figure for people.
        #[cfg(feature = "count-retries")]
        COUNT.fetch_add(1, super::Ordering::Relaxed);
    }

    /// How many there were since the process began.
    #[cfg(feature = "count-retries")]
    pub fn read_retries() -> u64 {
        // ORDERING: Relaxed; a figure for people.
        COUNT.load(super::Ordering::Relaxed)
    }
}

/// Copies the value into its slot, with a point half-way at which a test may kill the process.
#[inline(always)]
fn write_value(value: &[u8], words: &[AtomicU64]) {
    if cfg!(any(feature = "crash-points", loom)) {
        let half = words.len() / 2;
        let (first, second) = value.split_at(half * WORD);
        copy_in(first, &words[..half]);
        crash_point!("latest: slot half written");
        copy_in(second, &words[half..]);
    } else {
        copy_in(value, words);
    }
}

#[cfg(all(test, loom))]
#[allow(unsafe_code, reason = "a value that was read is initialised")]
mod models;

#[cfg(all(test, not(loom)))]
mod tests {
    #![allow(unsafe_code, reason = "a value that was read is initialised")]

    use super::*;
    use crate::memory::HeapMemory;

    const SLOTS_AT: usize = 256;

    fn with_register(bytes: usize, check: impl FnOnce(Register<'_>)) {
        let geometry = Geometry::of(bytes).unwrap();
        let memory = HeapMemory::zeroed(SLOTS_AT + geometry.words() * WORD);
        let view = memory.view();
        let slots = view.words(SLOTS_AT, geometry.words()).unwrap();
        let (latest, begun) = (view.word(0).unwrap(), view.word(8).unwrap());
        check(Register::new(latest, begun, slots, geometry).unwrap());
    }

    fn newest(register: &Register<'_>) -> Result<(u64, Vec<u8>), Miss> {
        let mut value = vec![MaybeUninit::uninit(); register.shape.geometry().value_bytes()];
        let sequence = register.read_newest(&mut value)?;
        // SAFETY: `read_newest` initialises all of it.
        let value = value.into_iter().map(|byte| unsafe { byte.assume_init() });
        Ok((sequence, value.collect()))
    }

    #[test]
    fn the_newest_value_is_read_whole_at_every_size() {
        for bytes in [0, 1, 7, 8, 9, 63, 64, 65, 1_000, 1_024, 1_025, 100_003] {
            with_register(bytes, |register| {
                assert_eq!(newest(&register), Err(Miss::Empty));
                for sequence in 1..=200_u64 {
                    let value: Vec<u8> =
                        (0..bytes).map(|at| (at as u64 * 7 + sequence) as u8).collect();
                    assert_eq!(register.publish(&value), Ok(Published { sequence, asleep: false }));
                    assert_eq!(newest(&register), Ok((sequence, value)), "{bytes} bytes");
                }
            });
        }
    }

    #[test]
    fn older_values_last_as_long_as_there_are_slots() {
        with_register(8, |register| {
            let slots = register.shape.geometry().slots() as u64;
            (1..=slots + 10).for_each(|n: u64| {
                register.publish(&n.to_le_bytes()).unwrap();
            });
            let mut into = [MaybeUninit::uninit(); 8];
            assert_eq!(register.read(10, &mut into), Err(Miss::Overwritten));
            assert_eq!(register.read(11, &mut into), Ok(()));
            // SAFETY: `read` initialised all of it.
            assert_eq!(into.map(|byte| unsafe { byte.assume_init() }), 11_u64.to_le_bytes());
            assert_eq!(register.read(slots + 10, &mut into), Ok(()));
            assert_eq!(register.read(slots + 11, &mut into), Err(Miss::Empty));
        });
    }

    #[test]
    fn a_closed_register_keeps_its_values_and_says_so() {
        with_register(8, |register| {
            register.publish(&[7; 8]).unwrap();
            register.close();
            assert_eq!(newest(&register), Err(Miss::Closed));
            assert_eq!(register.newest(), Newest { sequence: 1, closed: true });
            assert_eq!(register.read(1, &mut [MaybeUninit::uninit(); 8]), Ok(()));
            assert_eq!(register.publish(&[8; 8]), Err(Refusal::Closed));
        });
    }

    #[test]
    fn who_sleeps_is_reported_to_the_writer_once() {
        with_register(8, |register| {
            register.latest.fetch_or(ASLEEP, Ordering::Relaxed);
            assert_eq!(newest(&register), Err(Miss::Empty));
            let published = |sequence, asleep| Ok(Published { sequence, asleep });
            assert_eq!(register.publish(&[7; 8]), published(1, true));
            assert_eq!(register.publish(&[7; 8]), published(2, false));
            register.latest.fetch_or(ASLEEP, Ordering::Relaxed);
            assert_eq!(newest(&register).map(|(sequence, _)| sequence), Ok(2));
        });
    }

    #[test]
    fn a_writer_that_was_replaced_is_told() {
        with_register(8, |register| {
            register.publish(&[7; 8]).unwrap();
            assert_eq!(register.advance(0), Err(Refusal::RoleLost));
        });
    }

    /// Stamps and sequences near which something could overflow or wrap.
    fn garbage() -> impl Iterator<Item = u64> + Clone {
        let small = 0..9_u64;
        let near = [1 << 32, LAST, LAST << SHIFT, 1 << 62, 1 << 63, u64::MAX];
        small.chain(near.into_iter().flat_map(|at| (0..9).map(move |d| (at - 4).wrapping_add(d))))
    }

    #[test]
    fn garbage_in_any_word_gives_a_value_or_a_miss() {
        for bytes in [0, 8, 64, 2_000] {
            with_register(bytes, |register| {
                let mut into = vec![MaybeUninit::uninit(); bytes];
                for (latest, stamp) in garbage().flat_map(|it| garbage().map(move |s| (it, s))) {
                    register.latest.store(latest, Ordering::Relaxed);
                    register.slots.iter().for_each(|word| word.store(stamp, Ordering::Relaxed));
                    let _ = register.read_newest(&mut into);
                    let _ = register.read(latest >> SHIFT, &mut into);
                    let _ = (register.newest(), register.half_written());
                    let _ = (register.resume(), register.publish(&vec![1; bytes]));
                }
            });
        }
    }

    #[test]
    fn a_newest_that_its_slot_never_held_is_corrupt() {
        with_register(8, |register| {
            register.latest.store(5 << SHIFT, Ordering::Relaxed);
            assert_eq!(newest(&register), Err(Miss::Corrupt));
            register.latest.store(LAST << SHIFT, Ordering::Relaxed);
            assert_eq!(register.publish(&[0; 8]), Err(Refusal::Corrupt));
        });
    }

    #[test]
    fn zeros_hold_no_value_at_any_size() {
        for bytes in [0, 8, 64, 65, 120, 121, 4_096, 262_144, 262_145] {
            with_register(bytes, |register| {
                let mut into = vec![MaybeUninit::uninit(); bytes];
                assert!(!register.try_newest(&mut into), "{bytes} bytes");
                assert_eq!(register.read_newest(&mut into), Err(Miss::Empty));
                assert_eq!(register.read(0, &mut into), Err(Miss::Empty));
            });
        }
    }

    #[test]
    fn the_geometry_changes_where_the_table_says_so() {
        for (bytes, slots, stride) in [
            (1, 64, 16),
            (8, 64, 16),
            (9, 64, 32),
            (56, 64, 64),
            (57, 64, 72),
            (64, 64, 72),
            (65, 32, 128),
            (120, 32, 128),
            (121, 16, 192),
            (4_096, 16, 4_160),
            (4_097, 8, 4_160),
            (262_144, 8, 262_208),
            (262_145, 4, 262_208),
        ] {
            let geometry = Geometry::of(bytes).unwrap();
            let found = (geometry.slots, geometry.stride_words * WORD);
            assert_eq!(found, (slots, stride), "{bytes} bytes");
        }
    }

    #[test]
    fn what_no_writer_leaves_is_not_sound() {
        with_register(8, |register| {
            assert!(register.is_sound());
            register.publish(&[7; 8]).unwrap();
            assert!(register.is_sound());
            for spoilt in [2, 70, LAST + 1, 1 << 61] {
                register.latest.store(spoilt << SHIFT, Ordering::Relaxed);
                assert!(!register.is_sound(), "{spoilt}");
            }
        });
    }

    #[test]
    fn the_geometry_holds_every_value_and_nothing_is_too_large_silently() {
        for bytes in (0..20_000).chain([1 << 20, (1 << 30) + 1]) {
            let geometry = Geometry::of(bytes).unwrap();
            assert!(geometry.slots.is_power_of_two() && geometry.slots >= 4);
            assert!((geometry.stride_words - 1) * WORD >= bytes, "{bytes}");
            assert_eq!(geometry.words(), geometry.slots * geometry.stride_words);
        }
        assert_eq!(Geometry::of(64).unwrap().words() * WORD, 64 * 72);
        assert_eq!(Geometry::of(usize::MAX), None);
        assert_eq!(Geometry::of(isize::MAX as usize), None);
    }
}
