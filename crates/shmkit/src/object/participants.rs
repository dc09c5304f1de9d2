//! Who takes part in an object, and how the others know that one of them died.
//!
//! Whoever can hold something has a slot: an entry for people to read, and a lock that the kernel
//! keeps for as long as the process lives. What is held names its holder by a [`Seat`], the slot
//! and the entry's generation.
//!
//! **A holder is dead if and only if its slot's entry is not active in that generation, or the
//! slot's lock is free.** The lock is taken before the entry is written and given up after it is
//! cleared, so an entry that is active without a lock was left by a process that died. A slot is
//! given out again at once, in the next generation; what the dead one held still names the old
//! generation, and whoever meets it repairs it.
//!
//! | `identity` | meaning | who may leave it |
//! |---|---|---|
//! | generation, [`FREE`] | nobody | who holds the slot's lock, to active in the next generation |
//! | generation, [`ACTIVE`] | taken | the one who took it; the sweep, if the lock is free |

use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::{AtomicU64, Ordering};

/// The low half of `identity`: the slot is nobody's.
pub(crate) const FREE: u64 = 0;
/// The low half of `identity`: somebody took the slot.
pub(crate) const ACTIVE: u64 = 1;

/// A participant's entry. All of it but `identity` is for people to read.
#[repr(C)]
pub(crate) struct Participant {
    /// High half: the generation. Low half: [`FREE`] or [`ACTIVE`].
    pub(crate) identity: u64,
    /// The process, in its own PID namespace.
    pub(crate) pid: u32,
    /// A number of [`Role`].
    pub(crate) role: u32,
    /// When it joined: nanoseconds since 1970.
    pub(crate) joined_unix_ns: u64,
    /// The name of its program, cut to 16 bytes.
    pub(crate) program: [u8; 16],
    /// Zeros.
    pub(crate) reserved: [u64; 3],
}

const _: () = assert!(size_of::<Participant>() == 64);

const WORDS: usize = size_of::<Participant>() / 8;

/// What a participant joined for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u32)]
pub enum Role {
    /// To write.
    Writer = 1,
}

impl Role {
    fn of_number(number: u32) -> Option<Self> {
        (number == Self::Writer as u32).then_some(Self::Writer)
    }

    /// The word for it, as `shm` prints it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Writer => "writer",
        }
    }
}

/// A slot in one of its generations: the name by which something is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// What a participant tells of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Introduction {
    pub(crate) pid: u32,
    pub(crate) role: Role,
    pub(crate) joined_unix_ns: u64,
    pub(crate) program: [u8; 16],
}

/// The kernel's word about slots.
pub(crate) trait SlotLocks {
    /// Takes the slot's lock, if it is free.
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

    /// Takes a slot: one that looks free, else any whose lock is free.
    pub(crate) fn claim(self, locks: &impl SlotLocks, who: &Introduction) -> Result<Seat> {
        let looks_free = |entry: &[AtomicU64]| {
            // ORDERING: Relaxed; a hint where to try first, and the lock decides.
            entry[0].load(Ordering::Relaxed) & 0xffff_ffff == FREE
        };
        for only_free in [true, false] {
            for (slot, entry) in (0..).zip(self.words.chunks_exact(WORDS)) {
                if (looks_free(entry) || !only_free) && locks.try_lock(slot)? {
                    crash_point!("slot: locked");
                    return Ok(Self::enter(slot, entry, who));
                }
            }
        }
        let why = format!("all {} places for participants are taken", self.count());
        Err(Error::new(ErrorKind::Full, why))
    }

