//! Raw memory that processes share, byte for byte: named memory, mapped files, regions of them.
//!
//! ```text
//! SharedMemory  /dev/shm/NAME, or anonymous ─┐
//!                                            ├─ region() ─> Region ─ words() ─> &[AtomicU64]
//! FileMapping   any regular file ────────────┘   mapped      └ view() ─> View: parts, checked
//! ```
//!
//! Nothing is added to the bytes: other programs, in other languages and with other libraries, see
//! what is written here and the other way round.
//!
//! Why it is sound: a range is compared with the size of its file before it is mapped, an offset
//! with its range before it is touched, and bytes are copied or atomic, never referred to.

mod access;
pub(crate) mod atomic;
mod backing;
pub(crate) mod copy;
mod file_mapping;
#[cfg(test)]
mod heap;
mod raw_name;
mod region;
mod shared_memory;
mod view;

pub use access::{Access, Trust};
pub use file_mapping::{FileMapping, FileMappingOptions};
#[cfg(test)]
pub(crate) use heap::HeapMemory;
pub use region::{Advice, Protection, Region, RegionOptions};
pub use shared_memory::{Seal, SharedMemory, SharedMemoryOptions};
pub use view::View;
