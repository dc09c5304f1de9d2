//! Memory with a name or without one, whose every byte belongs to the user.
//!
//! On Linux the `SharedMemory` named `prices` is the file `/dev/shm/prices`. It has no header, and
//! its size is exact. So `shm_open`, Boost's `shared_memory_object` and Python's
//! `multiprocessing.shared_memory` find the same memory by that name. For the same reason the
//! environment variable `SHMKIT_DIR`, which moves objects, does not move it. On Windows it is the
//! section that `CreateFileMapping` creates and opens by that name.

use std::borrow::Cow;
use std::fs::File;

use super::backing::{self, Backing};
use super::raw_name::RawName;
use super::region::{Region, RegionOptions};
use super::{Access, Trust};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::file::SealKind;
use crate::sys::random::random;
use crate::sys::{directory, file, memory};

/// The name of anonymous memory in errors.
const ANONYMOUS: &str = "<anonymous>";
/// The name in errors of memory that got none.
const UNIQUE: &str = "<unique name>";

/// Options for creating or opening [`SharedMemory`].
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
    all_sessions: bool,
    trust: Trust,
}

impl SharedMemoryOptions {
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
    /// gets no space, a copy in or out of a [`Region`] is `OutOfSpace`, and an access through
    /// [`Region::as_ptr`] or a [`View`](super::View) ends the process by SIGBUS:
    /// [`Region::prefault`] commits the pages of a region before. What
    /// [`SharedMemory::set_size`] adds is committed.
    ///
    /// Windows always counts all of it as committed, and so refuses memory that is larger than what
    /// is left.
    pub fn sparse(mut self) -> Self {
        self.sparse = true;
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

    /// Creates memory as [`SharedMemory::create`] does, with these options.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`.
    pub fn create(&self, name: &str, size: u64) -> Result<SharedMemory> {
        let name = RawName::new(name)?;
        self.create_named(&name, size).map_err(|error| error.doing("create").on(name.as_str()))
    }

    /// Creates memory as [`SharedMemory::create_unique`] does, with these options.
    ///
    /// # Errors
    ///
    /// Those of [`SharedMemory::create_unique`].
    pub fn create_unique(&self, size: u64) -> Result<SharedMemory> {
        let create = || {
            let number = u64::from_le_bytes(random()?);
            self.create_named(&RawName::new(&format!("shmkit-{number:016x}"))?, size)
        };
        untaken(create).map_err(|error| error.doing("create").on(UNIQUE))
    }

    /// Opens memory as [`SharedMemory::open`] does, with these options.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`, `WrongKind`.
    pub fn open(&self, name: &str) -> Result<SharedMemory> {
        let name = RawName::new(name)?;
        self.open_named(&name).map_err(|error| error.doing("open").on(name.as_str()))
    }

    /// Opens or creates memory as [`SharedMemory::open_or_create`] does, with these options.
    ///
    /// # Errors
    ///
    /// `InvalidName`, `OutOfSpace`, `PermissionDenied`, `WrongKind`; `WrongOptions` if it exists
    /// with another size; `Busy` if other processes keep creating and removing it.
    pub fn open_or_create(&self, name: &str, size: u64) -> Result<SharedMemory> {
        let name = RawName::new(name)?;
        self.open_or_create_named(&name, size)
            .map_err(|error| error.doing("open or create").on(name.as_str()))
    }

    /// Returns the name for the system.
    fn system_name<'n>(&self, name: &'n RawName) -> Cow<'n, str> {
        if self.all_sessions { memory::global_name(name.as_str()) } else { name.as_str().into() }
    }

    fn create_named(&self, name: &RawName, size: u64) -> Result<SharedMemory> {
        let mode = self.access.mode(self.read_only_peers);
        let created = memory::create(&self.system_name(name), size, mode, self.sparse)?;
        let backing = match self.read_only {
            true => backing::reopened(&created, || Ok(self.open_named(name)?.backing))?,
            false => Backing::open(|| Ok(created), name.as_str().to_owned())?.0.created(),
        };
        Ok(SharedMemory { backing, is_named: true })
    }

    fn open_named(&self, name: &RawName) -> Result<SharedMemory> {
        let opening = if self.read_only {
            directory::Opening::ReadOnly
        } else {
            directory::Opening::ReadWrite
        };
        let open = || memory::open(&self.system_name(name), opening);
        let (backing, status) = Backing::open(open, name.as_str().to_owned())?;
        self.trust.check(status.owner)?;
        if status.links > 1 {
            let why = format!("it has {} names, and another user can have added one", status.links);
            return Err(Error::new(ErrorKind::PermissionDenied, why));
        }
        Ok(SharedMemory { backing, is_named: true })
    }

    fn open_or_create_named(&self, name: &RawName, size: u64) -> Result<SharedMemory> {
        let open = || {
            let opened = self.open_named(name)?;
            opened.backing.check_size(size, memory::rounded_size(size))?;
            Ok(opened)
        };
        backing::open_or_create(open, || self.create_named(name, size))
    }
}

