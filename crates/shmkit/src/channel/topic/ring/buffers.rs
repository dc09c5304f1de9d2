//! Buffers: where large messages are, so that a publisher fills one in place, and a subscriber
//! borrows one, for as long as they want.
//!
//! ```text
//! entry      | stamp | buffer | ..          the number of a buffer + 1, 0: none
//! owners     one word for each buffer:
//!            0                              free
//!            id of a participant            it fills the buffer, or keeps it as a spare
//!            sequence << 2 | 1              the buffer is in the entry of this message
//! records    of each slot, besides those of the ring:
//!            borrower    the id of a subscriber that borrows, 0: none
//!            samples     buffer + 1 for each sample, 0: none
//! ```
//!
//! | who | does, in this order |
//! |---|---|
//! | publisher | takes a free buffer X: 0 to id; fence; is it borrowed? then 0, and the next |
//! | the same | fills X; claims n, as in the ring |
//! | puts X in | X: id to n; D = buffer of the entry; buffer = X; stamp = n complete |
//! | takes D out | D: its sequence to id; fence; is it borrowed? then 0, else it is a spare |
//! | subscriber at n | stamp is n complete?; sample = buffer; fence; was n overwritten meanwhile? |
//!
//! # Why a buffer has one owner
//!
//! Each change of an owner is an exchange from a known word, and a sequence is put in once. The
//! claimer of n alone changes the buffer of its entry, as it alone writes a value there.
//!
//! # Why no borrowed buffer is filled
//!
//! A buffer is filled by a participant that took it: free, or out of an entry. Each time it looks
//! at the samples after that, behind a full fence.
//!
//! | publisher | subscriber that borrows the buffer of n |
//! |---|---|
//! | P1 `tail`, or the stamp, says that n is overwritten | S1 sample = buffer |
//! | P2 takes the buffer | |
//! | P3 full fence | S2 full fence |
//! | P4 loads all samples | S3 was n overwritten? |
//!
//! P1 can be by another publisher: the exchanges of the owner order it before P2. The fences are in
//! one order. If S2 comes first, P4 finds the sample. Otherwise S3 finds P1, and the subscriber
//! gives the sample up. A protected message needs no S2 and S3: P1 comes after the cursor moved,
//! and the cursor moves after S1.
//!
//! A free buffer that is borrowed stays free, and the next one is taken. So no one waits for a
//! borrower.
//!
//! # If a process dies
//!
//! | where | what is left | who continues |
//! |---|---|---|
//! | with a buffer of its own | an owner that is dead | a publisher that finds no free buffer |
//! | X names n, and is not in the entry | a buffer in no entry | the same |
//! | X is in the entry, D was not taken | D names an old message, and is in no entry | the same |
//! | with a sample | a borrower that is dead | the same: its samples no longer count |
//!
//! *Lost*: a buffer names m, is not in the entry of m, and no living publisher claims m. If the
//! claimer of m lived, it named m in its record before the buffer named m, and it names another
//! message, or leaves, only after the buffer was in the entry. So the look at the entry, which
//! comes after the look at the records, finds the buffer there, or another one that came after it.
//! In that case the buffer is being taken out: the exchange decides by which of the two.
//!
//! # Bytes that were not written by these rules
//!
//! Numbers of buffers are compared with their count when they are loaded. Loops are bounded by the
//! count. The worst result is that two participants use one buffer, or that a buffer is lost.

use super::receive::{Intake, Miss};
use super::{COMPLETE, Claim, ClaimError, Entry, HasShape, LAST, Ring, WRITING, WhenFull};
use crate::channel::topic::geometry::{BORROWER, SAMPLES, SAMPLES_EACH};
use crate::memory::atomic::{AtomicU64, Ordering, fence};
use crate::memory::copy::copy_in;
use crate::participant::{Liveness, ParticipantId};

/// Where a sequence is in an owner.
const OWNER_SHIFT: u32 = 2;
/// In an owner: the buffer is in the entry of a message.
const IN_ENTRY: u64 = 1;

/// What the buffers are used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BufferCounts {
    pub(crate) free: u64,
    /// In an entry of the ring.
    pub(crate) published: u64,
    /// A publisher fills it, or keeps it as a spare.
    pub(crate) lent: u64,
    /// Samples, whatever else their buffers are used for.
    pub(crate) samples: u64,
}

/// A message that a subscriber has borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Borrowed {
    /// The number of the buffer.
    pub(crate) buffer: u32,
    /// How many bytes of it the message has.
    pub(crate) bytes: usize,
}

/// It is borrowed, as a sample of a slot.
#[derive(Debug)]
pub(crate) struct Borrowing {
    pub(crate) slot: u32,
    /// The number of the sample in the slot's record.
    pub(crate) sample: usize,
    pub(crate) borrowed: Option<Borrowed>,
}

