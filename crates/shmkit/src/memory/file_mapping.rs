//! Files to be mapped, wherever they are.

use std::fs::File;
use std::path::Path;

use super::Access;
use super::backing::Backing;
use super::region::{Region, RegionOptions};
use crate::error::Result;
use crate::sys::{directory, file};

/// Choices for making or opening a [`FileMapping`].
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing happens before `create` or `open`"]
pub struct FileMappingOptions {
    access: Access,
    read_only_peers: bool,
    read_only: bool,
}

impl FileMappingOptions {
    /// Who may use a file that is created. The default is its owner alone, whatever the umask.
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Lets those whom `access` admits besides the owner read, and not write.
    pub fn read_only_peers(mut self) -> Self {
        self.read_only_peers = true;
        self
    }

    /// Opens for reading alone.
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// As [`FileMapping::create`], with these choices.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn create(&self, path: impl AsRef<Path>, size: u64) -> Result<FileMapping> {
        let path = path.as_ref();
        self.create_at(path, size).map_err(|error| error.doing("create").on(path.display()))
    }

    /// As [`FileMapping::open`], with these choices.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<FileMapping> {
        let path = path.as_ref();
        self.open_at(path).map_err(|error| error.doing("open").on(path.display()))
    }

    fn create_at(&self, path: &Path, size: u64) -> Result<FileMapping> {
        let mode = self.access.mode(self.read_only_peers);
        let created = directory::create_whole(path, size, mode)?;
        if self.read_only {
            return self.open_at(path);
        }
        let (backing, _) = Backing::new(created, path.display().to_string())?;
        Ok(FileMapping { backing })
    }

    fn open_at(&self, path: &Path) -> Result<FileMapping> {
        let opened = file::open_path(path, !self.read_only)?;
        let (backing, _) = Backing::new(opened, path.display().to_string())?;
        Ok(FileMapping { backing })
    }
}

/// A file whose bytes can be mapped: what is written through a region is what others read from the
/// file.
///
/// The path is the caller's: symbolic links are followed, and files of others are opened if the
/// system allows it. Directories, FIFOs and devices are refused. Removing and renaming are the
/// business of `std::fs`.
///
/// # If a process dies
///
/// A new file is made whole before it has its name, on all file systems that have unnamed files.
/// What a process wrote through a region reaches the file, as far as it came.
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
    /// Makes a file of `size` bytes, all 0 and all committed, for reading and writing.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `OutOfSpace`, `PermissionDenied`; `NotFound` where the directory is
    /// missing.
    pub fn create(path: impl AsRef<Path>, size: u64) -> Result<Self> {
        Self::options().create(path, size)
    }

    /// Opens an existing file, for reading and writing.
    ///
    /// # Errors
    ///
    /// `NotFound`, `PermissionDenied`; `WrongKind` for what is not a regular file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(path)
    }

    /// The choices that there are, at their defaults.
    pub fn options() -> FileMappingOptions {
        FileMappingOptions { access: Access::Owner, read_only_peers: false, read_only: false }
    }

    /// Takes a file that is open for reading, or for reading and writing.
    ///
    /// # Errors
    ///
    /// `WrongKind` where it is not a regular file.
    pub fn from_file(file: File) -> Result<Self> {
        const LABEL: &str = "<open file>";
        let backing = Backing::new(file, LABEL.to_owned());
        Ok(Self { backing: backing.map_err(|error| error.doing("take").on(LABEL))?.0 })
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
    /// the system: make a file smaller only where all its users know.
    ///
    /// # Errors
    ///
    /// `OutOfSpace`, and `PermissionDenied` for a read-only handle; on Windows `Busy` where it
    /// would cut what is mapped.
    pub fn set_size(&self, size: u64) -> Result<()> {
        self.backing.set_size(size)
    }

    /// Whether this handle can only read.
    pub fn is_read_only(&self) -> bool {
        !self.backing.is_writable()
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

    /// The open file.
    pub fn file(&self) -> &File {
        self.backing.file()
    }
}
