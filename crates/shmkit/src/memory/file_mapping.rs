//! Files to map, at any path.

use std::fs::File;
use std::path::Path;

use super::backing::{self, Backing};
use super::region::{Region, RegionOptions};
use super::{Access, attempts};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::directory::{self, Opening};
use crate::sys::file;

/// Options for creating or opening a [`FileMapping`].
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing happens before `create`, `open` or `open_or_create`"]
pub struct FileMappingOptions {
    access: Access,
    read_only_peers: bool,
    read_only: bool,
    follows: bool,
}

impl FileMappingOptions {
    /// Sets which users may use a new file. The default is the owner only, whatever the umask.
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Makes a new file read-only for all users that `access` admits, except the owner.
    pub fn read_only_peers(mut self) -> Self {
        self.read_only_peers = true;
        self
    }

    /// Opens the file read-only.
    ///
    /// On overlayfs, which is the own file system of a container, the system copies a file when it
    /// is first opened for writing. A region that was mapped before shows the old file for ever:
    /// see [`follow_writers`](Self::follow_writers).
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Makes regions of a read-only file show what other processes write later, also on overlayfs:
    /// there the file is first opened for writing, so that it is copied now. Without it, a large
    /// file of an image is mapped without a copy.
    ///
    /// `open` then gives `Unsupported` on overlayfs if this process may not write to the file. It
    /// closes a second descriptor there, which drops the plain `fcntl` locks that the process has
    /// on the file.
    pub fn follow_writers(mut self) -> Self {
        self.follows = true;
        self
    }

    /// Creates a file as [`FileMapping::create`] does, with these options.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `OutOfSpace`, `PermissionDenied`; `NotFound` if the directory is missing.
    pub fn create(&self, path: impl AsRef<Path>, size: u64) -> Result<FileMapping> {
        let path = path.as_ref();
        self.create_at(path, size).map_err(|error| error.doing("create").on(path.display()))
    }

    /// Opens a file as [`FileMapping::open`] does, with these options.
    ///
    /// # Errors
    ///
    /// `NotFound`, `PermissionDenied`; `WrongKind` if it is not a regular file.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<FileMapping> {
        let path = path.as_ref();
        self.open_at(path).map_err(|error| error.doing("open").on(path.display()))
    }

    /// Opens or creates a file as [`FileMapping::open_or_create`] does, with these options.
    ///
    /// # Errors
    ///
    /// `OutOfSpace`, `PermissionDenied`, `WrongKind`; `NotFound` if the directory or the target of
    /// a symbolic link is missing; `WrongOptions` if the file exists with another size; `Busy` if
    /// other processes keep creating and removing it.
    pub fn open_or_create(&self, path: impl AsRef<Path>, size: u64) -> Result<FileMapping> {
        let path = path.as_ref();
        let open = || {
            let opened = self.open_at(path)?;
            opened.backing.check_size(size, size)?;
            Ok(opened)
        };
        let create = || match self.create_at(path, size) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && leads_to_nothing(path) => {
                let why = "it is a symbolic link whose target does not exist";
                Err(Error::new(ErrorKind::NotFound, why))
            }
            answer => answer,
        };
        let opened = attempts::open_or_create(open, create);
        opened.map_err(|error| error.doing("open or create").on(path.display()))
    }

    fn create_at(&self, path: &Path, size: u64) -> Result<FileMapping> {
        let mode = self.access.mode(self.read_only_peers);
        let created = directory::create_whole(path, size, mode)?;
        let backing = match self.read_only {
            true => backing::reopened(&created, || Ok(self.open_at(path)?.backing))?,
            false => Backing::open(|| Ok(created), path.display().to_string())?.0.created(),
        };
        Ok(FileMapping { backing })
    }

    fn open_at(&self, path: &Path) -> Result<FileMapping> {
        // Not by the closure: the path can be on a network, and its file system can take long.
        let open = |path: &Path, opening| file::open_path(path, opening == Opening::ReadWrite);
        let opened = match (self.read_only, self.follows) {
            (true, true) => directory::open_to_follow(path, open),
            (true, false) => open(path, Opening::ReadOnly),
            (false, _) => open(path, Opening::ReadWrite),
        }?;
        let (backing, _) = Backing::open(|| Ok(opened), path.display().to_string())?;
        Ok(FileMapping { backing })
    }
}

/// Returns whether `path` is a symbolic link whose target does not exist.
fn leads_to_nothing(path: &Path) -> bool {
    path.is_symlink() && !path.exists()
}

