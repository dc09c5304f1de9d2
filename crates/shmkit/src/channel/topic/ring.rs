//! The ring: every message, in one order, for every subscriber that keeps up.
//!
//! ```text
//! tail      sequence << 2 | 0 | CLOSED                    the last sequence that was claimed
//! entries   +-------+---------------+   sequence n is in entry n % depth
//!           | stamp | value (words) |   stamp  n << 4 | state << 2 | ASLEEP | CLOSED
//!           +-------+---------------+   state  0 complete, 1 being written, 2 skipped
//!                                       the value of a list begins with its length;
//!                                       a large value is in a buffer: see `buffers`
//! records   one for each slot of a participant:
//!           cursor      sequence << 3 | NUDGE | ASLEEP | CLOSED    of a subscriber: it needs no
//!                                                                  message up to this one any more
//!           subscribed  the id of the subscriber, 0: none
//!           publishing  the id of the publisher, 0: none
//!           claiming    sequence << 2: what the publisher claims, or claimed last; 0: nothing
//! ```
//!
//! | who | does, in this order |
//! |---|---|
//! | publisher | entry of n - depth is complete or skipped?; room for n?; claims n; writes n |
//! | claims n | claiming = n; tail: n - 1 to n |
//! | writes n | fence; value; stamp = n complete |
//! | the same, where messages are overwritten | stamp = n being written; then as above |
//! | subscriber at n | stamp is n complete?; value; cursor = n |
//! | the same, where n is not protected | value; fence; was n overwritten meanwhile? |
//!
//! Each change of a stamp is an exchange from a known value. A subscriber that waits for n sleeps
//! on the stamp of its entry, which is still that of n - depth. So it looks at one word only,
//! beside the value, and a subscriber that keeps up touches no word that other subscribers touch.
//!
//! # Why each message has one sequence, and each sequence one publisher
//!
//! A sequence is claimed by the exchange of `tail`, so only one publisher claims it. Its look came
//! before that, and what it found stays true: the entry of n - depth changes only by the claimer of
//! n, and room only grows.
//!
//! # Room: why no message is overwritten before a subscriber has read it
//!
//! There is room for n if no subscriber's cursor is below n - depth. A publisher keeps a *limit*,
//! below which it does not look at cursors. The limit is the least of `tail` and all cursors, plus
//! depth. Cursors only grow while a subscriber stays. So only subscribers that the publisher did
//! not see when it computed the limit can be harmed: those that joined at that time or later.
//!
//! | publisher | subscriber that joins |
//! |---|---|
//! | P1 loads `tail`: t | S1 cursor = something not above `tail`; subscribed = id |
//! | P2 full fence | S2 full fence |
//! | P3 loads `subscribed` and `cursor` of each record | S3 loads `tail`: j; cursor = j |
//!
//! The fences are in one order. If S2 comes first, P3 finds the subscriber, with a cursor that is
//! not above j. If P2 comes first, S3 loads a `tail` that is not below t. The limit is at most
//! t + depth, so no message after j is overwritten. Messages after j are all that it must get: what
//! is published after it joined is claimed after S3.
//!
//! Messages up to j are *history*. It may read those that are still there, and finds out whether
//! they were overwritten meanwhile, as in the next section.
//!
//! # Why no torn value is returned
//!
//! A protected message is not overwritten while it is read, as above. For other messages: suppose
//! that a subscriber that reads n loaded a word of the value n + k * depth. That publisher stored
//! the word after its release fence, and before the fence it moved `tail`, and where messages are
//! overwritten, the stamp. So after its acquire fence the subscriber finds the stamp changed, or
//! `tail` at n + depth or above.
//!
//! # If a publisher dies
//!
//! | where | what is left | who continues |
//! |---|---|---|
//! | before the claim | nothing | |
//! | between claim and "complete" | an entry that is not complete | a process that needs it |
//! | after it | a complete message | |
//!
//! *Abandoned*: n is claimed, its entry is neither complete nor skipped, and no living publisher's
//! `claiming` is n. Then the claimer is dead: `claiming` = n was stored before `tail` moved, so a
//! process that loads that `tail` finds it, or a later value of a publisher that goes on after it
//! completed n. In that case the exchange to "skipped" fails, because the stamp has changed. A
//! publisher that failed to claim n clears `claiming` at once. A record of a slot that was given
//! out again names the next publisher only after `claiming` is cleared.
//!
//! A publisher that lives but lost its liveness lock finds at its last exchange that its entry was
//! skipped. Until then it can harm one message of a later round, or the claim of the publisher that
//! got its slot: so a program must not close descriptors that are not its own.
//!
//! `claiming` names a candidate. So if a publisher is stopped between its store of `claiming` and
//! its exchange of `tail`, and the publisher that claimed that sequence is killed, the entry waits
//! until the stopped one goes on.
//!
//! # If a subscriber dies
//!
//! Its cursor counts until a process that it holds up finds it dead, and exchanges `subscribed`
//! from its id to 0. Then the cursor is *nudged*: a bit of it changes, which wakes the publishers
//! that sleep on it, and lets those that are about to sleep look again.
//!
//! # Why no wake is lost
//!
//! As in `wait::word`: a subscriber sleeps on a stamp, a publisher on a stamp or on a cursor, and
//! each change of these is an exchange that wakes. Where messages are overwritten, no publisher
//! waits for a cursor, and cursors are stored without an exchange.
//!
//! # Bytes that were not written by these rules
//!
//! Entries are found by a mask and records by their number, so every sequence has an entry. The
//! length of a list is loaded once, and compared with the longest. Loops are bounded. The worst
//! result is a value that no publisher sent, or an error.

