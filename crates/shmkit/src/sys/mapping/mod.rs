//! Files in the address space: map, flush, advise, lock, shrink.
//!
//! A mapping is whole pages; its user asked for bytes. Both are kept:
//!
//! ```text
//! file       0        4096       8192       12288
//!            |----------|----------|----------|
//! asked for               |------ length -----|        offset 5000
//! mapped                |- lead -|              whole pages, from 4096
//! ```
//!
//! Nothing here looks at the size of the file: a page past its end can be mapped, and kills the
//! process that touches it. Whoever maps compares with the size first.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::{Mapping, page_size};

/// What may be done through a mapping, and who sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// Reading alone.
    ReadOnly,
    /// Reading and writing; all who map the file see it.
    ReadWrite,
    /// Reading and writing; a page that was written is this mapping's own.
    CopyOnWrite,
}

/// What is asked for when a mapping is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placement {
    /// Where its first byte must be.
    pub(crate) address: Option<usize>,
    /// Whether it is laid so that the system can use huge pages, and is asked to.
    pub(crate) huge_pages: bool,
}

/// What the system is told about the use of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    Normal,
    Sequential,
    Random,
    WillNeed,
    DontNeed,
    Cold,
    DontDump,
    Dump,
    DontFork,
    Fork,
}
