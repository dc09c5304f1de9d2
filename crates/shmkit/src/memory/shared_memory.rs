//! Memory with a name or without one, whose every byte belongs to the user.
//!
//! On Linux the `SharedMemory` named `prices` is the file `/dev/shm/prices`. It has no header, and
//! its size is exact. So `shm_open`, Boost's `shared_memory_object` and Python's
//! `multiprocessing.shared_memory` find the same memory by that name. For the same reason the
//! environment variable `SHMKIT_DIR`, which moves objects, does not move it. On Windows it is the
//! section that `CreateFileMapping` creates and opens by that name.

mod options;

use std::fs::File;

pub use self::options::SharedMemoryOptions;
use self::options::untaken;
use super::backing::Backing;
use super::raw_name::RawName;
use super::region::{Region, RegionOptions};
use super::while_used;
use crate::error::Result;
use crate::sys::file::SealKind;
use crate::sys::random::random;
use crate::sys::{file, memory};

/// The name of anonymous memory in errors.
const ANONYMOUS: &str = "<anonymous>";

/// The name in errors of memory that got none.
const UNIQUE: &str = "<unique name>";

impl SharedMemoryOptions {
    /// Creates memory as [`SharedMemory::create`] does, with these options.
    ///
    /// # Errors
    ///
    /// Those of [`SharedMemory::create`]; `Unsupported` as [`while_used`](Self::while_used) says.
    pub fn create(&self, name: &str, size: u64) -> Result<SharedMemory> {
        let name = RawName::new(name)?;
        let created = self.create_named(&name, size);
        SharedMemory::named(created.map_err(|error| error.doing("create").on(name.as_str())))
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
        SharedMemory::named(untaken(create).map_err(|error| error.doing("create").on(UNIQUE)))
    }

    /// Opens memory as [`SharedMemory::open`] does, with these options.
    ///
    /// # Errors
    ///
    /// Those of [`SharedMemory::open`].
    pub fn open(&self, name: &str) -> Result<SharedMemory> {
        let name = RawName::new(name)?;
        let opened = self.open_named(&name);
        SharedMemory::named(opened.map_err(|error| error.doing("open").on(name.as_str())))
    }

    /// Opens or creates memory as [`SharedMemory::open_or_create`] does, with these options.
    ///
    /// # Errors
    ///
    /// Those of [`SharedMemory::open_or_create`], and of [`create`](Self::create).
    pub fn open_or_create(&self, name: &str, size: u64) -> Result<SharedMemory> {
        let name = RawName::new(name)?;
        let opened = self.open_or_create_named(&name, size);
        SharedMemory::named(opened.map_err(|error| error.doing("open or create").on(name.as_str())))
    }
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
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`; `Busy` if other processes
    /// keep attaching to such memory or removing it.
    pub fn create(name: &str, size: u64) -> Result<Self> {
        Self::options().create(name, size)
    }

    /// Opens existing memory for reading and writing.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`; `PermissionDenied`, also for memory of another user, unless
    /// [`SharedMemoryOptions::trust`] accepts it; `WrongKind` for a symbolic link, a FIFO or a
    /// directory; `Busy` if other processes keep removing it.
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
        SharedMemoryOptions::new()
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

    fn named(backing: Result<Backing>) -> Result<Self> {
        Ok(Self { backing: backing?, is_named: true })
    }

    /// Removes the name, which is free at once. Processes that have the memory open keep it.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`; `WrongKind` for a directory; `Busy` if other
    /// processes keep attaching to memory that goes with its last user; on Windows
    /// `Unsupported`, because the name lives as long as the memory.
    #[doc(alias = "shm_unlink")]
    pub fn remove(name: &str) -> Result<()> {
        let name = RawName::new(name)?;
        while_used::remove(name.as_str()).map_err(|error| error.doing("remove").on(name.as_str()))
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