/// A file whose bytes can be mapped: bytes that are written through a region are the bytes of the
/// file.
///
/// Any path works: symbolic links are followed, and files of other users are opened if the system
/// allows it. Directories, FIFOs and devices are refused. To remove or rename the file, use
/// `std::fs`. If the process closed the file's descriptor (`closefrom`), all operations of the
/// handle fail with `RoleLost`, and its regions stay.
///
/// As POSIX demands, closing any descriptor of a file drops all plain `fcntl` locks (`F_SETLK`)
/// that the process has on it: so does dropping this handle. Locks of open file descriptions, such
/// as a [`FileLock`](crate::sync::FileLock), stay.
///
/// # If a process dies
///
/// A new file is complete before it gets its name, so a creator that is killed leaves a complete
/// file or none; where the file system has no unnamed files, it can leave a file `.*.shmkit-new`.
/// Bytes that the process wrote through a region before its death are in the file.
///
/// # Examples
///
/// ```
/// use shmkit::memory::FileMapping;
///
/// # let path = std::env::temp_dir().join(format!("doc-file-{}", std::process::id()));
/// let file = FileMapping::create(&path, 1000)?;
/// let region = file.map()?;
/// region.write_at(990, b"0123456789")?;
/// region.flush(990..)?;
///
/// assert!(std::fs::read(&path)?.ends_with(b"0123456789"));
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[doc(alias = "file_mapping")]
pub struct FileMapping {
    backing: Backing,
}

impl FileMapping {
    /// Creates a file of `size` bytes, all zeros and all committed, for reading and writing.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `OutOfSpace`, `PermissionDenied`; `NotFound` if the directory is missing.
    pub fn create(path: impl AsRef<Path>, size: u64) -> Result<Self> {
        Self::options().create(path, size)
    }

    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    ///
    /// `NotFound`, `PermissionDenied`; `WrongKind` if it is not a regular file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(path)
    }

    /// Opens the file, or creates it if it does not exist. If processes race, one of them creates
    /// it: [`was_created`](Self::was_created) returns whether this one did.
    ///
    /// # Errors
    ///
    /// `OutOfSpace`, `PermissionDenied`, `WrongKind`; `NotFound` if the directory or the target of
    /// a symbolic link is missing; `WrongOptions` if the file exists with another size; `Busy` if
    /// other processes keep creating and removing it.
    pub fn open_or_create(path: impl AsRef<Path>, size: u64) -> Result<Self> {
        Self::options().open_or_create(path, size)
    }

    /// Returns the options at their defaults.
    pub fn options() -> FileMappingOptions {
        FileMappingOptions {
            access: Access::Owner,
            read_only_peers: false,
            read_only: false,
            follows: false,
        }
    }

    /// Takes a file that is open for reading, or for reading and writing.
    ///
    /// # Errors
    ///
    /// `WrongKind` if it is not a regular file.
    pub fn from_file(file: File) -> Result<Self> {
        const LABEL: &str = "<open file>";
        let backing = Backing::open(|| Ok(file), LABEL.to_owned());
        Ok(Self { backing: backing.map_err(|error| error.doing("take").on(LABEL))?.0 })
    }

    /// Returns whether this handle created the file. False: it opened a file that was there.
    pub fn was_created(&self) -> bool {
        self.backing.was_created()
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
    /// process that accesses the missing part. So shrink a file only if all its users know about
    /// it.
    ///
    /// # Errors
    ///
    /// `OutOfSpace`; `PermissionDenied` for a read-only handle; on Windows `Busy` if a process has
    /// mapped bytes beyond the new size.
    pub fn set_size(&self, size: u64) -> Result<()> {
        self.backing.set_size(size)
    }

    /// Returns whether this handle is read-only.
    pub fn is_read_only(&self) -> bool {
        !self.backing.is_writable()
    }

    /// Returns whether the file was removed: no name leads to it any more. A file that was renamed,
    /// or that has another hard link, is not removed. One system call.
    ///
    /// # Errors
    ///
    /// Any error of the system.
    pub fn is_removed(&self) -> Result<bool> {
        let status = self.backing.status();
        let links = status.map(|status| status.links);
        Ok(links.map_err(|error| self.backing.with_context(error, "ask for the names of"))? == 0)
    }

    /// Maps the whole file with the access of this handle.
    ///
    /// # Errors
    ///
    /// As for [`RegionOptions::map`]: `OutOfSpace`; `InvalidArgument` if the file is empty.
    pub fn map(&self) -> Result<Region> {
        self.region().map()
    }

    /// Returns the options for mapping a part of the file, or with another access.
    pub fn region(&self) -> RegionOptions<'_> {
        RegionOptions::new(&self.backing)
    }

    /// Returns the open file.
    pub fn file(&self) -> &File {
        self.backing.file()
    }
}
