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
//! There is at most one writer at a time: the owner word, outside this module, guarantees it.
//!
//! | who | does, in this order |
//! |---|---|
//! | writer of n | begun; stamp = 4n + 1; fence; value; stamp = 4n + 2; latest: n - 1 to n |
//! | writer that gives n up | begun; stamp = 4n + 1; fence; anything; begun = 4(n - 1) + 2 |
//! | reader of n | stamp is 4n + 2?; value; fence; stamp is 4n + 2? |
//! | reader of the newest | latest is m; n = m + 1 if its slot holds it complete, else m; reads n |
//!
//! # Why no torn value is returned
//!
//! Suppose that a reader of n loaded, in some word, part of the value n + k * slots. The writer
//! stored that word after its release fence, and the stamp "is being written" before that fence.
//! So the reader's second look, after its acquire fence, finds that stamp or a later one, never
//! 4n + 2 again: stamps only grow. Words from before n are excluded because the first look found
//! 4n + 2 (acquire).
//!
//! # Why the newest is the newest
//!
//! A value is published with the stamp "complete". `latest` follows, and the writer does not begin
//! n + 1 before `latest` is n. So when a reader loads `latest` = m, the newest is m or m + 1, also
//! if the writer stopped or died in between. A waiting reader may therefore look only at one stamp,
//! in the same cache line as the value. Any reader that learns of this value from that reader finds
//! this value or a newer one.
//! If the look at slot m + 1 finds it already reused, slot m is reused too, and its stamp shows it.
//! `newest` reads no value, so it then loads `latest` again.
//! And if `begun` is still m, no process can have learned of m + 1 before: then `latest` is enough.
//!
//! # If the writer dies
//!
//! | where | the newest is | the next writer |
//! |---|---|---|
//! | before the stamp "complete" | n - 1, as before | writes n again |
//! | after it, before `latest` | n | moves `latest`: [`Register::resume`] |
//!
//! # Zeros
//!
//! Zeroed memory holds no value, at any size: a reader needs a stamp that differs from 0. So a new
//! object has no value, and a forked child, which reads zeros where its parent has the object
//! mapped, finds none.
//!
//! # Bytes that were not written by these rules
//!
//! Slots are found by masking, so every sequence has a slot. Reads are attempted a bounded number
//! of times. Any stamp and any `latest` is possible: the worst result is a value that no writer
//! set, or a [`ReadError`].

mod publish;

use core::hint::cold_path;
use core::mem::MaybeUninit;

pub(crate) use self::publish::Begun;
use super::geometry::{Geometry, HasGeometry};
use super::records::Records;
use crate::memory::atomic::{AtomicU64, Ordering, fence, spin_loop};
use crate::memory::copy::{copy_out, copy_part, fetch_early};
use crate::wait::{ASLEEP, CLOSED, SleepTicket, WaitWord};

/// In a stamp: the value is being written.
pub(super) const WRITING: u64 = 1;
/// In a stamp: the value is complete. It is the same bit as [`ASLEEP`], so that setting it in
/// `latest` gives the stamp of the newest value, also while readers sleep. If there is no value or
/// `latest` is closed, it gives a stamp that no slot has.
pub(super) const COMPLETE: u64 = 2;
const _: () = assert!(COMPLETE == ASLEEP && WRITING == CLOSED && BITS == COMPLETE | WRITING);
/// Where a sequence is in `latest` and in stamps.
pub(super) const SHIFT: u32 = 2;
/// The difference of successive sequences in `latest` and in stamps.
const STEP: u64 = 1 << SHIFT;
/// The index of the value's first word in the line after the stamp's, if a slot begins with a line.
const SECOND_LINE: usize = 7;
/// The bits below the sequence in `latest` and in stamps.
pub(super) const BITS: u64 = STEP - 1;
/// `latest` and the stamp of the first value, if an object begins with one.
pub(super) const FIRST: (u64, u64) = (STEP, STEP | COMPLETE);
/// The largest sequence: 2^61 values take 70 years at one value per nanosecond.
pub(super) const LAST: u64 = 1 << 61;
/// How many attempts are made while other processes keep changing a word: for reading, before
/// [`ReadError::Busy`].
pub(crate) const TRIES: u32 = if cfg!(loom) { 2 } else { 256 };

