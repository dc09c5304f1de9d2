//! The table of participants: which participants an object has, and which of them died.
//!
//! A participant that can hold something has a slot: an entry that tools show, and a liveness
//! lock, which the kernel keeps for as long as the process lives. Each held thing names its holder
//! by a [`ParticipantId`]: the slot, and the entry's generation.
//!
//! **A participant is dead if and only if its slot's entry is not active in its generation, or the
//! slot's lock is free.** The lock is taken before the entry is written and released after the
//! entry is cleared, so an active entry without a lock was left by a process that died. A slot is
//! reused at once, in the next generation. What the dead participant held still names the old
//! generation, and the next process that needs it repairs it.
//!
//! ```text
//! identity   63            32 31                          0
//!            |  generation   |          state             |
//! deaths     63            32 31          16 15           0
//!            | last counted  | of odd roles | of even ones |     the first is a generation
//! ```
//!
//! | state | meaning | who may leave it |
//! |---|---|---|
//! | [`FREE`] | no participant | the holder of the slot's lock, to active in the next generation |
//! | [`ACTIVE`] | a participant | the participant; any process, if the lock is free |
//!
//! # Why each death is counted once
//!
//! | step | who | what |
//! |---|---|---|
//! | C1 | a reaper that found the entry ACTIVE, the lock free, the entry still ACTIVE | counts |
//! | C2 | the same | exchanges ACTIVE for FREE, in the same generation |
//! | C3 | the next participant, before its entry is ACTIVE | stores the generation before its own |
//!
//! A participant that leaves clears its entry before it unlocks, so the reaper in C1 found a death,
//! and that stays true. C1 exchanges `deaths` from "the previous generation was counted last" to
//! "this generation was counted last", and adds one death. C3 establishes the former for each
//! generation. So of several reapers only one counts. A reaper that is late, or that follows a
//! reaper that died between C1 and C2, finds that the death was counted.
//!
//! Deaths are counted separately for odd and for even roles. A kind of object uses at most one odd
//! and one even role, so these are counts by role. No process holds the lock of a dead
//! participant's slot for long.

use std::mem::offset_of;

use crate::error::{Error, ErrorKind, ProgramName, Result};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::participant::{MAX_PARTICIPANTS, ParticipantId, Role};

/// The state in `identity`: no participant has the slot.
pub(crate) const FREE: u64 = 0;
/// The state in `identity`: a participant has the slot.
pub(crate) const ACTIVE: u64 = 1;

/// The word by which a slot is claimed, left and reaped.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity(u64);

impl Identity {
    const STATE: u64 = 0xffff_ffff;

    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn is(self, state: u64) -> bool {
        self.0 & Self::STATE == state
    }

    fn is_of(self, generation: u32) -> bool {
        self.is(ACTIVE) && self.generation() == generation
    }

    /// The same generation, free.
    fn freed(self) -> Self {
        Self::new(self.generation(), FREE)
    }

    /// The next generation, active.
    fn taken(self) -> Self {
        Self::new(self.generation().wrapping_add(1), ACTIVE)
    }

    fn new(generation: u32, state: u64) -> Self {
        Self(u64::from(generation) << 32 | state)
    }
}

/// The word that counts the deaths in a slot.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Deaths(u64);

