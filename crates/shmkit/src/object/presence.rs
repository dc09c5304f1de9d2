//! The locks of an object: where each is in its file, and what they say about processes.
//!
//! ```text
//! 2^62        the gate
//! 2^62+2^20   one byte for each participant's slot
//! 2^62+2^40   2^40 bytes, of which each open object without a slot locks one at random
//! ```
//!
//! In the file of a region of memory with objects in it:
//!
//! ```text
//! 2^62+2^60+p   a participant, whose entry is at byte p of the memory
//! 2^62+2^61+p   the creator of an object at byte p
//! ```
//!
//! The bytes are far beyond the data: on Windows a lock prevents other processes from reading.

use std::fs::File;
use std::sync::OnceLock;

use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::participant::{Participant, SlotLocks};
use crate::sys::directory::{self, Removable, Status};
use crate::sys::fork::{LockFile, Once, OwnedFile, ProcessStamp};
use crate::sys::lock::{self, Mode, Range};

/// Held shared while attaching, exclusively while removing, and by a creator that keeps others out.
pub(crate) const GATE: Range = Range::GATE;
const SLOTS: u64 = GATE.start + (1 << 20);
const HANDLES: Range = Range { start: GATE.start + (1 << 40), length: 1 << 40 };
/// The bytes of all locks that show that a process is present.
pub(super) const ANYONE: Range = Range { start: SLOTS, length: HANDLES.end() - SLOTS };

/// The byte of a participant's slot.
pub(crate) const fn slot(slot: u32) -> Range {
    Range::byte(SLOTS + slot as u64)
}

/// The byte of a participant whose entry is at `place` of a memory.
pub(crate) const fn region_slot(place: u64) -> Range {
    Range::byte(GATE.start + (1 << 60) + place)
}

/// The byte of the creator of an object at `place` of a memory.
pub(crate) const fn region_creation(place: u64) -> Range {
    Range::byte(GATE.start + (1 << 61) + place)
}

/// Returns a byte for one handle to lock as [`PRESENCE`](lock::PRESENCE): a different one each
/// time, so that handles can be counted.
pub(crate) fn new_handle(stamp: ProcessStamp) -> Range {
    // Created at first use, since loom cannot create atomics in constants.
    static COUNT: Once<AtomicU64> = Once::new();
    // ORDERING: Relaxed; a number that no other handle of the process has.
    let count = COUNT.get_or_make(|| AtomicU64::new(0)).fetch_add(1, Ordering::Relaxed);
    // A Weyl sequence, with a start value for each process, and mixed.
    let mixed = stamp.number().wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let spread = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    Range::byte(HANDLES.start + (spread >> 24) % HANDLES.length)
}

/// Registers the file that `open` opens, to query its locks. Also returns its status.
pub(super) fn open_query_file(open: impl FnOnce() -> Result<File>) -> Result<(OwnedFile, Status)> {
    OwnedFile::open(|| with_status(open))
}

/// Opens a file by `open`, and returns it with its status.
pub(super) fn with_status(open: impl FnOnce() -> Result<File>) -> Result<(File, Status)> {
    let file = open()?;
    let status = directory::status(&file)?;
    Ok((file, status))
}

/// The locks of an object, by two open file descriptions that must not be confused.
///
/// INVARIANT: `slots` is never used to query locks, because its own locks look free through it; and
/// never mapped, because a mapping would keep the locks of a process that closes its descriptors.
pub(crate) struct ObjectLocks {
    /// To query locks and the file's status; mapped. Holds the gate, and the byte of a handle
    /// without a slot, but no lock of a slot.
    pub(super) file: Removable,
    /// Holds the locks of this handle's slots. Opened for the first of them.
    slots: OnceLock<LockFile>,
    /// Where the entries of the participants are, in a memory that can have several objects.
    entries: Option<u64>,
}

impl ObjectLocks {
    /// The locks of an object with this file. `entries` is given if the file is that of a memory.
    pub(super) fn new(file: Removable, entries: Option<u64>) -> Self {
        Self { file, slots: OnceLock::new(), entries }
    }

    /// Opens the file for the locks of slots, by `open`, unless it is open. `Closed` if it is not
    /// the same file. Must not be called by two threads at once.
    pub(super) fn open_for_slots(&self, open: impl FnOnce() -> Result<File>) -> Result<()> {
        if self.slots.get().is_some() {
            return Ok(());
        }
        let slots = LockFile::open(open)?;
        if slots.identity() != self.file.identity() {
            return Err(Error::new(ErrorKind::Closed, "the object was removed"));
        }
        let _ = self.slots.set(slots);
        Ok(())
    }

    /// The file that holds the locks of slots.
    pub(super) fn slots(&self) -> &LockFile {
        self.slots.get().expect("it is opened before a slot is taken")
    }

    fn byte(&self, of: u32) -> Range {
        match self.entries {
            None => slot(of),
            Some(entries) => region_slot(entries + u64::from(of) * size_of::<Participant>() as u64),
        }
    }

    /// Returns whether any process, this one included, holds a lock in the range.
    pub(super) fn is_any_locked(&self, range: Range) -> Result<bool> {
        match lock::is_locked(&self.file, range) {
            Ok(true) => Ok(true),
            answer => self.check_open().and(answer),
        }
    }

    /// Returns an error instead of "not locked" if the process closed a descriptor (`closefrom`):
    /// its number may now belong to another file, or to a file that holds locks of another handle.
    #[cold]
    pub(super) fn check_open(&self) -> Result<()> {
        self.file.check_open()?;
        self.slots.get().map_or(Ok(()), |slots| slots.check_open())
    }

    /// How many handles without a slot there are besides this one, counted up to [`MAX_COUNTED`].
    pub(crate) fn count_handles(&self) -> Result<u32> {
        let mut count = 0;
        let mut unknown = vec![HANDLES];
        while let Some(range) = unknown.pop() {
            let Some(locked) = lock::first_locked(&self.file, range)? else { continue };
            count += 1;
            if count == MAX_COUNTED {
                break;
            }
            for (start, end) in [(range.start, locked.start), (locked.end(), range.end())] {
                if start < end {
                    unknown.push(Range { start, length: end - start });
                }
            }
        }
        Ok(count)
    }
}

impl SlotLocks for ObjectLocks {
    fn try_lock(&self, slot: u32) -> Result<bool> {
        lock::take(self.slots(), self.byte(slot), Mode::Exclusive)
    }

    fn unlock(&self, slot: u32) {
        lock::unlock(self.slots(), self.byte(slot));
    }

    fn is_locked(&self, slot: u32) -> Result<bool> {
        self.is_any_locked(self.byte(slot))
    }
}

/// The largest count: counting more would take too long.
const MAX_COUNTED: u32 = 4096;