/// What a look at the register finds, without a value.
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
    /// There is no value yet, or this value is not set yet.
    Empty,
    /// The object was retired.
    Closed,
    /// A newer value took this one's slot.
    Overwritten,
    /// The writer overwrote the value during each of many attempts.
    Busy,
    /// `latest` names a value that its slot has never held.
    Corrupt,
    /// On a disk: none of the values that are complete by their stamps is whole.
    Torn,
}

/// Why a value could not be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PublishError {
    /// The object was retired. The value may have been seen nevertheless.
    Closed,
    /// Another writer published meanwhile: this writer no longer has the role.
    RoleLost,
    /// `latest` is larger than any sequence, or another process keeps changing it.
    Corrupt,
}

/// The register over its words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Register<'a, S: HasGeometry = Geometry> {
    pub(super) latest: WaitWord<'a>,
    begun: &'a AtomicU64,
    /// INVARIANT: exactly the words of the geometry.
    slots: &'a [AtomicU64],
    /// What a writer records of each value, besides.
    records: Records<'a>,
    pub(super) shape: S,
}

impl<'a, S: HasGeometry> Register<'a, S> {
    /// A register over its words and the first of `slots`; `None` if those are too few.
    #[inline(always)]
    pub(crate) fn new(
        latest: WaitWord<'a>,
        begun: &'a AtomicU64,
        slots: &'a [AtomicU64],
        shape: S,
    ) -> Option<Self> {
        // INVARIANT: exactly the words of the geometry.
        let slots = slots.get(..shape.geometry().words())?;
        Some(Self { latest, begun, slots, records: Records::NONE, shape })
    }

    /// The same, where a writer also records this of each value.
    #[inline(always)]
    pub(crate) fn with_records(self, records: Records<'a>) -> Self {
        Self { records, ..self }
    }

    /// The same, where every change wakes if there are readers that may not write.
    #[inline(always)]
    pub(crate) fn with_read_only_peers(self, read_only_peers: bool) -> Self {
        Self { latest: self.latest.with_read_only_peers(read_only_peers), ..self }
    }

    /// The newest sequence, and whether more can follow.
    #[inline]
    pub(crate) fn newest(self) -> Newest {
        // ORDERING: Acquire; pairs with the exchange in `advance`: the slot's stamp is seen too.
        let mut latest = self.latest.load(Ordering::Acquire);
        let next = (latest & !BITS).wrapping_add(STEP) | COMPLETE;
        let found = self.stamp(next);
        if found & !BITS > next {
            cold_path();
            // The next slot is already reused, so `latest` was moved after the first load.
            // ORDERING: Acquire; as above. After the Acquire in `stamp`, so it finds that move.
            latest = self.latest.load(Ordering::Acquire);
        }
        let ahead = u64::from(found == next);
        Newest { sequence: (latest >> SHIFT) + ahead, closed: latest & CLOSED != 0 }
    }

    /// Whether `latest` is plausible: its value is complete, or `latest` was moved meanwhile.
    pub(crate) fn is_sound(self) -> bool {
        // ORDERING: Acquire; pairs with the exchange in `advance`: the slot's stamp is seen too.
        let latest = self.latest.load(Ordering::Acquire) & !BITS;
        if latest == 0 || latest >> SHIFT <= LAST && self.stamp(latest) == latest | COMPLETE {
            return true;
        }
        // ORDERING: Relaxed; another look at the same word, after the acquire in `stamp`.
        self.latest.load(Ordering::Relaxed) & !BITS != latest
    }