mod buffers;
mod publish;
mod readiness;
mod receive;
mod records;

pub(crate) use self::buffers::Borrowing;
pub(crate) use self::publish::{Claim, ClaimError, Publishing, Refused};
pub(crate) use self::readiness::SeenGarbage;
pub(crate) use self::receive::{Ended, Intake, ReceiveError, Subscription};
pub(crate) use self::records::Cursor;
use super::geometry::{CHANGES, DROPPED, HasShape, RECORD_WORDS, Shape, TAIL, USED};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::participant::Liveness;
use crate::wait::{ASLEEP, CLOSED, WaitWord, Wake};

/// Where a sequence is in `tail`.
const TAIL_SHIFT: u32 = 2;
/// Where a sequence is in a stamp.
const STAMP_SHIFT: u32 = 4;
/// The states of an entry, in its stamp.
const STATE: u64 = 3 << 2;
const COMPLETE: u64 = 0;
const WRITING: u64 = 1 << 2;
const SKIPPED: u64 = 2 << 2;
/// The marks of a wait word.
const MARKS: u64 = ASLEEP | CLOSED;
/// The largest sequence: 2^58 messages take 9 years at one a nanosecond.
const LAST: u64 = 1 << 58;
/// How many attempts are made while other processes keep changing a word.
const TRIES: u32 = if cfg!(loom) { 4 } else { 256 };

/// What happens to a message for which there is no room, because a subscriber did not keep up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// The publisher waits: no subscriber loses a message, and the slowest subscriber sets the
    /// pace. The default.
    #[default]
    Block,
    /// The message is dropped: no subscriber gets it, and the publisher counts it.
    DropNew,
    /// It overwrites the oldest message. A subscriber that had not read that one counts it as lost.
    Overwrite,
}

impl WhenFull {
    /// Returns the words for it, as `shm` prints them.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::DropNew => "drop new",
            Self::Overwrite => "overwrite",
        }
    }
}

/// The ring over its words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ring<'a, S: HasShape = Shape> {
    /// The words of the first line.
    line: &'a [AtomicU64],
    /// [`RECORD_WORDS`] for each slot.
    records: &'a [AtomicU64],
    /// INVARIANT: exactly `depth` entries.
    entries: &'a [AtomicU64],
    /// The owner of each buffer, if messages are in buffers.
    owners: &'a [AtomicU64],
    /// INVARIANT: as many buffers as there are owners.
    buffers: &'a [AtomicU64],
    /// INVARIANT: a power of two.
    depth: u64,
    when_full: WhenFull,
    shape: S,
}

