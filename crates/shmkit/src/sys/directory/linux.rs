//! `O_TMPFILE` and `linkat`; `O_NOFOLLOW | O_NONBLOCK`; what each file system can do.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, FileType as RawType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use super::{FileType, Identity, Opening, Status, Support};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::file::commit;

/// Where named objects are unless the program or the environment says otherwise.
pub(crate) fn default_path() -> &'static Path {
    Path::new("/dev/shm")
}

/// Whether a character of a name cannot stand in a file name as it is.
pub(crate) fn must_escape(character: char) -> bool {
    character == '/'
}

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
            identity: Identity { device: stat.st_dev, file: stat.st_ino },
            links: stat.st_nlink,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            committed: u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512),
            owner: stat.st_uid,
            mode: stat.st_mode & 0o7777,
            file_type,
        }
    }
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
        Err(error) => Err(Error::from_os(error)),
    }
}

/// A file without a name, or `None` where the file system has none.
pub(crate) fn new_unnamed(directory: &Path) -> Result<Option<File>> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::openat(CWD, directory, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => Ok(Some(file.into())),
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Ok(None),
        Err(error) => Err(Error::from_os(error)),
    }
}

/// Gives an unnamed file its name. An existing name stays: `AlreadyExists`.
pub(crate) fn name_unnamed(file: &File, path: &Path) -> Result<()> {
    match rustix::fs::linkat(file, "", CWD, path, AtFlags::EMPTY_PATH) {
        // Before Linux 6.10 an ordinary user may name only through /proc.
        Err(Errno::NOENT | Errno::PERM) => {
            use std::os::fd::AsRawFd;
            let through_proc = format!("/proc/self/fd/{}", file.as_raw_fd());
            rustix::fs::linkat(CWD, through_proc, CWD, path, AtFlags::SYMLINK_FOLLOW)
        }
        answer => answer,
    }
    .map_err(Error::from_os)
}

/// A new file under a temporary name.
pub(crate) fn new_temporary(path: &Path) -> Result<File> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(CWD, path, flags, Mode::RUSR | Mode::WUSR);
    Ok(file.map_err(Error::from_os)?.into())
}

/// Gives a file its final name in place of the temporary one. An existing name stays.
pub(crate) fn rename_temporary(from: &Path, to: &Path) -> Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty()).map_err(Error::from_os)?;
            // CRASH: dying here leaves two names; the sweep takes the temporary one away.
            unlink(from)
        }
        answer => answer.map_err(Error::from_os),
    }
}

/// Sets the permission bits, whatever the umask.
pub(crate) fn set_mode(file: &File, mode: u32) -> Result<()> {
    rustix::fs::fchmod(file, Mode::from_raw_mode(mode)).map_err(Error::from_os)
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
    Ok(stat.st_mode & STICKY == 0 || me == 0 || me == owner || me == stat.st_uid)
}

/// Takes the name away.
pub(crate) fn unlink(path: &Path) -> Result<()> {
    rustix::fs::unlinkat(CWD, path, AtFlags::empty()).map_err(Error::from_os)
}

/// A file without a name goes with its last user by itself.
pub(super) fn finish_unlink(_file: &File, _path: &Path) {}

/// What the directory's file system is good for, or why it is not.
pub(crate) fn support(directory: &Path) -> Result<Support> {
    const EXT4: u64 = 0xef53;
    const XFS: u64 = 0x5846_5342;
    const BTRFS: u64 = 0x9123_683e;
    const OVERLAYFS: u64 = 0x794c_7630;
    const F2FS: u64 = 0xf2f5_2010;
    const ZFS: u64 = 0x2fc1_2fc1;
    const TMPFS: u64 = 0x0102_1994;
    const RAMFS: u64 = 0x8584_58f6;
    const HUGETLBFS: u64 = 0x9584_58f6;
    const FUSE: u64 = 0x6573_5546;
    const NFS: u64 = 0x6969;
    const SMB: u64 = 0x517b;
    const SMB2: u64 = 0xfe53_4d42;
    const CIFS: u64 = 0xff53_4d42;
    const NINE_P: u64 = 0x0102_1997;
    const CEPH: u64 = 0x00c3_6400;

    let status = rustix::fs::statfs(directory).map_err(Error::from_os)?;
    // The magic number is 32 bits wide; some architectures extend its sign.
    let name = match status.f_type as u64 & 0xffff_ffff {
        TMPFS | RAMFS => return Ok(Support::Memory),
        EXT4 | XFS | BTRFS | OVERLAYFS | F2FS | ZFS => return Ok(Support::Disk),
        FUSE => "FUSE",
        NFS => "NFS",
        SMB | SMB2 | CIFS => "SMB",
        NINE_P => "9p",
        CEPH => "Ceph",
        HUGETLBFS => "hugetlbfs",
        _ => return Ok(Support::Untried),
    };
    let why =
        format!("{} is on {name}, which does not share locks and memory", directory.display());
    Err(Error::new(ErrorKind::Unsupported, why))
}