    /// Copies the newest value into `into` if the first attempt succeeds, as it mostly does.
    ///
    /// A small `into` can stay in processor registers, as long as no other function gets it.
    ///
    /// # Panics
    /// If `into` is not as long as a value.
    #[inline(always)]
    pub(crate) fn try_newest(self, into: &mut [MaybeUninit<u8>]) -> bool {
        // ORDERING: Acquire; pairs with the exchange in `advance`: the slot's stamp is seen too.
        let mut stamp = self.latest.load(Ordering::Acquire) | COMPLETE;
        // ORDERING: Relaxed; a thread that learned of a value sees that the value was begun, since
        // `begun` was stored before the value was complete.
        if self.begun.load(Ordering::Relaxed) != stamp {
            cold_path();
            let next = stamp.wrapping_add(STEP);
            if self.stamp(next) == next {
                stamp = next;
            }
        }
        let copied = self.copy_value(stamp, into).is_ok();
        if !copied {
            retries::count();
        }
        copied
    }

    /// Copies the newest value into `into`, which is then initialised, and returns its sequence.
    ///
    /// # Panics
    /// If `into` is not as long as a value.
    pub(crate) fn read_newest(self, into: &mut [MaybeUninit<u8>]) -> Result<u64, ReadError> {
        self.newest_by(|sequence| self.read(sequence, into).is_ok())
    }

    /// Copies the bytes of the newest value from byte `offset` on.
    ///
    /// # Panics
    /// If there are fewer bytes than `into` has.
    pub(crate) fn read_part(self, offset: usize, into: &mut [u8]) -> Result<u64, ReadError> {
        self.newest_by(|sequence| {
            let stamp = sequence << SHIFT | COMPLETE;
            let (found, words) = self.slot(stamp);
            under_stamp(found, stamp, || copy_part(words, offset, into)).is_ok()
        })
    }

    /// When the newest value was set, if times are recorded.
    pub(crate) fn newest_time(self) -> Result<Option<u64>, ReadError> {
        let mut time = None;
        self.newest_by(|sequence| {
            let stamp = sequence << SHIFT | COMPLETE;
            let index = self.index(stamp);
            under_stamp(self.slot(stamp).0, stamp, || time = self.records.time(index)).is_ok()
        })?;
        Ok(time)
    }

    /// Calls `read` with the sequence of the newest value until it returns whether it read that
    /// value, and returns the sequence.
    fn newest_by(self, mut read: impl FnMut(u64) -> bool) -> Result<u64, ReadError> {
        let mut stuck = 0;
        for _ in 0..TRIES {
            let newest = self.newest();
            match read(newest.sequence) {
                _ if newest.closed => return Err(ReadError::Closed),
                _ if newest.sequence == 0 => return Err(ReadError::Empty),
                true => return Ok(newest.sequence),
                // The writer continued meanwhile. If it did not, `latest` is wrong.
                false if self.newest() == newest => stuck += 1,
                false => {}
            }
            retries::count();
            spin_loop();
        }
        Err(if stuck == TRIES { ReadError::Corrupt } else { ReadError::Busy })
    }

    /// Copies the value `sequence` into `into`, which is then initialised.
    ///
    /// A waiting reader may call this in a loop for the next sequence: it accesses only that slot.
    /// Each look also fetches the value's second line early, so that it does not arrive after the
    /// stamp.
    ///
    /// # Panics
    /// If `into` is not as long as a value.
    #[inline(always)]
    pub(crate) fn read(self, sequence: u64, into: &mut [MaybeUninit<u8>]) -> Result<(), ReadError> {
        let stamp = sequence << SHIFT | COMPLETE;
        fetch_early(self.slot(stamp).1, SECOND_LINE);
        self.copy_value(stamp, into).map_err(|found| match found & !BITS > stamp {
            true => ReadError::Overwritten,
            false => ReadError::Empty,
        })
    }

    /// Returns whether the register is closed, and what to sleep on until it changes. Call it
    /// before the look at the slot.
    #[inline]
    pub(crate) fn ticket(self) -> (bool, SleepTicket<'a>) {
        // ORDERING: Acquire; pairs with the exchange in `advance`: the slot's stamp is seen too.
        let latest = self.latest.load(Ordering::Acquire);
        (latest & CLOSED != 0, SleepTicket::new(self.latest, latest))
    }

    /// Retires the register: nothing more can be published, and readers get `Closed`.
    #[cfg(test)]
    pub(crate) fn close(self) {
        self.latest.close();
    }

