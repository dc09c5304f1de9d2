//! What a system tells about named memory.

use std::time::SystemTime;

/// Named memory, as `shm raw ls` lists it.
pub(crate) struct NamedMemory {
    pub(crate) name: String,
    /// In bytes.
    pub(crate) size: u64,
    /// The number of the user who owns it.
    pub(crate) owner: u32,
    /// The permission bits.
    pub(crate) mode: u32,
    /// When its bytes were changed last by a write or a change of its size. A store through a
    /// mapping does not count.
    pub(crate) changed: SystemTime,
}