/// Creates memory by `create`, which chooses another name each time, until that is not taken: the
/// first one is, next to certainly.
fn untaken(create: impl Fn() -> Result<SharedMemory>) -> Result<SharedMemory> {
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

/// What a seal on anonymous memory forbids, permanently and for all processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seal {
    /// Changes of the size. Without this seal, a peer can shrink the memory, and a process that
    /// accesses the missing part is killed.
    Size,
    /// Writing, except through regions that exist already. For data that peers only read.
    NewWriters,
}

impl From<Seal> for SealKind {
    fn from(seal: Seal) -> Self {
        match seal {
            Seal::Size => Self::Resizing,
            Seal::NewWriters => Self::NewWriters,
        }
    }
}

/// Bytes that processes share, with a name or without one.
///
/// The memory has no header and no structure. `shm_open`, Boost's `shared_memory_object` and
/// Python's `multiprocessing.shared_memory` find the same memory by its name. It stays until it is
/// removed or the machine restarts. Handles and regions of removed memory keep working.
///
/// A name has 1 to 255 bytes. It contains no `/`, except for a leading one, which is ignored, and
/// does not end in `.shmkit`. On Linux the memory is the file of that name in `/dev/shm`.
///
/// On Windows it is a section of the page file. The size is a number of whole pages and cannot
/// change. Memory and name live until the last handle and region end. A name has up to 260 UTF-16
/// units, and no `\` except in the prefixes `Local\` and `Global\`; a `/` is a letter like others.
/// It is local to the session, unless it begins with `Global\`.
///
/// Forked children inherit a handle and its regions. Anonymous memory has no name. Other processes
/// get it by inheritance, or get its descriptor ([`SharedMemory::file`]) through a Unix socket or
/// as a standard stream. If the process closed the descriptor (`closefrom`), all operations of the
/// handle fail with `RoleLost`, and its regions stay.
///
/// # If a process dies
///
/// New memory is complete before it gets its name, so a creator that is killed leaves no name.
/// Bytes that a process wrote before its death stay.
///
/// # Examples
///
/// ```
/// use shmkit::memory::SharedMemory;
/// # let name = &format!("doc-shared-memory-{}", std::process::id());
///
/// let memory = SharedMemory::create(name, 100)?;
/// memory.map()?.fill(.., 1)?;
///
/// // In another process:
/// let memory = SharedMemory::open(name)?;
/// let mut bytes = [0; 100];
/// memory.map()?.read_at(0, &mut bytes)?;
/// assert_eq!(bytes, [1; 100]);
///
/// # #[cfg(unix)]
/// SharedMemory::remove(name)?;
/// # Ok::<(), shmkit::Error>(())
/// ```
#[derive(Debug)]
#[doc(alias = "shm_open")]
#[doc(alias = "CreateFileMapping")]
#[doc(alias = "shared_memory_object")]
pub struct SharedMemory {
    backing: Backing,
    is_named: bool,
}

