//! The ends of a pipe: whether writers and readers are there, have left, or died.
//!
//! ```text
//! ended   63                               16 15            0
//!         +----------------------------------+---------------+
//!         |  writers, when a reader was told |  their deaths |
//!         +----------------------------------+---------------+
//! ```
//!
//! No number of present writers is stored: a process that is killed could not correct it. All
//! follows from words that are right at every moment:
//!
//! - the table of participants: which slots are taken, in which role; deaths, counted once each
//!   (`participant::table`);
//! - `writers` and `readers`: how many have ever joined. They only grow;
//! - `ended`: the values of `writers` and of the count of deaths when a reader was last told that
//!   the stream had ended, or that a writer had died. A reader that joins later is told only what
//!   happened after that.
//!
//! A writer takes its slot, then adds 1 to `writers`, then writes. It leaves its slot, then changes
//! the epoch of `tail`, which wakes readers. Readers do the same with `readers` and `head`.
//!
//! # What a reader finds that has read all bytes
//!
//! | a writer | its slot | `writers` | deaths | the reader |
//! |---|---|---|---|---|
//! | none since the last end | free | as in `ended` | as told | waits for the first writer |
//! | is there | taken, locked | | | waits |
//! | is joining, not yet counted | taken, locked | as before | | waits |
//! | was killed | taken, not locked | | | reaps it: then as in the next line |
//! | was killed and reaped | free, or another's | | one more | `PeerDied` |
//! | left in good order | free, or another's | one more | as told | end, if no other is there |
//!
//! A writer that is killed after it left its slot, and before it changed the epoch, left in good
//! order. A reader that sleeps finds that at its slow check.
//!
//! # Why the end is not found too early
//!
//! | step | a reader |
//! |---|---|
//! | E1 | loads `tail`, then `writers` |
//! | E2 | sees that no slot is taken by a writer, one slot after the other |
//! | E3 | sees that `writers` is that of E1 |
//! | E4 | loads the count of deaths |
//! | E5 | sees that nothing is unread, and that `tail` is that of E1 |
//!
//! A writer that `writers` counts in E1 had taken its slot before, so E2 sees it there, or sees
//! that it left. If it left, its bytes are in the stream before that, and E5 sees them: another
//! look then finds the bytes. If it was reaped, its death was counted before its slot was free, and
//! E4 has it.
//!
//! A writer can take a slot that E2 has passed. If it is counted before another one leaves, in a
//! slot that E2 comes to later, then E2 that finds this slot free also has the count: E3 sees it,
//! and there is no end. So no end is found while writers hand over to each other. If it is counted
//! later than E3, then the stream had ended before it joined, and it belongs to the next one.
//!
//! After a count that E3 sees, the reader sleeps on the `tail` of E1. No wake is lost: that writer
//! changes `tail` when it writes and when it leaves.
//!
//! What is recorded in `ended` is the count of E1. So the end that a later writer makes is still to
//! be told, to readers that join after it too.
//!
//! # What a writer finds
//!
//! | readers | the writer |
//! |---|---|
//! | none was there since the writer joined | fills the pipe, then waits |
//! | one is there | waits for room |
//! | one or more were there, none is | `BrokenPipe` |
//!
//! A writer that looks for readers does E1 to E3 with `head` and `readers`, so it does not take
//! readers that hand over to each other for gone.

use super::stream::{Garbage, Place, Stream};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::object::{Membership, OpenObject};
use crate::participant::owner::after_report;
use crate::participant::{Liveness, ParticipantId, Participants, Role};
use crate::wait::{Extent, Until};

const DEATHS: u32 = 16;

/// What is asked about the participants of the pipe.
pub(super) trait Attendance: Liveness {
    /// Returns whether a slot is taken in this role: also by a dead participant that was not
    /// reaped.
    fn has_any(&self, role: Role) -> bool;

    /// Returns how many deaths in this role were counted, modulo 2^16.
    fn deaths(&self, role: Role) -> u16;

    /// Frees the slots of dead participants in this role, as many as the check asks about. Returns
    /// the last of these participants.
    fn reap(&self, role: Role, extent: Extent<'_>) -> Option<ParticipantId>;

    /// Waits, and records meanwhile that a thread does, so that tools can show it.
    fn recorded<R>(&self, _until: Until, wait: impl FnOnce() -> R) -> R {
        wait()
    }
}

impl Attendance for OpenObject {
    fn has_any(&self, role: Role) -> bool {
        let participants = self.participants();
        let mut slots = 0..participants.count();
        slots.any(|slot| participants.info(slot).is_some_and(|(_, who)| who.role == role))
    }

