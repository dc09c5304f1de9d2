//! Who takes part in an object, and how the others know that one of them died.
//!
//! Whoever can hold something has a slot: an entry for people to read, and a lock that the kernel
//! keeps for as long as the process lives. What is held names its holder by a
//! [`ParticipantId`], the slot and the entry's generation.
//!
//! **A holder is dead if and only if its slot's entry is not active in that generation, or the
//! slot's lock is free.** The lock is taken before the entry is written and given up after it is
//! cleared, so an entry that is active without a lock was left by a process that died. A slot is
//! given out again at once, in the next generation; what the dead one held still names the old
//! generation, and whoever meets it repairs it.
//!
//! ```text
//! identity   63            32 31      16 15       0
//!            |  generation   |  deaths  |  state  |
//! ```
//!
//! | state | meaning | who may leave it |
//! |---|---|---|
//! | [`FREE`] | nobody | who holds the slot's lock, to active in the next generation |
//! | [`ACTIVE`] | taken | the one who took it; anybody, if the lock is free |
//!
//! Whoever frees a dead one's slot adds 1 to `deaths` in the same exchange, so that each death is
//! counted once, for those who look later. Nobody keeps the lock of a slot that is a dead one's.

use std::mem::offset_of;

use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::{AtomicU64, Ordering};

/// The state in `identity`: the slot is nobody's.
pub(crate) const FREE: u64 = 0;
/// The state in `identity`: somebody took the slot.
pub(crate) const ACTIVE: u64 = 1;

/// The word by which a slot is taken, left and swept.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity(u64);

impl Identity {
    const STATE: u64 = 0xffff;

    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn deaths(self) -> u16 {
        (self.0 >> 16) as u16
    }

    fn is(self, state: u64) -> bool {
        self.0 & Self::STATE == state
    }

    fn is_of(self, generation: u32) -> bool {
        self.is(ACTIVE) && self.generation() == generation
    }

    /// The same generation, free; one more died if `by_death`.
    fn freed(self, by_death: bool) -> Self {
        Self::new(self.generation(), self.deaths().wrapping_add(by_death.into()), FREE)
    }

    /// The next generation, taken.
    fn taken(self) -> Self {
        Self::new(self.generation().wrapping_add(1), self.deaths(), ACTIVE)
    }

    fn new(generation: u32, deaths: u16, state: u64) -> Self {
        Self(u64::from(generation) << 32 | u64::from(deaths) << 16 | state)
    }
}

/// A participant's entry. All of it but `identity` is for people to read.
#[repr(C)]
pub(crate) struct Participant {
    /// From bit 32: the generation. From bit 16: the deaths. Below: [`FREE`] or [`ACTIVE`].
    pub(crate) identity: u64,
    /// The process, in its own PID namespace.
    pub(crate) pid: u32,
    /// A number of [`Role`].
    pub(crate) role: u32,
    /// When it joined: nanoseconds since 1970.
    pub(crate) joined_unix_ns: u64,
    /// The name of its program, cut to 16 bytes.
    pub(crate) program: [u8; 16],
    /// How many of its threads wait; from bit 32: for what, by its place in the payload.
    pub(crate) waiting: u64,
    /// Zeros.
    pub(crate) reserved: [u64; 2],
}

const _: () = assert!(size_of::<Participant>() == 64);

const WORDS: usize = size_of::<Participant>() / 8;
const WAITING: usize = offset_of!(Participant, waiting) / 8;

/// What a participant joined for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u32)]
pub enum Role {
    /// To write.
    Writer = 1,
    /// To use what is shared: to lock, to wait, to let others go on.
    User = 2,
}

impl Role {
    fn of_number(number: u32) -> Option<Self> {
        [Self::Writer, Self::User].into_iter().find(|it| *it as u32 == number)
    }

    /// The word for it, as `shm` prints it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Writer => "writer",
            Self::User => "user",
        }
    }
}

/// A slot in one of its generations: the name by which something is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ParticipantId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// What a participant tells of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ParticipantInfo {
    pub(crate) pid: u32,
    pub(crate) role: Role,
    pub(crate) joined_unix_ns: u64,
    pub(crate) program: [u8; 16],
}

/// The kernel's word about slots.
pub(crate) trait SlotLocks {
    /// Takes the slot's lock, if it is free: it was found so.
    fn try_lock(&self, slot: u32) -> Result<bool>;
    /// Gives it up.
    fn unlock(&self, slot: u32);
    /// Whether anybody has it, this process included.
    fn is_locked(&self, slot: u32) -> Result<bool>;
}

/// The entries of all slots.
#[derive(Clone, Copy)]
pub(crate) struct Participants<'a> {
    words: &'a [AtomicU64],
}

impl<'a> Participants<'a> {
    /// Entries in zeroed or earlier used words, [`size_of::<Participant>()`] bytes each.
    pub(crate) fn new(words: &'a [AtomicU64]) -> Self {
        Self { words }
    }