impl Deaths {
    fn last_counted(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// How many participants died in the slot in a role with this number, modulo 2^16.
    fn of(self, role: u32) -> u16 {
        if role % 2 == 1 { (self.0 >> 16) as u16 } else { self.0 as u16 }
    }

    /// How many participants died in the slot, in any role.
    fn all(self) -> u64 {
        u64::from(self.of(1)) + u64::from(self.of(2))
    }

    /// Whether the death in `generation` is not counted yet.
    fn lacks(self, generation: u32) -> bool {
        self.last_counted() == generation.wrapping_sub(1)
    }

    /// The same, with `generation` as the last one that was counted.
    fn counted(self, generation: u32) -> Self {
        Self(u64::from(generation) << 32 | self.0 & 0xffff_ffff)
    }

    /// The same, with one more death: in `generation`, in a role with this number.
    fn with(self, generation: u32, role: u32) -> Self {
        let [odd, even] = [1, 2].map(|parity| {
            let more = u16::from(role % 2 == parity % 2);
            u64::from(self.of(parity).wrapping_add(more))
        });
        Self(u64::from(generation) << 32 | odd << 16 | even)
    }
}

/// A participant's entry. Tools show everything except `identity` and `deaths` to people.
#[repr(C)]
pub(crate) struct Participant {
    /// The process, in its own PID namespace.
    pub(crate) pid: u32,
    /// A number of [`Role`].
    pub(crate) role: u32,
    /// When it joined: nanoseconds since 1970.
    pub(crate) joined_unix_ns: u64,
    /// The name of its program, cut to 16 bytes.
    pub(crate) program: [u8; 16],
    /// How many of its threads wait; from bit 32: the offset in the payload of what they wait for.
    pub(crate) waiting: u64,
    /// The generation that was counted last, the deaths of odd roles, the deaths of even roles.
    pub(crate) deaths: u64,
    /// Zeros.
    pub(crate) reserved: u64,
    /// From bit 32: the generation. Below: [`FREE`] or [`ACTIVE`].
    // Last: a holder loads it each time that it locks. Its address must not have the same 12 lowest
    // bits as the first word of a line, which was just stored: processors take such a load for one
    // of that word, and wait ("4K aliasing": 1.2 of 12 ns).
    pub(crate) identity: u64,
}

const _: () = assert!(size_of::<Participant>() == 64);

const WORDS: usize = size_of::<Participant>() / 8;
const PID_AND_ROLE: usize = offset_of!(Participant, pid) / 8;
const JOINED: usize = offset_of!(Participant, joined_unix_ns) / 8;
const PROGRAM: usize = offset_of!(Participant, program) / 8;
const WAITING: usize = offset_of!(Participant, waiting) / 8;
const DEATHS: usize = offset_of!(Participant, deaths) / 8;
const IDENTITY: usize = offset_of!(Participant, identity) / 8;

/// What a participant records about itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ParticipantInfo {
    pub(crate) pid: u32,
    pub(crate) role: Role,
    pub(crate) joined_unix_ns: u64,
    pub(crate) program: [u8; 16],
}

/// What the kernel says about the liveness locks of slots.
pub(crate) trait SlotLocks {
    /// Locks the slot, which was found free; false if another process was first.
    fn try_lock(&self, slot: u32) -> Result<bool>;
    /// Unlocks it.
    fn unlock(&self, slot: u32);
    /// Returns whether any process has locked it, this one included.
    fn is_locked(&self, slot: u32) -> Result<bool>;
}

/// The entries of all slots, and their locks.
#[derive(Clone, Copy)]
pub(crate) struct Participants<'a> {
    words: &'a [AtomicU64],
    locks: &'a dyn SlotLocks,
}

impl<'a> Participants<'a> {
    /// Entries in words that are zero or were used as entries before, [`size_of::<Participant>()`]
    /// bytes each.
    pub(crate) fn new(words: &'a [AtomicU64], locks: &'a dyn SlotLocks) -> Self {
        Self { words, locks }
    }

    pub(crate) fn count(self) -> u32 {
        (self.words.len() / WORDS) as u32
    }

