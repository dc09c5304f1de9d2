//! Memory under a name, or without one, byte for byte as the user lays it out.
//!
//! `SharedMemory` `prices` is the file `/dev/shm/prices`: byte 0 is the user's first, there is no
//! header, and the size is exact. So it is the very object that `shm_open`, Boost's
//! `shared_memory_object` and Python's `multiprocessing.shared_memory` know by that name. For the
//! same reason the environment's `SHMKIT_DIR`, which moves framed objects, does not move it.
//! On Windows it is the section that `CreateFileMapping` makes and opens by that name.

use std::borrow::Cow;
use std::fs::File;

use super::backing::Backing;
use super::raw_name::RawName;
use super::region::{Region, RegionOptions};
use super::{Access, Trust};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::file::SealKind;
use crate::sys::{directory, file, memory, process};

/// What memory without a name is called in errors.
const ANONYMOUS: &str = "<anonymous>";

/// Choices for making or opening [`SharedMemory`].
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
    all_sessions: bool,
    trust: Trust,
}

impl SharedMemoryOptions {
    /// Who may use what is created. The default is its owner alone, whatever the umask.
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Lets those whom `access` admits besides the owner read, and not write.
    pub fn read_only_peers(mut self) -> Self {
        self.read_only_peers = true;
        self
    }

    /// Opens for reading alone. It does not change who may write what is created.
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Makes or opens it for all sessions of the machine. They share it in any case, but on
    /// Windows, where the name then begins with `Global\`, and making it takes a privilege.
    pub fn all_sessions(mut self) -> Self {
        self.all_sessions = true;
        self
    }

    /// Whose memory is opened. The default is this user's and the administrator's.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// As [`SharedMemory::create`], with these choices.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn create(&self, name: &str, size: u64) -> Result<SharedMemory> {
        let name = RawName::new(name)?;
        self.create_named(&name, size).map_err(|error| error.doing("create").on(name.as_str()))
    }

    /// As [`SharedMemory::open`], with these choices.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open(&self, name: &str) -> Result<SharedMemory> {
        let name = RawName::new(name)?;
        self.open_named(&name).map_err(|error| error.doing("open").on(name.as_str()))
    }

    /// As [`SharedMemory::open_or_create`], with these choices.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open_or_create(&self, name: &str, size: u64) -> Result<SharedMemory> {
        let name = RawName::new(name)?;
        self.open_or_create_named(&name, size)
            .map_err(|error| error.doing("open or create").on(name.as_str()))
    }

    /// The name that the system is told.
    fn placed<'n>(&self, name: &'n RawName) -> Cow<'n, str> {
        if self.all_sessions {
            memory::for_all_sessions(name.as_str())
        } else {
            name.as_str().into()
        }
    }

    fn create_named(&self, name: &RawName, size: u64) -> Result<SharedMemory> {
        let mode = self.access.mode(self.read_only_peers);
        let created = memory::create(&self.placed(name), size, mode)?;
        if self.read_only {
            return self.open_named(name);
        }
        let (backing, _) = Backing::new(created, name.as_str().to_owned())?;
        Ok(SharedMemory { backing, is_named: true })
    }

    fn open_named(&self, name: &RawName) -> Result<SharedMemory> {
        let opening = if self.read_only {
            directory::Opening::ReadOnly
        } else {
            directory::Opening::ReadWrite
        };
        let opened = memory::open(&self.placed(name), opening)?;
        let (backing, status) = Backing::new(opened, name.as_str().to_owned())?;
        let me = process::user_id();
        if !self.trust.accepts(status.owner, me) {
            let owner = status.owner;
            let why =
                format!("it belongs to user {owner}, and user {me} did not ask to trust them");
            return Err(Error::new(ErrorKind::PermissionDenied, why));
        }
        if status.links > 1 {
            let why =
                format!("it has {} names, and others than its maker can add one", status.links);
            return Err(Error::new(ErrorKind::PermissionDenied, why));
        }
        Ok(SharedMemory { backing, is_named: true })
    }

    fn open_or_create_named(&self, name: &RawName, size: u64) -> Result<SharedMemory> {
        /// How often the name may come and go under our hands.
        const ATTEMPTS: usize = 100;
        for _ in 0..ATTEMPTS {
            match self.open_named(name) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
                Ok(opened) => {
                    let found = opened.size()?;
                    if found != memory::whole_size(size) {
                        let why = format!("it has {found} bytes, and {size} were asked for");
                        return Err(Error::new(ErrorKind::WrongOptions, why));
                    }
                    return Ok(opened);
                }
            }
            match self.create_named(name, size) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                answer => return answer,
            }
        }
        let why = format!("others made and removed it {ATTEMPTS} times meanwhile");
        Err(Error::new(ErrorKind::Busy, why))
    }
}

/// What can be ruled out for anonymous memory, for ever and for all who have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seal {
    /// Another size. Without it, a peer who cuts the memory ends whoever touches what is gone.
    Size,
    /// Writing, except through regions that exist already: for data that peers only read.
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

