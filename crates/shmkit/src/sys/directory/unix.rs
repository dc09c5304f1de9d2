//! `O_NOFOLLOW | O_NONBLOCK`; renaming without replacing; who may take a name away.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{
    Access, AtFlags, CWD, FileType as RawType, Mode, OFlags, RawMode, RenameFlags, Stat,
};
use rustix::io::Errno;

use super::{FileType, Identity, Opening, Status, system};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::file::commit;

/// Whether the system means something else by a file name.
pub(crate) fn is_reserved(_file_name: &str) -> bool {
    false
}

impl From<Stat> for Status {
    fn from(stat: Stat) -> Self {
        let file_type = match RawType::from_raw_mode(stat.st_mode) {
            RawType::RegularFile => FileType::Regular,
            RawType::Directory => FileType::Directory,
            RawType::Symlink => FileType::SymbolicLink,
            RawType::Fifo => FileType::Fifo,
            _ => FileType::Other,
        };
        Self {
            identity: system::identity_of(&stat),
            links: system::links_of(&stat),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            committed: u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512),
            owner: stat.st_uid,
            mode: Some(system::mode_of(&stat) & 0o7777),
            file_type,
        }
    }
}

/// Which file a descriptor leads to.
pub(crate) fn identity(file: impl AsFd) -> rustix::io::Result<Identity> {
    Ok(system::identity_of(&rustix::fs::fstat(file)?))
}

/// What the file system says of an open file.
pub(crate) fn status(file: &File) -> Result<Status> {
    Ok(rustix::fs::fstat(file).map_err(Error::from_os)?.into())
}

/// Whether no name leads to the file any more.
pub(crate) fn is_unlinked(file: &File, _path: &Path) -> Result<bool> {
    Ok(status(file)?.links == 0)
}

/// What the file system says of whatever has the name, a symbolic link itself included.
pub(crate) fn status_of_name(path: &Path) -> Result<Status> {
    let stat = rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).map_err(Error::from_os)?;
    Ok(stat.into())
}

/// Opens what has the name, never through a symbolic link, and without waiting for a FIFO's peer.
pub(crate) fn open(path: &Path, opening: Opening) -> Result<File> {
    let access = match opening {
        Opening::ReadOnly => OFlags::RDONLY,
        Opening::ReadWrite => OFlags::RDWR,
    };
    let wary = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match rustix::fs::openat(CWD, path, access | wary, Mode::empty()) {
        Ok(file) => Ok(file.into()),
        Err(Errno::LOOP) => Err(Error::new(ErrorKind::WrongKind, "it is a symbolic link")),
        Err(Errno::ISDIR) => Err(Error::new(ErrorKind::WrongKind, "it is a directory")),
        Err(Errno::NXIO) => Err(Error::new(ErrorKind::WrongKind, "it is a FIFO or a socket")),
        // What macOS says of a socket.
        Err(Errno::OPNOTSUPP) if cfg!(target_os = "macos") => {
            Err(Error::new(ErrorKind::WrongKind, "it is a socket"))
        }
        Err(error) => Err(Error::from_os(error)),
    }
}

/// A new file under a temporary name, with these permission bits.
pub(crate) fn new_temporary(path: &Path, mode: u32) -> Result<File> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(CWD, path, flags, Mode::RUSR | Mode::WUSR);
    let file = file.map_err(Error::from_os)?.into();
    set_mode(&file, mode).inspect_err(|_| _ = unlink(path))?;
    Ok(file)
}

/// Gives a file its final name in place of the temporary one. An existing name stays.
pub(crate) fn rename_temporary(from: &Path, to: &Path) -> Result<()> {
    let cannot = [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOTSUP];
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(error) if cannot.contains(&error) => {
            rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty()).map_err(Error::from_os)?;
            // CRASH: dying here leaves two names; the sweep takes the temporary one away.
            unlink(from)
        }
        answer => answer.map_err(Error::from_os),
    }
}

/// Sets the permission bits, whatever the umask.
pub(super) fn set_mode(file: &File, mode: u32) -> Result<()> {
    rustix::fs::fchmod(file, Mode::from_raw_mode(mode as RawMode)).map_err(Error::from_os)
}

/// Keeps what is only to be in memory off the disk: that is the directory's business here.
pub(crate) fn spare_the_disk(_file: &File) -> Result<()> {
    Ok(())
}

/// Makes the file this large, with all its space committed.
pub(crate) fn reserve(file: &File, size: u64) -> Result<()> {
    commit(file, 0, size)
}

/// Writes all of `bytes` at `offset`.
pub(crate) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> Result<()> {
    file.write_all_at(bytes, offset).map_err(Error::from_os)
}

/// Reads until `bytes` is full or the file ends; says how many bytes there were.
pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::from_os(error)),
        }
    }
    Ok(filled)
}

/// Whether this process may take away a name in a directory, of a file of this owner.
pub(crate) fn may_unlink(path: &Path, owner: u32) -> Result<bool> {
    const STICKY: u32 = 0o1000;
    let directory = path.parent().unwrap_or(Path::new("."));
    let asked = Access::WRITE_OK | Access::EXEC_OK;
    if rustix::fs::accessat(CWD, directory, asked, AtFlags::EACCESS).is_err() {
        return Ok(false);
    }
    let stat = rustix::fs::stat(directory).map_err(Error::from_os)?;
    let me = rustix::process::geteuid().as_raw();
    Ok(Status::from(stat).mode.is_none_or(|mode| mode & STICKY == 0)
        || me == 0
        || me == owner
        || me == stat.st_uid)
}

/// Takes the name away.
pub(crate) fn unlink(path: &Path) -> Result<()> {
    rustix::fs::unlinkat(CWD, path, AtFlags::empty()).map_err(Error::from_os)
}

/// A file without a name goes with its last user by itself.
pub(super) fn finish_unlink(_file: &File, _path: &Path) {}