    /// Copies all of the value with the stamp "complete" `stamp`, or returns another stamp that its
    /// slot had.
    #[inline(always)]
    fn copy_value(self, stamp: u64, into: &mut [MaybeUninit<u8>]) -> Result<(), u64> {
        assert!(into.len() == self.shape.geometry().value_bytes, "a value of another size");
        let (found, words) = self.slot(stamp);
        copy_slot(found, words, stamp, into)
    }

    /// The stamp in the slot that `stamp` belongs to.
    #[inline(always)]
    fn stamp(self, stamp: u64) -> u64 {
        // ORDERING: Acquire; pairs with the Release stores of stamps in `begin` and
        // `publish_begun`.
        self.slot(stamp).0.load(Ordering::Acquire)
    }

    /// Stamp and value of the slot that `stamp` belongs to: by the mask, every stamp has a slot.
    #[inline(always)]
    fn slot(self, stamp: u64) -> (&'a AtomicU64, &'a [AtomicU64]) {
        let from = self.index(stamp) * self.shape.geometry().stride_words;
        (&self.slots[from], &self.slots[from + 1..][..self.shape.geometry().value_words()])
    }

    /// The slot that `stamp` belongs to.
    #[inline(always)]
    fn index(self, stamp: u64) -> usize {
        (stamp >> SHIFT) as usize & (self.shape.geometry().slots - 1)
    }
}

/// Copies the value of a slot if its stamp is `stamp`, or returns another stamp that it had.
///
/// It calls no closure: the compiler would not inline that into other crates, and the copy would
/// not know its length.
#[inline(always)]
pub(super) fn copy_slot(
    found: &AtomicU64,
    words: &[AtomicU64],
    stamp: u64,
    into: &mut [MaybeUninit<u8>],
) -> Result<(), u64> {
    check_before(found, stamp)?;
    copy_out(words, into);
    check_after(found, stamp)
}

/// Calls `copy`, which copies from the words of a slot, if the slot has this stamp before and after
/// it. Otherwise returns another stamp that it had.
pub(super) fn under_stamp(found: &AtomicU64, stamp: u64, copy: impl FnOnce()) -> Result<(), u64> {
    check_before(found, stamp)?;
    copy();
    check_after(found, stamp)
}

/// Refuses a slot with another stamp, before its words are copied.
#[inline(always)]
fn check_before(found: &AtomicU64, stamp: u64) -> Result<(), u64> {
    // ORDERING: Acquire; pairs with the Release of the stamp "complete" in `publish_begun`, or in
    // `keep`.
    let before = found.load(Ordering::Acquire);
    if before == stamp { Ok(()) } else { Err(before) }
}

/// Refuses the copied words of a slot if its stamp has changed meanwhile.
#[inline(always)]
fn check_after(found: &AtomicU64, stamp: u64) -> Result<(), u64> {
    // ORDERING: Acquire; pairs with the Release fence in `begin`, or in `keep`, which is between
    // the stamp "is being written" and the words of that value.
    fence(Ordering::Acquire);
    // ORDERING: Relaxed; ordered by the fence above.
    let after = found.load(Ordering::Relaxed);
    if after == stamp { Ok(()) } else { Err(after) }
}

/// How many times the writer overtook a read of the newest value, in this process.
pub(crate) mod retries {
    #[cfg(feature = "count-retries")]
    static COUNT: super::AtomicU64 = super::AtomicU64::new(0);

    #[inline(always)]
    pub(super) fn count() {
        // ORDERING: Relaxed; only shown to people.
        #[cfg(feature = "count-retries")]
        COUNT.fetch_add(1, super::Ordering::Relaxed);
    }

    /// Returns how many there were since the process began.
    #[cfg(feature = "count-retries")]
    pub fn read_retries() -> u64 {
        // ORDERING: Relaxed; only shown to people.
        COUNT.load(super::Ordering::Relaxed)
    }
}

#[cfg(all(test, loom))]
#[allow(unsafe_code, reason = "a value that was read is initialised")]
mod models;

#[cfg(all(test, not(loom)))]
#[allow(unsafe_code, reason = "a value that was read is initialised")]
mod tests;
