//! Files in the address space: map, flush, advise, lock, shrink.
//!
//! A mapping consists of whole pages, but its user asked for bytes. It records both:
//!
//! ```text
//! file       0        4096       8192       12288
//!            |----------|----------|----------|
//! asked for               |------ length -----|        offset 5000
//! mapped                |- lead -|              whole pages, from 4096
//! ```
//!
//! Nothing here checks the size of the file. A page beyond its end can be mapped, and an access to
//! it ends the process. So the caller compares with the size first.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
mod object;
mod options;
#[cfg(unix)]
mod placing;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::Mapping;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::Mapping;

pub(crate) use object::{ObjectMapping, PartMapping};
pub(crate) use options::Placement;
pub use options::{Advice, Protection};

pub(crate) use super::pages::page_size;

use std::fs::File;

use crate::error::Result;

impl Mapping {
    /// Maps `length` bytes of `file` from byte `offset`, at any address.
    pub(crate) fn map(
        file: &File,
        offset: u64,
        length: usize,
        protection: Protection,
    ) -> Result<Self> {
        Self::place(file, offset, length, protection, Placement::default())
    }
}
