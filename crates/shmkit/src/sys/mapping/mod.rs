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
use linux as system;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
use macos as system;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{Mapping, page_size};
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{Mapping, page_size};

use std::fs::File;
use std::ops::Deref;

use super::fork::WipedOnFork;
use super::wait::WakeScope;
use crate::error::{Error, ErrorKind, Result};

/// All of an object's file: a forked child finds zeros there, and those who sleep on its words find
/// each other.
pub(crate) struct ObjectMapping {
    // Both end before the pages are unmapped.
    _wiped: WipedOnFork,
    _meeting_place: WakeScope,
    mapping: Mapping,
}

impl ObjectMapping {
    /// Maps `length` bytes. `id` is the object's own, and `shared` says that processes of other
    /// users have it, too.
    #[allow(unsafe_code, reason = "pages that become zeros in a child")]
    pub(crate) fn map(
        file: &File,
        length: usize,
        protection: Protection,
        id: [u8; 16],
        shared: bool,
    ) -> Result<Self> {
        let mapping = Mapping::map(file, 0, length, protection)?;
        // A process that dies with a core keeps its locks until the core is written.
        mapping.exclude_from_core_dumps()?;
        let (first, bytes) = mapping.pages();
        let _meeting_place = WakeScope::new(first, bytes, id, shared);
        // SAFETY: whole pages, which outlive the registration, being dropped behind it; what is in
        // a mapping may change at any time, so nobody relies on it.
        let _wiped = unsafe { WipedOnFork::register(first, bytes) }?;
        Ok(Self { _wiped, _meeting_place, mapping })
    }
}

impl Mapping {
    /// Maps `length` bytes of `file` from byte `offset`, wherever there is room.
    pub(crate) fn map(
        file: &File,
        offset: u64,
        length: usize,
        protection: Protection,
    ) -> Result<Self> {
        Self::place(file, offset, length, protection, Placement::default())
    }

    /// Refuses to give up all of it, or more.
    fn check_shrinking(&self, bytes: usize) -> Result<()> {
        if bytes < self.len() {
            return Ok(());
        }
        let why = format!("{bytes} bytes less than {} leave nothing", self.len());
        Err(Error::new(ErrorKind::OutOfRange, why))
    }
}

impl Deref for ObjectMapping {
    type Target = Mapping;

    fn deref(&self) -> &Mapping {
        &self.mapping
    }
}

/// What may be done through a mapping, and who sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// It can only be read.
    ReadOnly,
    /// It can be written, and all who map the same bytes see it.
    ReadWrite,
    /// It can be written, and nobody else sees it: a page that was written is the mapping's own.
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

/// How a part of a mapping will be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// In no special way: takes `Sequential` and `Random` back.
    Normal,
    /// From front to back: read ahead, and drop early.
    Sequential,
    /// Here and there: do not read ahead.
    Random,
    /// Soon: read it ahead.
    WillNeed,
    /// Not soon: the pages may go from this process; what was written stays.
    DontNeed,
    /// Not soon: the first to go when memory is short.
    Cold,
    /// Not to be in core dumps.
    DontDump,
    /// To be in core dumps: takes `DontDump` back.
    Dump,
    /// Not to be in forked children, which end if they touch it.
    DontFork,
    /// To be in forked children: takes `DontFork` back.
    Fork,
}