impl<'a, S: HasShape> Ring<'a, S> {
    /// A ring over its words; `None` if they are too few, or if `depth` is not a power of two.
    #[inline(always)]
    pub(crate) fn new(
        line: &'a [AtomicU64],
        records: &'a [AtomicU64],
        entries: &'a [AtomicU64],
        depth: u32,
        when_full: WhenFull,
        shape: S,
    ) -> Option<Self> {
        let words = (depth as usize).checked_mul(shape.shape().stride_words)?;
        // INVARIANT: exactly the entries, and their number is a power of two.
        let entries = entries.get(..words).filter(|_| depth.is_power_of_two())?;
        (line.len() > DROPPED).then_some(())?;
        let (owners, buffers) = (&[][..], &[][..]);
        Some(Self {
            line,
            records,
            entries,
            owners,
            buffers,
            depth: depth.into(),
            when_full,
            shape,
        })
    }

    /// The same ring, for messages in buffers; `None` if their words are too few.
    #[inline(always)]
    pub(crate) fn with_buffers(
        self,
        owners: &'a [AtomicU64],
        buffers: &'a [AtomicU64],
    ) -> Option<Self> {
        let words = owners.len().checked_mul(self.shape.shape().buffer_words())?;
        let is_numbered = u32::try_from(owners.len()).is_ok();
        // INVARIANT: exactly the buffers.
        let buffers = buffers.get(..words).filter(|_| is_numbered)?;
        Some(Self { owners, buffers, ..self })
    }

    /// The last sequence that was claimed.
    #[inline(always)]
    pub(crate) fn last(self) -> u64 {
        // ORDERING: Acquire; pairs with the exchange in `claim`: `claiming` of the claimer is seen
        // too.
        self.tail().load(Ordering::Acquire) >> TAIL_SHIFT
    }

    /// Whether the object was retired.
    pub(crate) fn is_closed(self) -> bool {
        // ORDERING: Acquire; pairs with the exchange that closes the word.
        self.tail().load(Ordering::Acquire) & CLOSED != 0
    }

    /// The number of entries.
    pub(crate) fn depth(self) -> u64 {
        self.depth
    }

    /// Whether participants can have written the tail, and the stamp of its entry.
    pub(crate) fn is_sound(self) -> bool {
        let last = self.last();
        if last > LAST {
            return false;
        }
        // ORDERING: Acquire; pairs with the exchanges of stamps.
        let found = self.stamp(last).load(Ordering::Acquire) >> STAMP_SHIFT;
        // A publisher may have gone on meanwhile.
        found == last || found == last.saturating_sub(self.depth) || self.last() != last
    }

    /// How many messages were dropped because there was no room.
    pub(crate) fn dropped(self) -> u64 {
        // ORDERING: Relaxed; only shown to people.
        self.line[DROPPED].load(Ordering::Relaxed)
    }

    /// Counts a message that was dropped.
    pub(crate) fn count_dropped(self) {
        // ORDERING: Relaxed; as above.
        self.line[DROPPED].fetch_add(1, Ordering::Relaxed);
    }

    /// How many entries are claimed, and neither complete nor skipped.
    pub(crate) fn incomplete(self) -> u64 {
        self.claimed().filter(|sequence| self.is_incomplete(*sequence)).count() as u64
    }

    /// The sequences whose entries may not be complete.
    fn claimed(self) -> std::ops::RangeInclusive<u64> {
        let last = self.last().min(LAST);
        (last + 1).saturating_sub(self.depth).max(1)..=last
    }

    /// Whether the entry of a sequence is neither complete nor skipped.
    fn is_incomplete(self, sequence: u64) -> bool {
        // ORDERING: Acquire; pairs with the exchanges of stamps.
        is_incomplete(self.stamp(sequence).load(Ordering::Acquire), sequence)
    }

