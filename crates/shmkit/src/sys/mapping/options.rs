//! How a file is mapped, and how the mapping will be used.

use crate::error::{Error, ErrorKind, Result};

/// The access that a mapping allows, and who sees what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// The bytes can only be read.
    ReadOnly,
    /// The bytes can be written, and every mapping of the same bytes sees the change.
    ReadWrite,
    /// The bytes can be written, and no other mapping sees the change: a written page becomes
    /// private.
    CopyOnWrite,
}

/// Where a mapping is placed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placement {
    /// The required address of its first byte.
    pub(crate) address: Option<usize>,
    /// Whether to align the mapping for huge pages, and ask the system for them.
    pub(crate) huge_pages: bool,
}

/// The expected use of a part of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// No special use. Undoes `Sequential` and `Random`.
    Normal,
    /// Access in order: read ahead, and drop pages early.
    Sequential,
    /// Access at random places: do not read ahead.
    Random,
    /// Access soon: read ahead.
    WillNeed,
    /// No access soon: this process can give up the pages. Written bytes stay.
    DontNeed,
    /// No access soon: reclaim these pages first when memory is short.
    Cold,
    /// Leave the bytes out of core dumps.
    DontDump,
    /// Include the bytes in core dumps. Undoes `DontDump`.
    Dump,
    /// Do not map the bytes in forked children: a child that accesses them is killed.
    DontFork,
    /// Map the bytes in forked children. Undoes `DontFork`.
    Fork,
}

/// Refuses to shrink a mapping of `length` bytes by `bytes` if nothing would be left.
pub(super) fn check_shrinking(length: usize, bytes: usize) -> Result<()> {
    if bytes < length {
        return Ok(());
    }
    let why =
        format!("a mapping of {length} bytes cannot shrink by {bytes}: nothing would be left");
    Err(Error::new(ErrorKind::OutOfRange, why))
}
