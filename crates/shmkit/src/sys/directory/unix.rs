//! Opening with `O_NOFOLLOW | O_NONBLOCK`; renaming without replacing; the right to remove a name.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, RawMode, RenameFlags, StatVfsMountFlags};
use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Result};
use crate::sys::fork::OwnedFile;
use crate::sys::limits::{not_created, not_opened};
use crate::sys::opening::Opening;
use crate::sys::status::Status;

/// What a file under a temporary name is that no process uses.
pub(crate) const LEFT_OVER: &str = "its creator died before it had a name";

/// Returns whether the system gives a file name another meaning.
pub(crate) fn is_reserved(_file_name: &str) -> bool {
    false
}

/// Whether no name can lead to a file again for which [`is_unlinked`] returned true.
pub(crate) const UNLINKED_FOR_GOOD: bool = true;

/// Returns whether a file has no name any more.
pub(crate) fn is_unlinked(file: &OwnedFile, _path: &Path) -> Result<bool> {
    Ok(file.status()?.links == 0)
}

/// Returns what the file system reports about the file at `path`. Does not follow a symbolic link.
pub(crate) fn status_of_name(path: &Path) -> Result<Status> {
    let stat = rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).map_err(Error::from_os)?;
    Ok(stat.into())
}

/// Opens the file at `path`. Does not follow a symbolic link, and does not wait for the other end
/// of a FIFO.
pub(crate) fn open(path: &Path, opening: Opening) -> Result<File> {
    let access = match opening {
        Opening::ReadOnly => OFlags::RDONLY,
        Opening::ReadWrite => OFlags::RDWR,
    };
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match rustix::fs::openat(CWD, path, access | flags, Mode::empty()) {
        Ok(file) => Ok(file.into()),
        Err(Errno::LOOP) => Err(Error::new(ErrorKind::WrongKind, "it is a symbolic link")),
        Err(Errno::ISDIR) => Err(Error::new(ErrorKind::WrongKind, "it is a directory")),
        Err(Errno::NXIO) => Err(Error::new(ErrorKind::WrongKind, "it is a FIFO or a socket")),
        // The error for a socket on macOS.
        Err(Errno::OPNOTSUPP) if cfg!(target_os = "macos") => {
            Err(Error::new(ErrorKind::WrongKind, "it is a socket"))
        }
        Err(error) => Err(not_opened(error)),
    }
}

/// Creates a file under a temporary name, with these permission bits.
pub(crate) fn new_temporary(path: &Path, mode: u32) -> Result<File> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(CWD, path, flags, Mode::RUSR | Mode::WUSR);
    let within = || rustix::fs::statvfs(path.parent().unwrap_or(Path::new(".")));
    let file = file.map_err(|error| not_created(error, within()))?.into();
    set_mode(&file, mode).inspect_err(|_| _ = unlink(path))?;
    Ok(file)
}

/// Gives a file its final name in place of the temporary one. Does not replace an existing name.
pub(crate) fn rename_temporary(from: &Path, to: &Path) -> Result<()> {
    let unsupported = [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOTSUP];
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(error) if unsupported.contains(&error) => {
            rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty()).map_err(Error::from_os)?;
            // CRASH: a process that dies here leaves two names; the sweep removes the temporary
            // one.
            unlink(from)
        }
        answer => answer.map_err(Error::from_os),
    }
}

/// Sets the permission bits, whatever the umask.
pub(super) fn set_mode(file: &File, mode: u32) -> Result<()> {
    rustix::fs::fchmod(file, Mode::from_raw_mode(mode as RawMode)).map_err(Error::from_os)
}

/// Keeps data that belongs in memory off the disk. Does nothing here: the directory decides that.
pub(crate) fn keep_off_disk(_file: &File) -> Result<()> {
    Ok(())
}

/// Writes all of `bytes` at `offset`.
pub(crate) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> Result<()> {
    file.write_all_at(bytes, offset).map_err(Error::from_os)
}

/// Reads until `bytes` is full or the file ends. Returns how many bytes it read.
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

/// Returns whether this process may remove a name whose file belongs to `owner`.
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

/// Returns whether the file system is mounted so that nothing on it can be changed.
pub(crate) fn is_read_only(path: &Path) -> bool {
    let mounted = rustix::fs::statvfs(path);
    mounted.is_ok_and(|it| it.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// Removes the name.
pub(crate) fn unlink(path: &Path) -> Result<()> {
    rustix::fs::unlinkat(CWD, path, AtFlags::empty()).map_err(Error::from_os)
}

/// Whether the last process that has a removed file open must delete it.
pub(super) const MUST_FINISH_UNLINK: bool = false;

/// Does nothing: the system deletes a file without a name after its last use.
pub(super) fn finish_unlink(_file: &File, _path: &Path) {}
