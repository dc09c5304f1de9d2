//! Where the words of a pipe are, and how large its ring can be.
//!
//! ```text
//! payload   0         128       256    264      272       280       288            296      384
//!           tail ..   head ..   turn | handed | writers | readers | readers_left | ended .. ring
//! ```

use crate::error::{Error, ErrorKind, Result};

/// Where the control words are in the payload.
pub(super) const TAIL: u64 = 0;
pub(super) const HEAD: u64 = 128;
pub(super) const TURN: u64 = 256;
pub(super) const HANDED: u64 = TURN + 8;
pub(super) const WRITERS: u64 = TURN + 16;
pub(super) const READERS: u64 = TURN + 24;
pub(super) const READERS_LEFT: u64 = TURN + 32;
pub(super) const ENDED: u64 = TURN + 40;
/// Where the ring begins.
pub(super) const CONTROL_BYTES: u64 = 384;

/// A write of up to 4 KiB needs room as a whole.
pub(super) const MIN_CAPACITY: u64 = 4 << 10;
pub(super) const DEFAULT_CAPACITY: u64 = 64 << 10;
pub(super) const MAX_CAPACITY: u64 = 1 << 40;

/// Returns the capacity that the header says, if a pipe can have it.
pub(super) fn checked_capacity(found: u64) -> Result<usize> {
    if !found.is_power_of_two() || !(MIN_CAPACITY..=MAX_CAPACITY).contains(&found) {
        let why = format!("a pipe cannot have a capacity of {found} bytes");
        return Err(Error::new(ErrorKind::Corrupt, why));
    }
    Ok(found as usize)
}