    /// Skips each entry whose claimer is dead.
    ///
    /// CRASH: dying anywhere in it leaves the rest to the next process that needs an entry.
    pub(crate) fn skip_abandoned(self, liveness: &impl Liveness) {
        for sequence in self.claimed() {
            self.skip_if_abandoned(sequence, liveness);
        }
    }

    /// Skips an entry if it was claimed by a publisher that is dead. This is a slow check.
    pub(crate) fn skip_if_abandoned(self, sequence: u64, liveness: &impl Liveness) {
        // Before the records: see the proof in the module's documentation.
        if self.last() < sequence || !self.is_incomplete(sequence) {
            return;
        }
        if self.has_living_claimer(sequence, liveness) {
            return;
        }
        // CRASH: dying here leaves the entry to the next process that needs it.
        crash_point!("topic: claim found abandoned, not skipped");
        let word = self.stamp(sequence);
        for _ in 0..TRIES {
            // ORDERING: Acquire; pairs with the exchanges of stamps.
            let found = word.load(Ordering::Acquire);
            if !is_incomplete(found, sequence) || found & CLOSED != 0 {
                return;
            }
            let skipped = sequence << STAMP_SHIFT | SKIPPED;
            // ORDERING: AcqRel; pairs with the Acquire of the next look at the stamp.
            if word.change(found, skipped, Ordering::AcqRel, Wake::All).is_ok() {
                return;
            }
        }
    }

    /// The tail.
    #[inline(always)]
    fn tail(self) -> WaitWord<'a> {
        WaitWord::new(&self.line[TAIL])
    }

    /// The word that changes whenever a subscriber joins or leaves.
    #[inline(always)]
    fn changes(self) -> &'a AtomicU64 {
        &self.line[CHANGES]
    }

    /// The word that is one more than the highest slot that a participant ever had here.
    #[inline(always)]
    fn used(self) -> &'a AtomicU64 {
        &self.line[USED]
    }

    /// The words of a slot's record.
    #[inline(always)]
    fn record(self, slot: u32) -> Option<&'a [AtomicU64]> {
        let from = slot as usize * RECORD_WORDS;
        self.records.get(from..from + RECORD_WORDS)
    }

    /// The stamp of the entry of a sequence.
    #[inline(always)]
    fn stamp(self, sequence: u64) -> WaitWord<'a> {
        WaitWord::new(self.entry(sequence).stamp)
    }

    /// The entry of a sequence: by the mask, every sequence has one.
    #[inline(always)]
    fn entry(self, sequence: u64) -> Entry<'a> {
        let shape = self.shape.shape();
        let from = (sequence & (self.depth - 1)) as usize * shape.stride_words;
        let words = &self.entries[from..][..shape.used_words()];
        let length = if shape.is_list() { Some(&words[1]) } else { None };
        Entry { stamp: &words[0], length, value: &words[shape.value_at()..] }
    }
}

/// An entry of the ring.
#[derive(Clone, Copy, Debug)]
struct Entry<'a> {
    stamp: &'a AtomicU64,
    /// How many elements there are, if it is a list.
    length: Option<&'a AtomicU64>,
    /// The words of the value, or one with the number of a buffer.
    value: &'a [AtomicU64],
}

/// Whether an entry with this stamp is neither complete nor skipped for `sequence`, nor for a later
/// one.
fn is_incomplete(stamp: u64, sequence: u64) -> bool {
    let is_over = [COMPLETE, SKIPPED].contains(&(stamp & STATE));
    stamp >> STAMP_SHIFT < sequence || stamp >> STAMP_SHIFT == sequence && !is_over
}

#[cfg(all(test, loom))]
#[allow(unsafe_code, reason = "a value that was read is initialised")]
mod models;

#[cfg(all(test, not(loom)))]
#[allow(unsafe_code, reason = "a value that was read is initialised")]
mod tests;