    fn deaths(&self, role: Role) -> u16 {
        self.participants().counted_deaths(role)
    }

    fn reap(&self, role: Role, extent: Extent<'_>) -> Option<ParticipantId> {
        reap(self, self.participants(), role, extent)
    }
}

/// Frees the slots of dead participants in this role, as many as the check asks about. Returns the
/// last of these participants.
fn reap(
    liveness: &impl Liveness,
    participants: Participants<'_>,
    role: Role,
    extent: Extent<'_>,
) -> Option<ParticipantId> {
    let mut dead = None;
    extent.each_slot(participants.count(), |slot| {
        let taken = participants.info(slot).filter(|(_, who)| who.role == role);
        let Some((id, _)) = taken else { return false };
        if liveness.reap_if_dead(id) {
            dead = Some(id);
        }
        true
    });
    dead
}

impl Attendance for Membership {
    fn has_any(&self, role: Role) -> bool {
        self.object().has_any(role)
    }

    fn deaths(&self, role: Role) -> u16 {
        Attendance::deaths(self.object(), role)
    }

    fn reap(&self, role: Role, extent: Extent<'_>) -> Option<ParticipantId> {
        reap(self, self.object().participants(), role, extent)
    }

    fn recorded<R>(&self, until: Until, wait: impl FnOnce() -> R) -> R {
        let _recorded = self.record_wait(0, until);
        wait()
    }
}

/// What a reader was told of writers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// The value of `writers`, modulo 2^48, up to which the ends were told.
    writers: u64,
    deaths: u16,
}

impl Told {
    pub(super) fn from_word(word: u64) -> Self {
        Self { writers: word >> DEATHS, deaths: word as u16 }
    }

    pub(super) fn to_word(self) -> u64 {
        self.writers << DEATHS | u64::from(self.deaths)
    }

    /// Notes the deaths that a reader was told. The end is still to be told.
    pub(super) fn note_deaths(&mut self, told: Self) {
        self.deaths = told.deaths;
    }

    /// The later of both. A count of deaths that is less than 2^15 ahead is later.
    fn or_later(self, other: Self) -> Self {
        let is_later = other.deaths.wrapping_sub(self.deaths) < 1 << 15;
        let deaths = if is_later { other.deaths } else { self.deaths };
        Self { writers: self.writers.max(other.writers), deaths }
    }
}

/// What a reader finds that has read all bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Writers are there, none has come yet, or there are bytes.
    More,
    /// The last writer has left.
    End(Told),
    /// A writer died.
    Death(Told),
}

/// What a writer knows of readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KnownReaders {
    /// How many had joined when the writer did.
    joined: u64,
    /// Whether one was there then, or was seen since.
    had_any: bool,
    /// How many had left at the last look.
    left: u64,
    /// Whether there were readers, and none was there at the last look.
    are_gone: bool,
}

/// The words about the ends.
#[derive(Clone, Copy)]
pub(super) struct Ends<'a> {
    pub(super) writers: &'a AtomicU64,
    pub(super) readers: &'a AtomicU64,
    pub(super) readers_left: &'a AtomicU64,
    pub(super) ended: &'a AtomicU64,
}

