//! The options of memory under a name.

use std::borrow::Cow;

use crate::error::{Error, ErrorKind, Result};
use crate::memory::attempts::{self, ATTEMPTS, contended};
use crate::memory::backing::{self, Backing};
use crate::memory::raw_name::RawName;
use crate::memory::{Access, Trust, while_used};
use crate::sys::directory::{Opening, Status};
use crate::sys::memory;

/// Options for creating or opening [`SharedMemory`](crate::SharedMemory).
///
/// ```
/// # use shmkit::memory::{Access, SharedMemory};
/// # let name = format!("doc-options-{}", std::process::id());
/// let options = SharedMemory::options().access(Access::Group);
/// let memory = options.create(&name, 4096)?;
///
/// let read_only = SharedMemory::options().read_only().open(&name)?;
/// assert!(read_only.is_read_only());
/// # let _ = SharedMemory::remove(&name);
/// # Ok::<(), shmkit::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing happens before `create`, `open` or `open_or_create`"]
pub struct SharedMemoryOptions {
    access: Access,
    read_only_peers: bool,
    read_only: bool,
    sparse: bool,
    while_used: bool,
    all_sessions: bool,
    trust: Trust,
}

impl SharedMemoryOptions {
    pub(super) fn new() -> Self {
        Self {
            access: Access::Owner,
            read_only_peers: false,
            read_only: false,
            sparse: false,
            while_used: false,
            all_sessions: false,
            trust: Trust::Own,
        }
    }

    /// Sets which users may use new memory. The default is the owner only, whatever the umask.
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Makes new memory read-only for all users that `access` admits, except the owner.
    pub fn read_only_peers(mut self) -> Self {
        self.read_only_peers = true;
        self
    }

    /// Opens the memory read-only. This does not change which users may write to new memory.
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Creates memory without reserving its space. Each page takes space from its first use on.
    ///
    /// So memory can be larger than what is left, as long as few of its pages are used. If a page
    /// gets no space, a copy in or out of a [`Region`](crate::memory::Region) is `OutOfSpace`, and
    /// an access through [`as_ptr`](crate::memory::Region::as_ptr) or a
    /// [`View`](crate::memory::View) ends the process by SIGBUS:
    /// [`prefault`](crate::memory::Region::prefault) commits the pages of a region before. What
    /// [`set_size`](crate::SharedMemory::set_size) adds is committed.
    ///
    /// Windows always counts all of it as committed, and so refuses memory that is larger than what
    /// is left.
    pub fn sparse(mut self) -> Self {
        self.sparse = true;
        self
    }

    /// Removes new memory with its last user: a process that drops the last handle or region of the
    /// memory removes the name.
    ///
    /// A user is a process that opened the memory by this library; a child that it forked; or one
    /// that it passed a [descriptor](crate::SharedMemory::file) on to. If the last user ends in
    /// another way than by a drop, the memory stays, and the next process that opens or creates
    /// memory of this name removes it first. These ways are: it is killed, or exits; it closes a
    /// descriptor; another thread was starting a program at that moment, which has a copy of the
    /// descriptor until it runs; it is another user of the machine, who may not remove the file.
    ///
    /// Where processes attach or leave at the same time, a drop waits for them, up to 0.1 seconds.
    /// On Linux the sticky bit of the file marks such memory. On Windows all memory goes with its
    /// last user, whatever program that is.
    ///
    /// # Errors
    ///
    /// Creating such memory is `Unsupported` on macOS.
    pub fn while_used(mut self) -> Self {
        self.while_used = true;
        self
    }

    /// Creates or opens the memory for all sessions of the machine.
    ///
    /// This matters on Windows only, where it puts `Global\` before the name, and where creating
    /// global memory needs a privilege. On other systems all sessions share it in any case.
    pub fn all_sessions(mut self) -> Self {
        self.all_sessions = true;
        self
    }

