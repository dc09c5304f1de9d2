//! Raw memory that processes share, byte for byte: named memory, mapped files, regions of them.
//!
//! ```text
//! SharedMemory  /dev/shm/NAME, or anonymous ─┐
//!                                            ├─ region() ─> Region ─ words() ─> &[AtomicU64]
//! FileMapping   any regular file ────────────┘   mapped      └ view() ─> View: parts, checked
//! ```
//!
//! Nothing is added to the bytes, so programs in other languages and with other libraries can share
//! them.
//!
//! Why it is sound: a range is compared with the size of its file before it is mapped, and an
//! offset with its range before an access. Bytes are copied or used as atomics, and no reference to
//! them is formed.

mod access;
pub(crate) mod atomic;
mod attempts;
mod backing;
pub(crate) mod copy;
mod file_mapping;
#[cfg(test)]
mod heap;
mod raw_name;
mod region;
mod shared_memory;
mod view;
mod while_used;

pub use access::{Access, Trust};
pub use file_mapping::{FileMapping, FileMappingOptions};
#[cfg(test)]
pub(crate) use heap::HeapMemory;
pub use region::{Advice, Protection, Region, RegionOptions};
pub use shared_memory::{Seal, SharedMemory, SharedMemoryOptions};
pub use view::View;