impl Ends<'_> {
    /// Counts a writer that has taken its slot. Returns what it knows of readers.
    pub(super) fn join_writer(self, attendance: &impl Attendance) -> KnownReaders {
        // CRASH: dying before this leaves a slot whose death is counted, of a writer that wrote
        // nothing.
        // ORDERING: AcqRel; pairs with the Acquire in `look`: the slot was taken before.
        self.writers.fetch_add(1, Ordering::AcqRel);
        // ORDERING: Acquire; pairs with the exchanges in `join_reader` and `leave_reader`.
        let left = self.readers_left.load(Ordering::Acquire);
        // ORDERING: Acquire; as above.
        let joined = self.readers.load(Ordering::Acquire);
        KnownReaders { joined, had_any: attendance.has_any(Role::Reader), left, are_gone: false }
    }

    /// Counts a reader that has taken its slot. Returns what readers were told before.
    pub(super) fn join_reader(self) -> Told {
        // ORDERING: AcqRel; pairs with the Acquire in `join_writer`: the slot was taken before.
        self.readers.fetch_add(1, Ordering::AcqRel);
        // ORDERING: Acquire; pairs with the exchange in `record`.
        Told::from_word(self.ended.load(Ordering::Acquire))
    }

    /// Counts a reader that has left its slot.
    pub(super) fn leave_reader(self) {
        // ORDERING: AcqRel; pairs with the Acquire in `has_news`: the slot was left before.
        self.readers_left.fetch_add(1, Ordering::AcqRel);
    }

    /// Returns what a reader that was told this finds if nothing is unread.
    pub(super) fn look(
        self,
        stream: Stream<'_>,
        told: Told,
        attendance: &impl Attendance,
    ) -> Result<Found, Garbage> {
        let tail = stream.tail();
        let writers = self.counted_writers();
        let is_any_there = attendance.has_any(Role::Writer) || self.counted_writers() != writers;
        let deaths = attendance.deaths(Role::Writer);
        if stream.unread()? > 0 {
            return Ok(Found::More);
        }
        if deaths != told.deaths {
            // Of the others the end is still to be told.
            let ended = if is_any_there { told.writers } else { writers };
            let deaths = after_report(told.deaths, deaths);
            return Ok(Found::Death(Told { writers: ended, deaths }));
        }
        let has_ended = !is_any_there && writers != told.writers && is_same(tail, stream.tail());
        Ok(if has_ended { Found::End(Told { writers, deaths }) } else { Found::More })
    }

    /// Returns how many writers have joined, modulo 2^48.
    fn counted_writers(self) -> u64 {
        // ORDERING: Acquire; pairs with the addition in `join_writer`: the slot was taken before.
        // After a look at the slots it also pairs with the exchange that freed one: a writer that
        // was counted before that is counted here.
        self.writers.load(Ordering::Acquire) << DEATHS >> DEATHS
    }

    /// Records what a reader was told: readers that join later are not told it again.
    pub(super) fn record(self, told: Told) {
        // CRASH: dying before this leaves it to be told again, to a reader that joins later.
        let update = |word| Some(Told::from_word(word).or_later(told).to_word());
        // ORDERING: AcqRel; pairs with the Acquire in `join_reader`.
        let _ = self.ended.fetch_update(Ordering::AcqRel, Ordering::Acquire, update);
    }

    /// Returns whether a reader has left since the writer looked, or it found that none is left.
    #[inline(always)]
    pub(super) fn has_news(self, known: &KnownReaders) -> bool {
        // ORDERING: Acquire; pairs with the addition in `leave_reader`.
        known.are_gone || self.readers_left.load(Ordering::Acquire) != known.left
    }

    /// Returns whether there were readers, and there are none.
    pub(super) fn readers_are_gone(
        self,
        known: &mut KnownReaders,
        attendance: &impl Attendance,
    ) -> bool {
        // ORDERING: Acquire; as in `has_news`.
        known.left = self.readers_left.load(Ordering::Acquire);
        // Before the look at the slots, in which a reader that is counted here is, or has left.
        let joined = self.counted_readers();
        let is_any_there = attendance.has_any(Role::Reader) || self.counted_readers() != joined;
        known.had_any |= is_any_there || joined != known.joined;
        known.are_gone = known.had_any && !is_any_there;
        known.are_gone
    }

    /// Returns how many readers have joined.
    fn counted_readers(self) -> u64 {
        // ORDERING: Acquire; pairs with the addition in `join_reader`, and with the exchange that
        // freed a slot, as in `counted_writers`.
        self.readers.load(Ordering::Acquire)
    }
}

/// Whether nothing but the mark of a sleeper has changed.
fn is_same(before: Place, now: Place) -> bool {
    (before.position(), before.news()) == (now.position(), now.news())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_readers_were_told_goes_only_forwards() {
        let told = |writers, deaths| Told { writers, deaths };
        for (before, now, after) in [
            (told(1, 0), told(2, 0), told(2, 0)),
            (told(2, 0), told(1, 1), told(2, 1)),
            (told(2, 5), told(2, 4), told(2, 5)),
            (told(0, u16::MAX), told(0, 1), told(0, 1)),
        ] {
            assert_eq!(before.or_later(now), after);
            assert_eq!(Told::from_word(after.to_word()), after);
        }
    }
}