impl SharedMemory {
    /// Creates memory of `size` bytes, all zeros and all committed, for reading and writing.
    ///
    /// Other processes see the complete memory or none. If several processes race for the name, one
    /// wins. Memory of size 0 must be resized before it is mapped. A full file system is an error.
    /// A process that exceeds its memory cgroup is killed.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`.
    pub fn create(name: &str, size: u64) -> Result<Self> {
        Self::options().create(name, size)
    }

    /// Opens existing memory for reading and writing.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`; `PermissionDenied`, also for memory of another user, unless
    /// [`SharedMemoryOptions::trust`] accepts it; `WrongKind` for a symbolic link, a FIFO or a
    /// directory.
    pub fn open(name: &str) -> Result<Self> {
        Self::options().open(name)
    }

    /// Opens the memory, or creates it if it does not exist. If processes race, one of them creates
    /// it: [`was_created`](Self::was_created) returns whether this one did.
    ///
    /// # Errors
    ///
    /// `InvalidName`, `OutOfSpace`, `PermissionDenied`, `WrongKind`; `WrongOptions` if it exists
    /// with another size; `Busy` if other processes keep creating and removing it.
    pub fn open_or_create(name: &str, size: u64) -> Result<Self> {
        Self::options().open_or_create(name, size)
    }