/// Bytes that processes share, under a name or without one.
///
/// It has no header and no structure: this is the memory that `shm_open`, Boost's
/// `shared_memory_object` and Python's `multiprocessing.shared_memory` know by the same name. It
/// stays until it is removed or the machine restarts; handles and regions of removed memory go on
/// working.
///
/// A name has 1 to 255 bytes, no `/` but for a leading one, which is dropped, and does not end in
/// `.shmkit`. The memory is the file of that name in `/dev/shm`.
///
/// On Windows it is a section of the page file, and has its rules: the size is whole pages and
/// stays; memory and name go with the last handle and region, and no sooner. A name is local to the
/// session unless it begins with `Global\`.
///
/// Forked children inherit a handle and its regions. Anonymous memory has no name: others get it by
/// inheritance, or by its descriptor ([`SharedMemory::file`]) through a Unix socket or as a
/// standard stream of theirs.
///
/// # If a process dies
///
/// Memory is made whole before it has its name, so a creator that is killed leaves none. What a
/// process wrote stays, as far as it came.
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
    /// Makes memory of `size` bytes, all 0 and all committed, for reading and writing.
    ///
    /// Others see all of it or nothing; of those who race one wins. A size of 0 can be changed
    /// later, and not be mapped before. The file system answers for full memory here; a memory
    /// cgroup that is exceeded ends the process.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`.
    pub fn create(name: &str, size: u64) -> Result<Self> {
        Self::options().create(name, size)
    }

    /// Opens existing memory, for reading and writing.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`; `PermissionDenied` also for memory of another user, unless
    /// [`SharedMemoryOptions::trust`] accepts it; `WrongKind` for what is no memory: a symbolic
    /// link, a FIFO, a directory.
    pub fn open(name: &str) -> Result<Self> {
        Self::options().open(name)
    }

    /// Opens what has the name, or makes it.
    ///
    /// # Errors
    ///
    /// `WrongOptions` where it exists with another size; otherwise as [`SharedMemory::open`] and
    /// [`SharedMemory::create`]. `Busy` where others keep making and removing it.
    pub fn open_or_create(name: &str, size: u64) -> Result<Self> {
        Self::options().open_or_create(name, size)
    }

    /// The choices that there are, at their defaults.
    pub fn options() -> SharedMemoryOptions {
        SharedMemoryOptions {
            access: Access::Owner,
            read_only_peers: false,
            read_only: false,
            all_sessions: false,
            trust: Trust::Own,
        }
    }

    /// Makes memory of `size` bytes without a name, all 0 and all committed. It goes with its last
    /// handle and region.
    ///
    /// # Errors
    ///
    /// `OutOfSpace`, or what the system says.
    #[doc(alias = "memfd_create")]
    pub fn anonymous(size: u64) -> Result<Self> {
        let make = || Self::unnamed(file::anonymous("shmkit", size)?);
        make().map_err(|error| error.doing("create").on(ANONYMOUS))
    }

    /// Takes memory that another process passed on: its [`SharedMemory::file`].
    ///
    /// Nothing is known of its size, which its other holders can change unless
    /// [`Seal::Size`] says otherwise: ask [`SharedMemory::is_sealed`].
    ///
    /// # Errors
    ///
    /// `WrongKind` where it is no memory and no regular file.
    pub fn from_file(file: File) -> Result<Self> {
        Self::unnamed(file).map_err(|error| error.doing("take").on(ANONYMOUS))
    }

    fn unnamed(file: File) -> Result<Self> {
        let (backing, _) = Backing::new(file, ANONYMOUS.to_owned())?;
        Ok(Self { backing, is_named: false })
    }

    /// Removes the name. Those who have the memory keep it; the name is free at once.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`; `WrongKind` for a directory; on Windows
    /// `Unsupported`, since there the name goes with the last who has the memory.
    #[doc(alias = "shm_unlink")]
    pub fn remove(name: &str) -> Result<()> {
        let name = RawName::new(name)?;
        memory::remove(name.as_str()).map_err(|error| error.doing("remove").on(name.as_str()))
    }

    /// Its name, unless it is anonymous.
    pub fn name(&self) -> Option<&str> {
        self.is_named.then(|| self.backing.label())
    }

    /// Its size in bytes at this moment.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn size(&self) -> Result<u64> {
        self.backing.size()
    }

    /// Gives it another size. What is added is 0, and committed.
    ///
    /// Regions keep their length. Whoever touches a part of a region that was cut off is ended by
    /// the system: make memory smaller only where all its users know.
    ///
    /// # Errors
    ///
    /// `OutOfSpace`, and `PermissionDenied` for a read-only handle and for sealed memory;
    /// `Unsupported` on Windows.
    pub fn set_size(&self, size: u64) -> Result<()> {
        self.backing.set_size(size)
    }

    /// Whether this handle can only read.
    pub fn is_read_only(&self) -> bool {
        !self.backing.is_writable()
    }

    /// Rules something out for ever, for all who have this anonymous memory.
    ///
    /// # Errors
    ///
    /// `Unsupported` for named memory.
    pub fn seal(&self, seal: Seal) -> Result<()> {
        file::seal(self.backing.file(), seal.into())
            .map_err(|error| self.backing.say(error, "seal"))
    }

    /// Whether something is ruled out for ever.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn is_sealed(&self, seal: Seal) -> Result<bool> {
        file::is_sealed(self.backing.file(), seal.into())
            .map_err(|error| self.backing.say(error, "look at the seals of"))
    }

    /// All of it, mapped as this handle was opened.
    ///
    /// # Errors
    ///
    /// As [`RegionOptions::map`].
    pub fn map(&self) -> Result<Region> {
        self.region().map()
    }

    /// The way to map a part of it, or in another way.
    pub fn region(&self) -> RegionOptions<'_> {
        self.backing.region()
    }

    /// The open file, to pass on. It is closed when another program is executed. On Windows it is
    /// the section's handle, which can be duplicated and mapped, but not read as files are.
    pub fn file(&self) -> &File {
        self.backing.file()
    }

    /// The open file, as [`SharedMemory::file`], without the handle around it.
    pub fn into_file(self) -> File {
        self.backing.into_file()
    }
}