    pub(crate) fn count(self) -> u32 {
        (self.words.len() / WORDS) as u32
    }

    fn entry(self, slot: u32) -> Option<&'a [AtomicU64]> {
        self.words.chunks_exact(WORDS).nth(slot as usize)
    }

    /// Takes a slot: one that looks free, else one whose holder died.
    ///
    /// One claim at a time through the same description: a lock that it holds would be granted to
    /// it again. So the lock is asked about first, through the other one.
    pub(crate) fn claim(
        self,
        locks: &impl SlotLocks,
        who: &ParticipantInfo,
    ) -> Result<ParticipantId> {
        let mut contended = false;
        for only_free in [true, false] {
            for (slot, entry) in (0..).zip(self.words.chunks_exact(WORDS)) {
                let identity = self.identity(slot);
                if only_free && !identity.is(FREE) || locks.is_locked(slot)? {
                    continue;
                }
                if identity.is(ACTIVE) {
                    self.free_dead(slot, identity);
                }
                if !locks.try_lock(slot)? {
                    contended = true;
                    continue;
                }
                if self.identity(slot).is(ACTIVE) {
                    // Another took it and died meanwhile: not to look alive by our lock.
                    locks.unlock(slot);
                    continue;
                }
                crash_point!("slot: locked");
                return Ok(Self::enter(slot, entry, who));
            }
        }
        let count = self.count();
        if contended {
            let why = format!("others keep taking what is free of {count} places");
            return Err(Error::new(ErrorKind::Busy, why));
        }
        let why = format!("all {count} places are taken");
        Err(Error::new(ErrorKind::Full, why))
    }

    /// CRASH: dying before the last store leaves the entry as it was: free, with a free lock.
    fn enter(slot: u32, entry: &[AtomicU64], who: &ParticipantInfo) -> ParticipantId {
        let word =
            |half: usize| u64::from_le_bytes(who.program[half..half + 8].try_into().expect("8"));
        let texts = [
            u64::from(who.role as u32) << 32 | u64::from(who.pid),
            who.joined_unix_ns,
            word(0),
            word(8),
            0,
        ];
        for (place, text) in entry[1..].iter().zip(texts) {
            // ORDERING: Relaxed; published by the store below.
            place.store(text, Ordering::Relaxed);
        }
        // ORDERING: Relaxed; the lock keeps other claimers out, and a sweep leads to the same.
        let taken = Identity(entry[0].load(Ordering::Relaxed)).taken();
        // ORDERING: AcqRel; pairs with the Acquire in `identity`. An exchange, to come behind the
        // one that freed the generation before.
        entry[0].swap(taken.0, Ordering::AcqRel);
        crash_point!("slot: entered");
        ParticipantId { slot, generation: taken.generation() }
    }

    /// Gives a slot up: the entry first, then the lock.
    pub(crate) fn leave(self, locks: &impl SlotLocks, id: ParticipantId) {
        self.clear(id);
        crash_point!("slot: left but locked");
        locks.unlock(id.slot);
    }

    /// The word in which a slot's holder says that it waits.
    pub(crate) fn waiting(self, slot: u32) -> Option<&'a AtomicU64> {
        self.entry(slot).map(|entry| &entry[WAITING])
    }

    /// How many threads of a slot's holder wait, and for what: its place in the payload.
    pub(crate) fn threads_waiting(self, slot: u32) -> (u32, u32) {
        // ORDERING: Relaxed; for people.
        let word = self.waiting(slot).map_or(0, |word| word.load(Ordering::Relaxed));
        (word as u32, (word >> 32) as u32)
    }

    /// The word that says whose a slot is, and what it says as long as it is this id's.
    pub(crate) fn identity_of(self, id: ParticipantId) -> Option<(&'a AtomicU64, u64)> {
        let held = self.is_held(id).then(|| self.identity(id.slot).0)?;
        self.entry(id.slot).map(|entry| (&entry[0], held))
    }

    /// Gives a slot's entry up, and keeps its lock.
    pub(crate) fn clear(self, id: ParticipantId) {
        let Some(entry) = self.entry(id.slot) else { return };
        let identity = self.identity(id.slot);
        if identity.is_of(id.generation) {
            // ORDERING: Release; what this participant did comes before its end.
            entry[0].store(identity.freed(false).0, Ordering::Release);
        }
    }

    /// A slot's identity; of one that does not exist, that it is free.
    fn identity(self, slot: u32) -> Identity {
        // ORDERING: Acquire; pairs with the Release in `enter` and `leave`.
        Identity(self.entry(slot).map_or(FREE, |entry| entry[0].load(Ordering::Acquire)))
    }

    /// Whether the entry still is this id's: its owner looks before it acts.
    #[inline]
    pub(crate) fn is_held(self, id: ParticipantId) -> bool {
        self.identity(id.slot).is_of(id.generation)
    }

    /// Whether the one who had this id died or left.
    ///
    /// Where the kernel cannot be asked the answer is no: nobody is robbed on a guess.
    pub(crate) fn is_dead(self, locks: &impl SlotLocks, id: ParticipantId) -> bool {
        !self.is_held(id) || !locks.is_locked(id.slot).unwrap_or(true)
    }

    /// Frees a slot if its holder is dead. Whether nobody who lives has it.
    pub(crate) fn reap(self, locks: &impl SlotLocks, slot: u32) -> bool {
        let identity = self.identity(slot);
        if identity.is(FREE) {
            return true;
        }
        let dead = !locks.is_locked(slot).unwrap_or(true);
        if dead {
            self.free_dead(slot, identity);
        }
        dead
    }

    /// How many died whose slots were freed, modulo 2^16.
    pub(crate) fn counted_deaths(self) -> u16 {
        let deaths = (0..self.count()).map(|slot| self.identity(slot).deaths());
        deaths.fold(0, u16::wrapping_add)
    }

    /// The same with those who are dead and still in their slots, and the last of these.
    pub(crate) fn deaths(self, locks: &impl SlotLocks) -> (u16, Option<ParticipantId>) {
        let mut last = None;
        let mut deaths = 0_u16;
        for slot in 0..self.count() {
            let mut identity = self.identity(slot);
            if identity.is(ACTIVE) && !locks.is_locked(slot).unwrap_or(true) {
                let again = self.identity(slot);
                if again == identity {
                    // Dead, and not counted yet. Otherwise it left, or was swept, just now.
                    deaths = deaths.wrapping_add(1);
                    last = Some(ParticipantId { slot, generation: identity.generation() });
                }
                identity = again;
            }
            deaths = deaths.wrapping_add(identity.deaths());
        }
        (deaths, last)
    }

    /// Who has a slot, alive or dead, and what it said of itself.
    pub(crate) fn info(self, slot: u32) -> Option<(ParticipantId, ParticipantInfo)> {
        let (id, is_active, who) = self.last_info(slot)?;
        is_active.then_some((id, who))
    }

    /// What the one who had this id said of itself, until another has the slot.
    pub(crate) fn info_of(self, id: ParticipantId) -> Option<ParticipantInfo> {
        let (last, _, who) = self.last_info(id.slot)?;
        (last == id).then_some(who)
    }

    fn last_info(self, slot: u32) -> Option<(ParticipantId, bool, ParticipantInfo)> {
        let entry = self.entry(slot)?;
        let identity = self.identity(slot);
        // ORDERING: Relaxed; text for people, which may be a successor's.
        let text = |index: usize| entry[index].load(Ordering::Relaxed);
        let mut program = [0; 16];
        program[..8].copy_from_slice(&text(3).to_le_bytes());
        program[8..].copy_from_slice(&text(4).to_le_bytes());
        let id = ParticipantId { slot, generation: identity.generation() };
        let role = Role::of_number((text(1) >> 32) as u32)?;
        let who = ParticipantInfo { pid: text(1) as u32, role, joined_unix_ns: text(2), program };
        Some((id, identity.is(ACTIVE), who))
    }

    /// Frees the slots of the dead, at most `limit` of those that look taken from `first` on.
    ///
    /// Two sweeps at once do no harm: each entry changes by one compare-exchange.
    pub(crate) fn sweep(self, locks: &impl SlotLocks, first: u32, limit: u32) -> u32 {
        let count = self.count();
        let mut freed = 0;
        let taken = (0..count).map(|step| (first % count + step) % count).filter_map(|slot| {
            let identity = self.identity(slot);
            identity.is(ACTIVE).then_some((slot, identity))
        });
        for (slot, identity) in taken.take(limit as usize) {
            if !locks.is_locked(slot).unwrap_or(true) {
                freed += u32::from(self.free_dead(slot, identity));
            }
        }
        freed
    }

    /// Frees a slot whose lock was found free behind this identity. False if another did.
    fn free_dead(self, slot: u32, identity: Identity) -> bool {
        let Some(entry) = self.entry(slot) else { return false };
        // ORDERING: Release; as `leave`. A new owner has another generation, so it is safe.
        entry[0]
            .compare_exchange(
                identity.0,
                identity.freed(true).0,
                Ordering::Release,
                Ordering::Relaxed,
            )
            .is_ok()
    }
}

impl ParticipantInfo {
    /// How messages call it: `process 4242 (planner)`.
    pub(crate) fn shown(&self) -> String {
        format!("process {} ({})", self.pid, self.program())
    }

    /// The program's name, with what could spoil a terminal replaced.
    pub(crate) fn program(&self) -> String {
        let length = self.program.iter().position(|&byte| byte == 0).unwrap_or(16);
        let name = String::from_utf8_lossy(&self.program[..length]);
        name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod model;