    /// Creates memory of `size` bytes, all zeros and all committed, under a new random name:
    /// `shmkit-` and 16 hexadecimal digits. [`name`](Self::name) returns it, to pass it to other
    /// processes.
    ///
    /// # If a process dies
    ///
    /// The memory stays until it is removed or the machine restarts, also if no other process
    /// learned of its name. [Anonymous](Self::anonymous) memory goes with its last user.
    ///
    /// # Platforms
    ///
    /// On Linux `ls /dev/shm` shows it, also after its creator died. On Windows it goes with its
    /// last handle and region. macOS has no list of such names.
    ///
    /// # Errors
    ///
    /// `OutOfSpace`, `PermissionDenied`; `Busy` if the system's random numbers repeat.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use std::process::Command;
    /// # use shmkit::SharedMemory;
    /// let frames = SharedMemory::create_unique(1 << 20)?;
    /// let name = frames.name().expect("it has a name");
    /// let mut decoder = Command::new("./decoder").arg(name).spawn()?;
    /// decoder.wait()?;
    /// SharedMemory::remove(name)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create_unique(size: u64) -> Result<Self> {
        Self::options().create_unique(size)
    }

    /// Returns the options at their defaults.
    pub fn options() -> SharedMemoryOptions {
        SharedMemoryOptions {
            access: Access::Owner,
            read_only_peers: false,
            read_only: false,
            sparse: false,
            all_sessions: false,
            trust: Trust::Own,
        }
    }

    /// Creates memory of `size` bytes without a name, all zeros and all committed. It lives until
    /// its last handle and region end.
    ///
    /// # Errors
    ///
    /// `OutOfSpace`, also if the machine has less memory left; or another error of the system.
    #[doc(alias = "memfd_create")]
    pub fn anonymous(size: u64) -> Result<Self> {
        let create = || {
            let file = file::anonymous("shmkit", size)?;
            Backing::open(|| Ok(file), ANONYMOUS.to_owned())
        };
        let (backing, _) = create().map_err(|error| error.doing("create").on(ANONYMOUS))?;
        Ok(Self { backing: backing.created(), is_named: false })
    }

    /// Takes memory that another process passed on as its [`SharedMemory::file`].
    ///
    /// Other processes that have the memory can change its size, unless [`SharedMemory::is_sealed`]
    /// confirms [`Seal::Size`].
    ///
    /// # Errors
    ///
    /// `WrongKind` if it is neither memory nor a regular file.
    pub fn from_file(file: File) -> Result<Self> {
        let backing = Backing::open(|| Ok(file), ANONYMOUS.to_owned());
        let (backing, _) = backing.map_err(|error| error.doing("take").on(ANONYMOUS))?;
        Ok(Self { backing, is_named: false })
    }

    /// Removes the name, which is free at once. Processes that have the memory open keep it.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`; `WrongKind` for a directory; on Windows
    /// `Unsupported`, because the name lives as long as the memory.
    #[doc(alias = "shm_unlink")]
    pub fn remove(name: &str) -> Result<()> {
        let name = RawName::new(name)?;
        memory::remove(name.as_str()).map_err(|error| error.doing("remove").on(name.as_str()))
    }

    /// Returns whether this handle created the memory. False: it opened memory that was there, or
    /// took a file.
    pub fn was_created(&self) -> bool {
        self.backing.was_created()
    }

    /// Returns the name, or `None` for anonymous memory.
    pub fn name(&self) -> Option<&str> {
        self.is_named.then(|| self.backing.label())
    }

    /// Returns the present size in bytes.
    ///
    /// # Errors
    ///
    /// Any error of the system.
    pub fn size(&self) -> Result<u64> {
        self.backing.size()
    }

    /// Changes the size. New bytes are zeros and committed.
    ///
    /// Regions keep their length. If a region extends beyond the new end, the system kills a
    /// process that accesses the missing part. So shrink memory only if all its users know about
    /// it.
    ///
    /// # Errors
    ///
    /// `OutOfSpace`; `PermissionDenied` for a read-only handle and for sealed memory; `Unsupported`
    /// on Windows.
    pub fn set_size(&self, size: u64) -> Result<()> {
        self.backing.set_size(size)
    }

    /// Returns whether this handle is read-only.
    pub fn is_read_only(&self) -> bool {
        !self.backing.is_writable()
    }

    /// Sets a seal on anonymous memory.
    ///
    /// # Errors
    ///
    /// `Unsupported` for named memory.
    pub fn seal(&self, seal: Seal) -> Result<()> {
        let seal = || file::seal(self.backing.open_file()?, seal.into());
        seal().map_err(|error| self.backing.with_context(error, "seal"))
    }

    /// Returns whether a seal is set.
    ///
    /// # Errors
    ///
    /// Any error of the system.
    pub fn is_sealed(&self, seal: Seal) -> Result<bool> {
        let is_sealed = || file::is_sealed(self.backing.open_file()?, seal.into());
        is_sealed().map_err(|error| self.backing.with_context(error, "get the seals of"))
    }

    /// Returns whether the name does not lead to this memory any more: a process removed it, and
    /// other memory may have the name. One system call. False for anonymous memory.
    ///
    /// # Errors
    ///
    /// Any error of the system; `Unsupported` on macOS. On Windows the name lives as long as the
    /// memory.
    pub fn is_removed(&self) -> Result<bool> {
        let Some(name) = self.name() else { return Ok(false) };
        let identity = self.backing.status().map(|status| status.identity);
        let is_removed = identity.and_then(|identity| memory::is_removed(name, identity));
        is_removed.map_err(|error| self.backing.with_context(error, "ask for the name of"))
    }

    /// Maps the whole memory with the access of this handle.
    ///
    /// # Errors
    ///
    /// As for [`RegionOptions::map`]: `OutOfSpace`; `InvalidArgument` if the memory is empty.
    pub fn map(&self) -> Result<Region> {
        self.region().map()
    }

    /// Returns the options for mapping a part of the memory, or with another access.
    pub fn region(&self) -> RegionOptions<'_> {
        RegionOptions::new(&self.backing)
    }

    /// Returns the open file, to pass it to another process. It has close-on-exec. On Windows it is
    /// the handle of the section, which can be duplicated and mapped, but not read like a file.
    pub fn file(&self) -> &File {
        self.backing.file()
    }

    /// Converts the handle into its open file, as [`SharedMemory::file`] returns it.
    ///
    /// # Errors
    ///
    /// `RoleLost` if the process closed the file's descriptor.
    pub fn into_file(self) -> Result<File> {
        self.backing.into_file()
    }
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