    /// CRASH: dying before the last store leaves the entry as it was, with a free lock: free, or
    /// its former owner's, who is dead.
    fn enter(slot: u32, entry: &[AtomicU64], who: &Introduction) -> Seat {
        let word =
            |half: usize| u64::from_le_bytes(who.program[half..half + 8].try_into().expect("8"));
        let texts = [
            u64::from(who.role as u32) << 32 | u64::from(who.pid),
            who.joined_unix_ns,
            word(0),
            word(8),
        ];
        for (place, text) in entry[1..].iter().zip(texts) {
            // ORDERING: Relaxed; published by the store below.
            place.store(text, Ordering::Relaxed);
        }
        // ORDERING: Relaxed; the lock keeps other claimers out, and a sweep changes no generation.
        let generation = ((entry[0].load(Ordering::Relaxed) >> 32) as u32).wrapping_add(1);
        // ORDERING: AcqRel; pairs with the Acquire in `introduction` and `is_dead`. An exchange, to
        // come behind a sweep of the generation before.
        entry[0].swap(u64::from(generation) << 32 | ACTIVE, Ordering::AcqRel);
        crash_point!("slot: entered");
        Seat { slot, generation }
    }

    /// Gives a slot up: the entry first, then the lock.
    pub(crate) fn leave(self, locks: &impl SlotLocks, seat: Seat) {
        let Some(entry) = self.entry(seat.slot) else { return };
        // ORDERING: Release; what this participant did comes before its end.
        entry[0].store(u64::from(seat.generation) << 32 | FREE, Ordering::Release);
        crash_point!("slot: left but locked");
        locks.unlock(seat.slot);
    }

    /// Whether the one who had this seat died or left.
    ///
    /// Where the kernel cannot be asked the answer is no: nobody is robbed on a guess.
    pub(crate) fn is_dead(self, locks: &impl SlotLocks, seat: Seat) -> bool {
        let Some(entry) = self.entry(seat.slot) else { return true };
        // ORDERING: Acquire; pairs with the Release in `enter` and `leave`.
        let identity = entry[0].load(Ordering::Acquire);
        identity != u64::from(seat.generation) << 32 | ACTIVE
            || !locks.is_locked(seat.slot).unwrap_or(true)
    }

    /// What the living participant in a slot says of itself, with its seat.
    pub(crate) fn introduction(self, slot: u32) -> Option<(Seat, Introduction)> {
        let entry = self.entry(slot)?;
        // ORDERING: Acquire; pairs with the Release in `enter`.
        let identity = entry[0].load(Ordering::Acquire);
        if identity & 0xffff_ffff != ACTIVE {
            return None;
        }
        // ORDERING: Relaxed; text for people, which may be a successor's.
        let text = |index: usize| entry[index].load(Ordering::Relaxed);
        let mut program = [0; 16];
        program[..8].copy_from_slice(&text(3).to_le_bytes());
        program[8..].copy_from_slice(&text(4).to_le_bytes());
        let seat = Seat { slot, generation: (identity >> 32) as u32 };
        let role = Role::of_number((text(1) >> 32) as u32)?;
        Some((seat, Introduction { pid: text(1) as u32, role, joined_unix_ns: text(2), program }))
    }

    /// Frees the slots of the dead, at most `limit` of those that look taken from `first` on.
    ///
    /// Two sweeps at once do no harm: each entry changes by one compare-exchange.
    pub(crate) fn sweep(self, locks: &impl SlotLocks, first: u32, limit: u32) -> u32 {
        let count = self.count();
        let mut freed = 0;
        let taken = (0..count).map(|step| (first % count + step) % count).filter_map(|slot| {
            // ORDERING: Acquire; pairs with the Release in `enter`.
            let identity = self.entry(slot)?[0].load(Ordering::Acquire);
            (identity & 0xffff_ffff == ACTIVE).then_some((slot, identity))
        });
        for (slot, identity) in taken.take(limit as usize) {
            if locks.is_locked(slot).unwrap_or(true) {
                continue;
            }
            let entry = self.entry(slot).expect("a slot below the count");
            // ORDERING: Release; as `leave`. A new owner has another generation, so it is safe.
            let free = identity & !0xffff_ffff | FREE;
            freed += u32::from(
                entry[0]
                    .compare_exchange(identity, free, Ordering::Release, Ordering::Relaxed)
                    .is_ok(),
            );
        }
        freed
    }
}

impl Introduction {
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
