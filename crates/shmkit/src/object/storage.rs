//! Where an object is: in a file of its own, or in a region of memory that processes share.

use super::bytes::ObjectBytes;
use super::layout::ObjectLayout;
use super::object_file::ObjectFile;
use super::region_object::RegionObject;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::View;
use crate::participant::{Participants, SlotLocks};

/// The bytes of an object, and the locks that prove that its participants live.
pub(crate) enum Storage {
    File(ObjectFile),
    Region(RegionObject),
}

impl Storage {
    fn bytes(&self) -> ObjectBytes<'_> {
        match self {
            Self::File(file) => file.bytes(),
            Self::Region(region) => region.bytes(),
        }
    }

    pub(crate) fn layout(&self) -> &ObjectLayout {
        match self {
            Self::File(file) => &file.layout,
            Self::Region(region) => &region.layout,
        }
    }

    /// How messages name the object.
    pub(crate) fn label(&self) -> &str {
        match self {
            Self::File(file) => file.name.as_str(),
            Self::Region(region) => region.label(),
        }
    }

    /// Whether this process may write to the object.
    pub(crate) fn is_writable(&self) -> bool {
        match self {
            Self::File(file) => file.is_writable(),
            Self::Region(_) => true,
        }
    }

    /// Whether the object was removed. One system call if it is a file.
    pub(crate) fn is_removed(&self) -> Result<bool> {
        Ok(self.is_retired()
            || match self {
                Self::File(file) => file.is_unlinked()?,
                Self::Region(_) => false,
            })
    }

    pub(crate) fn participants(&self) -> Participants<'_> {
        self.bytes().participants(self)
    }

    pub(crate) fn payload(&self) -> View<'_> {
        self.bytes().payload()
    }

    /// Whether the object was retired.
    pub(crate) fn is_retired(&self) -> bool {
        self.bytes().is_retired()
    }

    /// Ends the object: its users get `Closed`.
    pub(super) fn retire(&self) {
        self.bytes().retire();
    }

    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.is_writable() {
            return Ok(());
        }
        let why = "the object is open for reading only";
        Err(Error::new(ErrorKind::PermissionDenied, why))
    }
}

impl SlotLocks for Storage {
    fn try_lock(&self, slot: u32) -> Result<bool> {
        match self {
            Self::File(file) => file.try_lock(slot),
            Self::Region(region) => region.try_lock(slot),
        }
    }

    fn unlock(&self, slot: u32) {
        match self {
            Self::File(file) => file.unlock(slot),
            Self::Region(region) => region.unlock(slot),
        }
    }

    fn is_locked(&self, slot: u32) -> Result<bool> {
        match self {
            Self::File(file) => file.is_locked(slot),
            Self::Region(region) => region.is_locked(slot),
        }
    }
}