    fn entry(self, slot: u32) -> Option<&'a [AtomicU64]> {
        self.words.chunks_exact(WORDS).nth(slot as usize)
    }

    /// Claims a slot: a free one, or else the slot of a dead participant, which costs a system call
    /// for each slot that is taken.
    ///
    /// Only one claim at a time may use the same file description: the kernel would grant a lock
    /// that it holds again. So the lock is first queried, through the other description.
    pub(crate) fn claim(self, who: &ParticipantInfo) -> Result<ParticipantId> {
        self.claim_in(&[true, false], who)
    }

    /// Claims a free slot.
    pub(crate) fn claim_free(self, who: &ParticipantInfo) -> Result<ParticipantId> {
        self.claim_in(&[true], who)
    }

    /// Claims a slot in one of several passes over all slots, each of which may take only free
    /// ones.
    fn claim_in(self, passes: &[bool], who: &ParticipantInfo) -> Result<ParticipantId> {
        let mut contended = false;
        for &only_free in passes {
            for (slot, entry) in (0..).zip(self.words.chunks_exact(WORDS)) {
                let identity = self.identity(slot);
                if only_free && !identity.is(FREE) || self.locks.is_locked(slot)? {
                    continue;
                }
                self.free_dead(slot, identity);
                if !self.locks.try_lock(slot)? {
                    contended = true;
                    continue;
                }
                if self.identity(slot).is(ACTIVE) {
                    // Another participant took the slot and died meanwhile. It must not look alive
                    // because of this lock.
                    self.locks.unlock(slot);
                    continue;
                }
                crash_point!("slot: locked");
                return Ok(Self::enter(slot, entry, who));
            }
        }
        let count = self.count();
        if contended {
            let why = format!("other participants keep taking the free ones of {count} slots");
            return Err(Error::new(ErrorKind::Busy, why));
        }
        let mut why = format!("all {count} slots are taken: close a handle that is not needed");
        if count < MAX_PARTICIPANTS {
            why += ", or create the object with a larger `max_participants`";
        }
        Err(Error::new(ErrorKind::Full, why))
    }

    /// CRASH: dying before the last store leaves the entry as it was: free, with a free lock.
    fn enter(slot: u32, entry: &[AtomicU64], who: &ParticipantInfo) -> ParticipantId {
        // ORDERING: Relaxed; the lock excludes other claims, and a sweep stores the same value.
        let identity = Identity(entry[IDENTITY].load(Ordering::Relaxed));
        let word =
            |half: usize| u64::from_le_bytes(who.program[half..half + 8].try_into().expect("8"));
        // ORDERING: Relaxed; no process counts a death in a free slot: C3, see above.
        let deaths = Deaths(entry[DEATHS].load(Ordering::Relaxed));
        let texts = [
            u64::from(who.role as u32) << 32 | u64::from(who.pid),
            who.joined_unix_ns,
            word(0),
            word(8),
            0,
            deaths.counted(identity.generation()).0,
        ];
        for (place, text) in entry.iter().zip(texts) {
            // ORDERING: Relaxed; published by the exchange below.
            place.store(text, Ordering::Relaxed);
        }
        let taken = identity.taken();
        // ORDERING: AcqRel; pairs with the Acquire in `identity`. It is an exchange, so that it
        // comes after the exchange that freed the previous generation.
        entry[IDENTITY].swap(taken.0, Ordering::AcqRel);
        crash_point!("slot: entered");
        ParticipantId::new(slot, taken.generation())
    }

    /// Leaves a slot: the entry first, then the lock.
    pub(crate) fn leave(self, id: ParticipantId) {
        self.clear(id);
        crash_point!("slot: left but locked");
        self.locks.unlock(id.slot());
    }

    /// Clears a slot's entry, and keeps its lock.
    pub(crate) fn clear(self, id: ParticipantId) {
        let Some(entry) = self.entry(id.slot()) else { return };
        let active = Identity::new(id.generation(), ACTIVE);
        // ORDERING: Release; pairs with the Acquire in `identity`: what this participant did is
        // seen. If it lost its lock, another participant may have the slot by now.
        let (freed, order) = (active.freed(), Ordering::Release);
        let _ = entry[IDENTITY].compare_exchange(active.0, freed.0, order, Ordering::Relaxed);
    }

    /// Returns the word in which a slot's participant records how many of its threads wait.
    pub(crate) fn waiting(self, slot: u32) -> Option<&'a AtomicU64> {
        self.entry(slot).map(|entry| &entry[WAITING])
    }

    /// Returns how many threads of a slot's participant wait, and for what: its offset in the
    /// payload.
    pub(crate) fn threads_waiting(self, slot: u32) -> (u32, u32) {
        // ORDERING: Relaxed; only shown to people.
        let word = self.waiting(slot).map_or(0, |word| word.load(Ordering::Relaxed));
        (word as u32, (word >> 32) as u32)
    }

    /// Returns the identity word of the id's slot, and its value while the id has the slot.
    pub(crate) fn identity_of(self, id: ParticipantId) -> Option<(&'a AtomicU64, u64)> {
        let held = self.is_held(id).then(|| self.identity(id.slot()).0)?;
        self.entry(id.slot()).map(|entry| (&entry[IDENTITY], held))
    }

    /// Returns a slot's identity. A slot that does not exist is free.
    fn identity(self, slot: u32) -> Identity {
        // ORDERING: Acquire; pairs with the exchanges in `enter`, `clear` and `free_dead`.
        Identity(self.entry(slot).map_or(FREE, |entry| entry[IDENTITY].load(Ordering::Acquire)))
    }

    /// Returns whether the id still has its slot: a participant checks this before it acts.
    #[inline]
    pub(crate) fn is_held(self, id: ParticipantId) -> bool {
        self.identity(id.slot()).is_of(id.generation())
    }

    /// Returns whether any process has locked the slot.
    ///
    /// If the kernel returns an error, the answer is yes: nothing is taken from a participant that
    /// may be alive.
    fn is_locked(self, slot: u32) -> bool {
        self.locks.is_locked(slot).unwrap_or(true)
    }

    /// Returns whether the participant died or left.
    pub(crate) fn is_dead(self, id: ParticipantId) -> bool {
        !self.is_held(id) || !self.is_locked(id.slot())
    }

    /// Returns whether the participant died or left, and frees its slot if it died.
    pub(crate) fn reap(self, id: ParticipantId) -> bool {
        let identity = self.identity(id.slot());
        !identity.is_of(id.generation()) || self.free_unlocked(id.slot(), identity)
    }

    /// Frees a slot if its participant is dead. Returns whether no living participant has the slot.
    pub(crate) fn reap_slot(self, slot: u32) -> bool {
        let identity = self.identity(slot);
        identity.is(FREE) || self.free_unlocked(slot, identity)
    }

    /// Frees a slot with this identity if its lock is free. Returns whether the lock is free.
    fn free_unlocked(self, slot: u32, identity: Identity) -> bool {
        let is_free = !self.is_locked(slot);
        if is_free {
            self.free_dead(slot, identity);
        }
        is_free
    }

    /// Frees the slots of dead participants. It checks at most `limit` taken slots, from `first`
    /// on. Returns how many it freed.
    ///
    /// Two sweeps at once are safe: each word changes by one compare-exchange.
    pub(crate) fn sweep(self, first: u32, limit: u32) -> u32 {
        let count = self.count();
        let mut freed = 0;
        let taken = (0..count).map(|step| (first % count + step) % count).filter_map(|slot| {
            let identity = self.identity(slot);
            identity.is(ACTIVE).then_some((slot, identity))
        });
        for (slot, identity) in taken.take(limit as usize) {
            if !self.is_locked(slot) {
                freed += u32::from(self.free_dead(slot, identity));
            }
        }
        freed
    }

    /// Frees a slot whose lock was found free after its identity was loaded. False if it did not.
    fn free_dead(self, slot: u32, identity: Identity) -> bool {
        // A participant that left cleared the entry before it unlocked.
        if !identity.is(ACTIVE) || self.identity(slot) != identity {
            return false;
        }
        let Some(entry) = self.entry(slot) else { return false };
        Self::count_death(entry, identity.generation());
        // CRASH: dying here leaves the slot to the next reaper, which finds that the death was
        // counted.
        crash_point!("slot: death counted, not freed");
        // ORDERING: Release; pairs with the exchange in `enter`: the next participant finds the
        // death counted. Its generation differs, so a late reaper does not free its slot.
        let (freed, order) = (identity.freed().0, Ordering::Release);
        entry[IDENTITY].compare_exchange(identity.0, freed, order, Ordering::Relaxed).is_ok()
    }

    /// Counts the death in a generation, unless it is already counted.
    fn count_death(entry: &[AtomicU64], generation: u32) {
        // ORDERING: Acquire; pairs with the exchange below, and comes before the role: if a
        // successor has written its own, the exchange fails.
        let deaths = Deaths(entry[DEATHS].load(Ordering::Acquire));
        if deaths.lacks(generation) {
            let counted = deaths.with(generation, Self::role_number(entry));
            let order = Ordering::AcqRel;
            // ORDERING: AcqRel; pairs with the load above. If it fails, another process counted it.
            let _ = entry[DEATHS].compare_exchange(deaths.0, counted.0, order, Ordering::Relaxed);
        }
    }

    fn role_number(entry: &[AtomicU64]) -> u32 {
        // ORDERING: Acquire; later loads return no older values.
        (entry[PID_AND_ROLE].load(Ordering::Acquire) >> 32) as u32
    }

    fn counted(entry: &[AtomicU64]) -> Deaths {
        // ORDERING: Acquire; pairs with the exchange in `count_death`.
        Deaths(entry[DEATHS].load(Ordering::Acquire))
    }

    /// Returns the participant that has a slot, alive or dead, and what it recorded about itself.
    pub(crate) fn info(self, slot: u32) -> Option<(ParticipantId, ParticipantInfo)> {
        let (id, is_active, who) = self.last_info(slot)?;
        is_active.then_some((id, who))
    }

    /// Returns what the participant recorded about itself, until another participant has its slot.
    pub(crate) fn info_of(self, id: ParticipantId) -> Option<ParticipantInfo> {
        let (last, _, who) = self.last_info(id.slot())?;
        (last == id).then_some(who)
    }

    fn last_info(self, slot: u32) -> Option<(ParticipantId, bool, ParticipantInfo)> {
        let entry = self.entry(slot)?;
        let identity = self.identity(slot);
        // ORDERING: Relaxed; text that is only shown to people, which may be a successor's.
        let text = |index: usize| entry[index].load(Ordering::Relaxed);
        let mut program = [0; 16];
        program[..8].copy_from_slice(&text(PROGRAM).to_le_bytes());
        program[8..].copy_from_slice(&text(PROGRAM + 1).to_le_bytes());
        let id = ParticipantId::new(slot, identity.generation());
        let role = Role::of_number((text(PID_AND_ROLE) >> 32) as u32)?;
        let who = ParticipantInfo {
            pid: text(PID_AND_ROLE) as u32,
            role,
            joined_unix_ns: text(JOINED),
            program,
        };
        Some((id, identity.is(ACTIVE), who))
    }
}

impl ParticipantInfo {
    /// Returns the program's name.
    pub(crate) fn program(&self) -> ProgramName {
        ProgramName::new(self.program)
    }
}

mod totals;

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod models;
