//! Where each lock is in an object's file, and counting processes by their locks.
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

use crate::error::Result;
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::sys::fork::{Once, ProcessStamp};
use crate::sys::lock::{self, Range};

/// Held shared while attaching, exclusively while removing.
pub(crate) const GATE: Range = Range::byte(1 << 62);
const SLOTS: u64 = GATE.start + (1 << 20);
const HANDLES: Range = Range { start: GATE.start + (1 << 40), length: 1 << 40 };
/// The bytes of all locks that show that a process is present.
const ANYONE: Range = Range { start: SLOTS, length: HANDLES.end() - SLOTS };

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

/// Whether any process has the object open. `file` must not be the file that holds locks.
pub(crate) fn anyone(file: &File) -> Result<bool> {
    lock::is_locked(file, ANYONE)
}

/// How many handles without a slot there are, counted up to [`MAX_COUNTED`].
pub(crate) fn count_handles(file: &File) -> Result<u32> {
    let mut count = 0;
    let mut unknown = vec![HANDLES];
    while let Some(range) = unknown.pop() {
        let Some(locked) = lock::first_locked(file, range)? else { continue };
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

/// The largest count: counting more would take too long.
pub(crate) const MAX_COUNTED: u32 = 4096;
