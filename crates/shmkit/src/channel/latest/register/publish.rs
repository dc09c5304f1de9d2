//! The writer's side of the register: begin the next value, write it, publish it or give it up.

use super::{BITS, COMPLETE, LAST, PublishError, Register, SHIFT, STEP, TRIES, WRITING};
use crate::channel::latest::geometry::{HasGeometry, WORD};
use crate::memory::atomic::{AtomicU64, Ordering, fence};
use crate::memory::copy::copy_in;
use crate::wait::{CLOSED, Wake};

/// A value that its writer has begun, and not yet published.
#[derive(Debug)]
#[must_use = "until it is published or given up, readers look at its slot each time"]
pub(crate) struct Begun {
    /// `latest` when it was begun.
    latest: u64,
}

impl Begun {
    /// Its sequence, where stamps have it.
    #[inline(always)]
    pub(super) fn next(&self) -> u64 {
        (self.latest & !BITS) + STEP
    }
}

impl<S: HasGeometry> Register<'_, S> {
    /// Publishes `value`, wakes the readers that sleep on `latest`, and returns the value's
    /// sequence. Only the current writer may call it.
    ///
    /// # If a process dies
    /// Readers keep the previous value, or have the new value whole.
    ///
    /// # Panics
    /// If `value` has a wrong length.
    #[inline(always)]
    pub(crate) fn publish(self, value: &[u8]) -> Result<u64, PublishError> {
        assert!(value.len() == self.shape.geometry().value_bytes, "a value of another size");
        let begun = self.begin()?;
        self.write(&begun, value);
        self.publish_begun(begun, value)
    }

    /// Begins the next value: from here on its slot belongs to the writer. Only the current writer
    /// may call it.
    ///
    /// # If a process dies
    /// Readers keep the previous value, and the next writer begins the same value again.
    #[inline(always)]
    pub(crate) fn begin(self) -> Result<Begun, PublishError> {
        // ORDERING: Relaxed; only the writer moves it, and acquiring that role was an Acquire.
        let latest = self.latest.load(Ordering::Relaxed);
        if latest & CLOSED != 0 {
            return Err(PublishError::Closed);
        }
        if latest >> SHIFT >= LAST {
            return Err(PublishError::Corrupt);
        }
        let begun = Begun { latest };
        let next = begun.next();
        // CRASH: dying after this costs readers an additional look at the slot.
        // ORDERING: Relaxed; ordered by the release of the stamp "complete". Pairs with the loads
        // in `try_newest` and `half_written`.
        self.begun.store(next | COMPLETE, Ordering::Relaxed);
        // CRASH: dying from here to the next stamp leaves the slot in writing. Readers never take
        // it; the next writer writes it again.
        // ORDERING: Release; pairs with the Acquire in `stamp`: a process that sees the slot in
        // writing also sees `latest` at the previous sequence.
        self.slot(next).0.store(next | WRITING, Ordering::Release);
        crash_point!("latest: slot in writing");
        // ORDERING: Release; pairs with the Acquire fence in `check_after`: a reader that copied a
        // word stored after this fence finds the stamp stored before it.
        fence(Ordering::Release);
        Ok(begun)
    }

    /// Copies `value` to the slot of the value that was begun.
    ///
    /// # Panics
    /// If `value` is longer than a value.
    #[inline(always)]
    pub(crate) fn write(self, begun: &Begun, value: &[u8]) {
        write_value(value, self.slot(begun.next()).1);
    }

    /// The byte at which the value that was begun is, from the first slot on.
    pub(crate) fn offset_of(self, begun: &Begun) -> usize {
        (self.index(begun.next()) * self.shape.geometry().stride_words + 1) * WORD
    }

    /// Publishes the value that was begun, whose slot contains `value`.
    #[inline(always)]
    pub(crate) fn publish_begun(self, begun: Begun, value: &[u8]) -> Result<u64, PublishError> {
        let next = begun.next();
        self.records.store(self.index(next), next | COMPLETE, value);
        crash_point!("latest: slot written, not complete");
        // ORDERING: Release; pairs with the Acquire in `stamp`: the value is seen with it.
        self.slot(next).0.store(next | COMPLETE, Ordering::Release);
        crash_point!("latest: slot complete, latest not moved");
        // CRASH: dying here leaves `latest` one sequence behind. Readers look one sequence ahead;
        // the next writer moves `latest`.
        self.advance(begun.latest)
    }

    /// Gives up the value that was begun: readers keep the previous one. Its slot stays in writing
    /// until the next value is begun, which is the same one.
    pub(crate) fn give_up(self, begun: Begun) {
        // CRASH: dying before this costs readers an additional look at the slot.
        // ORDERING: Relaxed; pairs with the loads in `try_newest` and `half_written`. The stamp
        // "complete" of the given-up value was never stored. A reader that learns of the value that
        // is begun next finds `begun` as `begin` of that one stored it, after this.
        self.begun.store(begun.latest & !BITS | COMPLETE, Ordering::Relaxed);
    }

    /// Moves `latest` from `from` to the next sequence, wakes the readers that sleep on it, and
    /// returns the next sequence.
    #[inline(always)]
    pub(super) fn advance(self, mut from: u64) -> Result<u64, PublishError> {
        let next = (from & !BITS) + STEP;
        for _ in 0..TRIES {
            if from & CLOSED != 0 {
                return Err(PublishError::Closed);
            }
            if from & !BITS != next - STEP {
                return Err(PublishError::RoleLost);
            }
            // ORDERING: Release; pairs with the Acquire loads of `latest`, as in `newest`,
            // `try_newest`, `ticket` and `resume_if`: the slot's stamp is seen too.
            match self.latest.change(from, next, Ordering::Release, Wake::All) {
                Ok(()) => return Ok(next >> SHIFT),
                // A reader that goes to sleep also changes it: once before each change.
                Err(found) => from = found,
            }
        }
        Err(PublishError::Corrupt)
    }

    /// Moves `latest` to a complete value of a dead writer; a half-written one is left. The next
    /// writer calls it before its first [`publish`](Self::publish). Returns the sequence that this
    /// published, if any.
    pub(crate) fn resume(self) -> Option<u64> {
        self.resume_if(|| true)
    }

    /// The same for a process that is no writer. After it has found the value, `may` says whether
    /// the dead writer still has the right to write: then the value is that writer's, and a
    /// living one cannot have begun to publish it.
    pub(crate) fn resume_if(self, may: impl FnOnce() -> bool) -> Option<u64> {
        // ORDERING: Acquire; pairs with the exchange in `advance`.
        let latest = self.latest.load(Ordering::Acquire);
        let next = (latest & !BITS).wrapping_add(STEP) | COMPLETE;
        let complete = latest >> SHIFT < LAST && self.stamp(next) == next;
        if complete && may() { self.advance(latest).ok() } else { None }
    }

    /// The sequence whose value is half-written: a writer is writing it, or died while writing it.
    pub(crate) fn half_written(self) -> Option<u64> {
        // ORDERING: Acquire; pairs with the exchange in `advance`.
        let latest = self.latest.load(Ordering::Acquire);
        let next = (latest & !BITS).wrapping_add(STEP);
        // ORDERING: Relaxed; `begun` was stored before the stamp, which `stamp` acquires. A writer
        // that gave the value up set it back.
        let is_begun = self.stamp(next) == next | WRITING
            && self.begun.load(Ordering::Relaxed) == next | COMPLETE;
        is_begun.then_some(next >> SHIFT)
    }
}

/// Copies the value into its slot, with a crash point in the middle.
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
