//! The mapping of an object's file.

use std::fs::File;
use std::ops::Deref;

use super::{Mapping, Protection};
use crate::error::Result;
use crate::sys::fork::WipedOnFork;
use crate::sys::wait::WakeScope;

/// From this size on, an object is left out of core dumps, since it takes time to write it.
const LARGE: usize = 64 << 10;

/// The mapping of an object's whole file.
///
/// A forked child finds zeros in it, and processes find each other's sleepers on its words.
pub(crate) struct ObjectMapping {
    // Fields drop in this order: the scope ends before the pages are unmapped.
    _wake_scope: WakeScope,
    mapping: WipedOnFork<Mapping>,
}

impl ObjectMapping {
    /// Maps `length` bytes. `id` identifies the object; `shared` tells whether processes of other
    /// users have access to it.
    pub(crate) fn map(
        file: &File,
        length: usize,
        protection: Protection,
        id: [u8; 16],
        shared: bool,
    ) -> Result<Self> {
        let mapping = map_wiped(file, 0, length, protection)?;
        let (first, bytes) = mapping.pages();
        let _wake_scope = WakeScope::new(first, bytes, id, shared);
        Ok(Self { _wake_scope, mapping })
    }
}

impl Deref for ObjectMapping {
    type Target = Mapping;

    fn deref(&self) -> &Mapping {
        &self.mapping
    }
}

/// One more mapping of a part of an object's file, which a forked child finds as zeros. No thread
/// sleeps on its words.
#[derive(Debug)]
pub(crate) struct PartMapping(WipedOnFork<Mapping>);

impl PartMapping {
    /// Maps `length` bytes from byte `offset`, to read and write them.
    pub(crate) fn map(file: &File, offset: u64, length: usize) -> Result<Self> {
        map_wiped(file, offset, length, Protection::ReadWrite).map(Self)
    }
}

impl Deref for PartMapping {
    type Target = Mapping;

    fn deref(&self) -> &Mapping {
        &self.0
    }
}

#[allow(unsafe_code, reason = "pages that become zeros in a child")]
fn map_wiped(
    file: &File,
    offset: u64,
    length: usize,
    protection: Protection,
) -> Result<WipedOnFork<Mapping>> {
    let map = || Mapping::map(file, offset, length, protection);
    // SAFETY: these are whole pages of the mapping. The content of an object can change at any
    // time, so no reader relies on it; a writer checks that it was not forked before it publishes.
    let mapping = unsafe { WipedOnFork::new(map, Mapping::pages) }?;
    // A process that dies with a core dump keeps its locks until the dump is written.
    if length >= LARGE {
        mapping.exclude_from_core_dumps()?;
    }
    Ok(mapping)
}