impl Intake for Borrowing {
    fn take_in<S: HasShape>(
        &mut self,
        ring: Ring<'_, S>,
        sequence: u64,
        is_protected: bool,
    ) -> Result<(), Miss> {
        self.borrowed = Some(ring.borrow(sequence, is_protected, self.slot, self.sample)?);
        Ok(())
    }
}

impl<'a, S: HasShape> Ring<'a, S> {
    /// The number of buffers.
    pub(crate) fn buffer_count(self) -> u32 {
        self.owners.len() as u32
    }

    /// The words of a buffer, which exists.
    #[inline(always)]
    pub(crate) fn buffer(self, buffer: u32) -> &'a [AtomicU64] {
        let shape = self.shape.shape();
        let from = buffer as usize * shape.buffer_words();
        &self.buffers[from..][..shape.value_words()]
    }

    /// The number of a buffer in a word of an entry or of a sample.
    #[inline(always)]
    pub(super) fn number_in(self, word: u64) -> Option<u32> {
        let number = word.checked_sub(1)?;
        (number < self.owners.len() as u64).then_some(number as u32)
    }

    /// Takes a free buffer that nobody borrows, beginning the search at `from`. `None`: there is
    /// none.
    pub(crate) fn take_buffer(self, me: ParticipantId, from: u32) -> Option<u32> {
        let count = self.buffer_count();
        (0..count).map(|at| (from % count + at) % count).find(|buffer| {
            let owner = &self.owners[*buffer as usize];
            // ORDERING: Relaxed; the exchange decides.
            owner.load(Ordering::Relaxed) == 0
                && exchange(owner, 0, me.to_bits())
                && self.keep_unless_borrowed(me, *buffer)
        })
    }

    /// Whether a buffer that was taken is not borrowed. If it is, it is free again.
    fn keep_unless_borrowed(self, me: ParticipantId, buffer: u32) -> bool {
        // CRASH: dying here leaves a buffer of a dead participant: see `reclaim`.
        crash_point!("topic: buffer taken");
        // ORDERING: SeqCst; with the fence in `borrow`: see the module's documentation. Also
        // Release; pairs with the Acquire fence in `read`: a subscriber that copies what is stored
        // after this finds that its message was overwritten.
        fence(Ordering::SeqCst);
        if self.is_borrowed(buffer) {
            self.release_buffer(me, buffer);
            return false;
        }
        true
    }

    /// Frees a buffer of this participant.
    pub(crate) fn release_buffer(self, me: ParticipantId, buffer: u32) {
        exchange(&self.owners[buffer as usize], me.to_bits(), 0);
    }

    /// Whether a subscriber borrows a buffer. A dead subscriber counts until `reclaim`.
    fn is_borrowed(self, buffer: u32) -> bool {
        self.used_records().any(|(_, record)| {
            // ORDERING: Acquire; pairs with the Release in `begin_borrowing`: the samples are those
            // of this borrower.
            let borrows = record[BORROWER].load(Ordering::Acquire) != 0;
            let mut samples = record[SAMPLES..][..SAMPLES_EACH].iter();
            // ORDERING: Acquire; pairs with the Release in `return_sample`: what is stored to the
            // buffer from now on comes after all that the sample's owner loaded.
            borrows && samples.any(|it| it.load(Ordering::Acquire) == u64::from(buffer) + 1)
        })
    }

    /// Copies a message to a buffer that this participant took.
    #[inline]
    pub(crate) fn fill(self, buffer: u32, message: &[u8]) {
        copy_in(message, self.buffer(buffer));
    }

    /// Completes a claimed sequence with a buffer that this participant took and filled:
    /// subscribers have the message then. Returns the buffer that was in the entry, unless it is
    /// borrowed.
    ///
    /// # If a process dies
    /// Subscribers get the whole message, or the entry is skipped. A buffer that is in no entry
    /// then is found by `reclaim`.
    pub(crate) fn publish_buffer(
        self,
        mut claim: Claim,
        me: ParticipantId,
        buffer: u32,
        bytes: usize,
    ) -> Result<Option<u32>, ClaimError> {
        if self.when_full == WhenFull::Overwrite {
            self.advance(&mut claim, WRITING, super::MARKS)?;
        }
        let sequence = claim.sequence();
        // CRASH: dying from here on leaves a claimed entry, which is skipped, and a buffer that
        // names a sequence and is in no entry.
        let named = sequence << OWNER_SHIFT | IN_ENTRY;
        if !exchange(&self.owners[buffer as usize], me.to_bits(), named) {
            return Err(ClaimError::RoleLost);
        }
        crash_point!("topic: buffer names its message, not in the entry");
        // ORDERING: Release; as in `write`: a subscriber that loads what is stored after this finds
        // `tail`, or the stamp, as it was stored before it.
        fence(Ordering::Release);
        let Entry { length, value, .. } = self.entry(sequence);
        // ORDERING: Relaxed; only the claimer changes it, and it has seen the last claimer's stamp.
        let displaced = value[0].load(Ordering::Relaxed);
        if let Some(length) = length {
            let elements = bytes / self.shape.shape().element_bytes;
            // ORDERING: Relaxed; published by the stamp.
            length.store(elements as u64, Ordering::Relaxed);
        }
        // ORDERING: Release; pairs with the Acquire in `is_lost`: the cursors that this publisher
        // has seen are seen.
        value[0].store(u64::from(buffer) + 1, Ordering::Release);
        // CRASH: dying from here on leaves the displaced buffer in no entry.
        crash_point!("topic: buffer in the entry, not complete");
        self.advance(&mut claim, COMPLETE, 0)?;
        crash_point!("topic: complete, old buffer not taken");
        let taken = self.number_in(displaced).filter(|old| self.take_out(*old, sequence, me));
        // The buffer is in the entry: it no longer needs this publisher's word.
        self.set_claiming(me.slot(), 0);
        Ok(taken.filter(|old| self.keep_unless_borrowed(me, *old)))
    }

    /// Takes a buffer that was in the entry of a message until `sequence` came in.
    fn take_out(self, buffer: u32, sequence: u64, me: ParticipantId) -> bool {
        let owner = &self.owners[buffer as usize];
        // ORDERING: Relaxed; the exchange decides.
        let found = owner.load(Ordering::Relaxed);
        let before = found >> OWNER_SHIFT;
        let was_here = before < sequence && (sequence - before) & (self.depth - 1) == 0;
        found & IN_ENTRY != 0 && was_here && exchange(owner, found, me.to_bits())
    }

    /// Names the borrower of a slot, which has no sample yet.
    pub(crate) fn begin_borrowing(self, me: ParticipantId) {
        let Some(record) = self.record(me.slot()) else { return };
        for sample in &record[SAMPLES..][..SAMPLES_EACH] {
            // ORDERING: Relaxed; published by the store below.
            sample.store(0, Ordering::Relaxed);
        }
        // ORDERING: Release; pairs with the Acquire in `is_borrowed`.
        record[BORROWER].store(me.to_bits(), Ordering::Release);
    }

    /// Ends what `begin_borrowing` began.
    pub(crate) fn end_borrowing(self, me: ParticipantId) {
        if let Some(record) = self.record(me.slot()) {
            exchange(&record[BORROWER], me.to_bits(), 0);
        }
    }

    /// Borrows the message with a sequence, as the sample with the number `sample` of a slot.
    pub(super) fn borrow(
        self,
        sequence: u64,
        is_protected: bool,
        slot: u32,
        sample: usize,
    ) -> Result<Borrowed, Miss> {
        let Entry { length, value, .. } = self.entry(sequence);
        self.check_complete(sequence)?;
        // ORDERING: Relaxed; the stamp was acquired.
        let word = value[0].load(Ordering::Relaxed);
        let bytes = self.bytes_of(length)?;
        let buffer = self.number_in(word).ok_or(Miss::NoBuffer)?;
        let record = self.record(slot).ok_or(Miss::NoBuffer)?;
        let mark = &record[SAMPLES + sample];
        // ORDERING: Release; before the cursor moves. The full fence below is for a message that is
        // not protected.
        mark.store(word, Ordering::Release);
        // CRASH: dying from here on leaves a dead borrower's sample, which counts until a publisher
        // finds no free buffer.
        crash_point!("topic: sample announced");
        if is_protected {
            return Ok(Borrowed { buffer, bytes });
        }
        // ORDERING: SeqCst; with the fence in `keep_unless_borrowed`.
        fence(Ordering::SeqCst);
        if self.is_still_whole(sequence) {
            return Ok(Borrowed { buffer, bytes });
        }
        self.return_sample(slot, sample);
        Err(Miss::Overwritten)
    }

    /// Returns a sample.
    pub(crate) fn return_sample(self, slot: u32, sample: usize) {
        if let Some(mark) = self.record(slot).and_then(|record| record.get(SAMPLES + sample)) {
            // ORDERING: Release; pairs with the Acquire in `is_borrowed`.
            mark.store(0, Ordering::Release);
        }
    }

    /// Frees the buffers that dead participants hold, or that are lost, and ends the samples of the
    /// dead. This is a slow check.
    ///
    /// CRASH: dying anywhere in it leaves the rest to the next process that needs a buffer.
    pub(crate) fn reclaim(self, liveness: &impl Liveness) {
        for (slot, record) in self.used_records() {
            // ORDERING: Acquire; pairs with the Release in `begin_borrowing`.
            let borrower = record[BORROWER].load(Ordering::Acquire);
            if borrower != 0 && is_dead(borrower, Some(slot), liveness) {
                exchange(&record[BORROWER], borrower, 0);
            }
        }
        // Entries of dead claimers are skipped first: they no longer change.
        self.skip_abandoned(liveness);
        for (owner, buffer) in self.owners.iter().zip(0..) {
            // ORDERING: Acquire; pairs with the Release of the exchange by its owner: a claimer's
            // record is seen.
            let found = owner.load(Ordering::Acquire);
            let is_free_again = match found {
                0 => false,
                _ if found & IN_ENTRY != 0 => self.is_lost(buffer, found, liveness),
                _ => is_dead(found, None, liveness),
            };
            if is_free_again {
                crash_point!("topic: lost buffer found, not freed");
                exchange(owner, found, 0);
            }
        }
    }

    /// Whether a buffer names a message, is not in its entry, and never comes there.
    fn is_lost(self, buffer: u32, owner: u64, liveness: &impl Liveness) -> bool {
        let sequence = owner >> OWNER_SHIFT;
        if sequence > LAST || self.has_living_claimer(sequence, liveness) {
            return sequence > LAST;
        }
        // ORDERING: Acquire; pairs with the Release in `publish_buffer`. After the look at the
        // records: see the module's documentation.
        self.entry(sequence).value[0].load(Ordering::Acquire) != u64::from(buffer) + 1
    }

    /// The participants that have buffers, and those that borrow some: each with their number.
    pub(crate) fn buffer_holders(self) -> [Vec<(ParticipantId, u64)>; 2] {
        let mut lent: Vec<(ParticipantId, u64)> = Vec::new();
        for owner in self.owners {
            // ORDERING: Relaxed; only shown to people.
            let owner = owner.load(Ordering::Relaxed);
            let Some(id) = ParticipantId::from_bits(owner).filter(|_| owner & IN_ENTRY == 0) else {
                continue;
            };
            match lent.iter_mut().find(|it| it.0 == id) {
                Some(it) => it.1 += 1,
                None => lent.push((id, 1)),
            }
        }
        let borrowers = self.used_records().filter_map(|(slot, record)| {
            // ORDERING: Relaxed; only shown to people.
            let id = ParticipantId::from_bits(record[BORROWER].load(Ordering::Relaxed))?;
            let samples = samples_in(record);
            (id.slot() == slot && samples > 0).then_some((id, samples))
        });
        [lent, borrowers.collect()]
    }

    /// What the buffers are used for.
    pub(crate) fn buffer_counts(self) -> BufferCounts {
        let mut counts = BufferCounts::default();
        for owner in self.owners {
            // ORDERING: Relaxed; only shown to people.
            match owner.load(Ordering::Relaxed) {
                0 => counts.free += 1,
                owner if owner & IN_ENTRY != 0 => counts.published += 1,
                _ => counts.lent += 1,
            }
        }
        for (_, record) in self.used_records() {
            // ORDERING: Relaxed; only shown to people.
            if record[BORROWER].load(Ordering::Relaxed) != 0 {
                counts.samples += samples_in(record);
            }
        }
        counts
    }
}

/// How many samples a record has.
fn samples_in(record: &[AtomicU64]) -> u64 {
    let samples = record[SAMPLES..][..SAMPLES_EACH].iter();
    // ORDERING: Relaxed; only shown to people.
    samples.filter(|it| it.load(Ordering::Relaxed) != 0).count() as u64
}

/// Whether a word names a participant that is dead, or none that could be: garbage names nobody
/// that could act.
fn is_dead(word: u64, slot: Option<u32>, liveness: &impl Liveness) -> bool {
    let id = ParticipantId::from_bits(word).filter(|id| id.to_bits() == word);
    let id = id.filter(|id| slot.is_none_or(|slot| id.slot() == slot));
    id.is_none_or(|id| liveness.reap_if_dead(id))
}

/// Exchanges a word from a known value. Returns whether it had that.
fn exchange(word: &AtomicU64, from: u64, to: u64) -> bool {
    // ORDERING: AcqRel; pairs with the other exchanges of the word: what the last owner did comes
    // before what the next one does.
    word.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
}

#[cfg(all(test, loom))]
mod models;

#[cfg(all(test, not(loom)))]
#[allow(unsafe_code, reason = "a value that was read is initialised")]
mod tests;
