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
//! times. Any stamp and any `latest` is possible: the worst is a value nobody set, or a
//! [`ReadError`].

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
/// How often something is tried while others keep changing it: reading, before [`ReadError::Busy`].
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
pub(crate) enum ReadError {
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
pub(crate) enum PublishError {
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
    pub(crate) fn read_newest(self, into: &mut [MaybeUninit<u8>]) -> Result<u64, ReadError> {
        let mut stuck = 0;
        for _ in 0..TRIES {
            let newest = self.newest();
            match self.read(newest.sequence, into) {
                _ if newest.closed => return Err(ReadError::Closed),
                _ if newest.sequence == 0 => return Err(ReadError::Empty),
                Ok(()) => return Ok(newest.sequence),
                // The writer went on meanwhile. If it did not, `latest` lies.
                Err(_) if self.newest() == newest => stuck += 1,
                Err(_) => {}
            }
            retries::count();
            spin_loop();
        }
        Err(if stuck == TRIES { ReadError::Corrupt } else { ReadError::Busy })
    }

    /// Copies the value `sequence` into `into`, which then is initialised.
    ///
    /// A waiting reader may call this in a loop for the next sequence: it touches that slot only.
    /// Each look asks for the value's second line too, which then does not come after the stamp.
    ///
    /// # Panics
    /// If `into` is not as long as a value.
    #[inline(always)]
    pub(crate) fn read(self, sequence: u64, into: &mut [MaybeUninit<u8>]) -> Result<(), ReadError> {
        let stamp = sequence << SHIFT | COMPLETE;
        fetch_early(self.slot(stamp).1, SECOND_LINE);
        if self.copy_value(stamp, into) {
            return Ok(());
        }
        let found = self.stamp(stamp);
        Err(if found & !BITS > stamp { ReadError::Overwritten } else { ReadError::Empty })
    }

    /// Publishes `value`. Only for the one writer, who then wakes those who sleep on `latest`.
    ///
    /// # If a process dies
    /// Readers keep the value before, or have this one whole.
    ///
    /// # Panics
    /// If `value` is not as long as a value.
    #[inline(always)]
    pub(crate) fn publish(self, value: &[u8]) -> Result<Published, PublishError> {
        assert!(value.len() == self.shape.geometry().value_bytes, "a value of another size");
        // ORDERING: Relaxed; only the writer moves it, and taking that role was an acquire.
        let latest = self.latest.load(Ordering::Relaxed);
        if latest & CLOSED != 0 {
            return Err(PublishError::Closed);
        }
        if latest >> SHIFT >= LAST {
            return Err(PublishError::Corrupt);
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
    fn advance(self, mut from: u64) -> Result<Published, PublishError> {
        let next = (from & !BITS) + STEP;
        for _ in 0..TRIES {
            if from & CLOSED != 0 {
                return Err(PublishError::Closed);
            }
            if from & !BITS != next - STEP {
                return Err(PublishError::RoleLost);
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
        Err(PublishError::Corrupt)
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
#[allow(unsafe_code, reason = "a value that was read is initialised")]
mod tests;
