//! The table of the descriptors of the library.

use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use crate::sys::fork::system;
use crate::sys::status::{self, Identity};

/// The owner of each number.
pub(super) struct Files {
    by_number: BTreeMap<RawFd, Entry>,
    registrations: u64,
}

/// A registered number.
pub(super) struct Entry {
    /// The number of the registration. Each is used once in a process.
    registration: u64,
    /// What the descriptor refers to.
    pub(super) file: Identity,
    /// Whether a forked child must not inherit the file.
    pub(super) holds_locks: bool,
}

impl Files {
    pub(super) const fn new() -> Self {
        Self { by_number: BTreeMap::new(), registrations: 0 }
    }

    /// Registers a number, and returns its registration. An older one of the number ends.
    pub(super) fn register(&mut self, number: RawFd, file: Identity, holds_locks: bool) -> u64 {
        self.registrations += 1;
        let registration = self.registrations;
        self.by_number.insert(number, Entry { registration, file, holds_locks });
        registration
    }

    /// Returns the entry of a number, if it still has this registration.
    pub(super) fn find(&self, number: RawFd, registration: u64) -> Option<&Entry> {
        self.by_number.get(&number).filter(|entry| entry.registration == registration)
    }

    /// Ends a registration. Returns `None` if it has ended already.
    pub(super) fn remove(&mut self, number: RawFd, registration: u64) -> Option<Entry> {
        self.find(number, registration)?;
        self.by_number.remove(&number)
    }

    /// Replaces the lock files by `empty`, or closes them if there is none.
    ///
    /// Uses only what is allowed between `fork` and `exec`: no allocation, no other lock.
    ///
    /// # Safety
    /// Called in a forked child only, before it runs any code of its own.
    pub(super) unsafe fn replace_lock_files(&mut self, empty: Option<(BorrowedFd<'_>, Identity)>) {
        let lock_files = self.by_number.iter_mut().filter(|(_, entry)| entry.holds_locks);
        for (&number, entry) in lock_files.filter(|(number, entry)| refers_to(**number, entry.file))
        {
            // SAFETY: the descriptor refers to the lock file, which is used for locks only, and
            // which an inherited handle does not use.
            let mut descriptor = unsafe { BorrowedDescriptor::borrow(number) };
            entry.holds_locks = false;
            match empty.filter(|(file, _)| descriptor.replace_by(*file)) {
                Some((_, identity)) => entry.file = identity,
                // To close the child's descriptor does not release the parent's locks either.
                None => {
                    entry.registration = Self::NONE;
                    // SAFETY: without its registration, the owner does not close the number.
                    unsafe { descriptor.close() };
                }
            }
        }
    }

    /// The registration of no value.
    const NONE: u64 = 0;
}

/// Returns whether the number refers to `file` now.
pub(super) fn refers_to(number: RawFd, file: Identity) -> bool {
    // SAFETY: the number may belong to any file or to none: `fstat` handles both.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    status::identity(descriptor) == Ok(file)
}

/// A descriptor with another owner, whose file is to be replaced.
struct BorrowedDescriptor(ManuallyDrop<OwnedFd>);

impl BorrowedDescriptor {
    /// Borrows a descriptor.
    ///
    /// # Safety
    /// `descriptor` is open, and no use by its owner depends on the file that it refers to.
    unsafe fn borrow(descriptor: RawFd) -> Self {
        use std::os::fd::FromRawFd;
        // SAFETY: the descriptor is open, as the caller promises; `ManuallyDrop` leaves closing to
        // the owner.
        Self(ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }

    /// Returns whether the descriptor refers to `file` now.
    fn replace_by(&mut self, file: BorrowedFd<'_>) -> bool {
        system::replace(&mut self.0, file).is_ok()
    }

    /// Closes it.
    ///
    /// # Safety
    /// The owner does not close it.
    unsafe fn close(mut self) {
        // SAFETY: the owner does not close it, and this value is not used again.
        unsafe { ManuallyDrop::drop(&mut self.0) };
    }
}