    /// Sets the users whose memory is opened. The default is this user and the administrator.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// Returns the name for the system.
    fn system_name<'n>(&self, name: &'n RawName) -> Cow<'n, str> {
        if self.all_sessions { memory::global_name(name.as_str()) } else { name.as_str().into() }
    }

    /// Creates the memory under a name.
    pub(super) fn create_named(&self, name: &RawName, size: u64) -> Result<Backing> {
        for _ in 0..ATTEMPTS {
            match self.try_create(name, size) {
                Err(error)
                    if error.kind() == ErrorKind::AlreadyExists
                        && while_used::clear_if_unused(&self.system_name(name), self.trust)? => {}
                Ok(None) => {}
                Ok(Some(created)) if !self.read_only => return Ok(created),
                // `created` is a user until the other one is.
                Ok(Some(created)) => {
                    return backing::reopened(created.file(), || self.open_named(name));
                }
                Err(error) => return Err(error),
            }
        }
        Err(contended())
    }

    /// Creates the memory for reading and writing. `None` if it was removed at once.
    fn try_create(&self, name: &RawName, size: u64) -> Result<Option<Backing>> {
        let mode = self.access.mode(self.read_only_peers);
        let mode = if self.while_used { memory::while_used_mode(mode)? } else { mode };
        let create = || memory::create(&self.system_name(name), size, mode, self.sparse);
        let (backing, status) = Backing::open(create, name.as_str().to_owned())?;
        self.used(name, backing.created(), &status, true)
    }

    /// Makes open memory used, if it is to end with its last user. `None` if it has ended.
    fn used(
        &self,
        name: &RawName,
        backing: Backing,
        status: &Status,
        is_new: bool,
    ) -> Result<Option<Backing>> {
        if !while_used::is_while_used(status) {
            return Ok(Some(backing));
        }
        let name = self.system_name(name);
        let leaving = while_used::attach(backing.file(), &name, status.identity, is_new)?;
        Ok(leaving.map(|it| backing.leaving(it)))
    }

    /// Opens the memory that has the name.
    pub(super) fn open_named(&self, name: &RawName) -> Result<Backing> {
        for _ in 0..ATTEMPTS {
            if let Some(opened) = self.try_open(name)? {
                return Ok(opened);
            }
        }
        Err(contended())
    }

    /// Opens the memory. `None` if it has ended with its last user.
    fn try_open(&self, name: &RawName) -> Result<Option<Backing>> {
        let opening = if self.read_only { Opening::ReadOnly } else { Opening::ReadWrite };
        let open = || memory::open(&self.system_name(name), opening);
        let (backing, status) = Backing::open(open, name.as_str().to_owned())?;
        self.trust.check(status.owner)?;
        if status.links > 1 {
            let why = format!("it has {} names, and another user can have added one", status.links);
            return Err(Error::new(ErrorKind::PermissionDenied, why));
        }
        self.used(name, backing, &status, false)
    }

    /// Opens the memory that has the name, or creates it.
    pub(super) fn open_or_create_named(&self, name: &RawName, size: u64) -> Result<Backing> {
        let open = || {
            let opened = self.open_named(name)?;
            opened.check_size(size, memory::rounded_size(size))?;
            Ok(opened)
        };
        attempts::open_or_create(open, || self.create_named(name, size))
    }
}

/// Creates memory by `create`, which chooses another name each time, until one is free. The first
/// one almost always is.
pub(super) fn untaken(create: impl Fn() -> Result<Backing>) -> Result<Backing> {
    const ATTEMPTS: u32 = 16;
    for _ in 0..ATTEMPTS {
        match create() {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            answer => return answer,
        }
    }
    let why = format!("{ATTEMPTS} random names were taken: the system's random numbers repeat");
    Err(Error::new(ErrorKind::Busy, why))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_name_that_is_always_taken_is_not_tried_for_ever() {
        let tries = Cell::new(0);
        let refused = untaken(|| {
            tries.set(tries.get() + 1);
            Err(Error::new(ErrorKind::AlreadyExists, "the name is taken"))
        });
        assert_eq!((refused.unwrap_err().kind(), tries.get()), (ErrorKind::Busy, 16));
        let other = untaken(|| Err(Error::new(ErrorKind::OutOfSpace, "no space")));
        assert_eq!(other.unwrap_err().kind(), ErrorKind::OutOfSpace);
    }
}
