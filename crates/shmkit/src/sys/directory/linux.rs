//! `O_TMPFILE` and `linkat`; which file systems work.

use std::fs::File;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatFs};
use rustix::io::Errno;

use super::place::Support;
use super::unix::set_mode;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::limits::not_created;

/// Returns the directory of objects, unless the program or the environment chooses another.
pub(crate) fn default_path() -> &'static Path {
    Path::new("/dev/shm")
}

/// Whether the default directory is in memory.
pub(crate) const DEFAULT_IS_MEMORY: bool = true;

/// Returns whether a character of a name must be escaped in a file name.
pub(crate) fn must_escape(character: char) -> bool {
    character == '/'
}

/// Creates a file without a name, with these permission bits. Returns `None` if the file system has
/// no such files.
pub(crate) fn new_unnamed(directory: &Path, mode: u32) -> Result<Option<File>> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::openat(CWD, directory, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => {
            let file = file.into();
            set_mode(&file, mode)?;
            Ok(Some(file))
        }
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Ok(None),
        Err(error) => Err(not_created(error, rustix::fs::statvfs(directory))),
    }
}

/// Gives an unnamed file its name. An existing name gives `AlreadyExists`.
pub(crate) fn name_unnamed(file: &File, path: &Path) -> Result<()> {
    match rustix::fs::linkat(file, "", CWD, path, AtFlags::EMPTY_PATH) {
        // Before Linux 6.10 a user without privileges must go through /proc.
        Err(Errno::NOENT | Errno::PERM) => {
            use std::os::fd::AsRawFd;
            let through_proc = format!("/proc/self/fd/{}", file.as_raw_fd());
            let named = rustix::fs::linkat(CWD, through_proc, CWD, path, AtFlags::SYMLINK_FOLLOW);
            if named == Err(Errno::NOENT) && !Path::new("/proc/self/fd").is_dir() {
                let why = "a new file gets its name through /proc, which is not mounted: mount it, \
                           or use Linux 6.10 or newer";
                return Err(Error::new(ErrorKind::Unsupported, why));
            }
            named
        }
        answer => answer,
    }
    .map_err(Error::from_os)
}

/// Returns the kind of storage of the directory, or an error if objects cannot live there.
pub(crate) fn support(directory: &Path) -> Result<Support> {
    support_by(rustix::fs::statfs(directory), directory)
}

/// Returns the same for a file in the directory: that is faster.
pub(crate) fn support_of(file: &File, directory: &Path) -> Result<Support> {
    support_by(rustix::fs::fstatfs(file), directory)
}

fn support_by(answer: rustix::io::Result<StatFs>, directory: &Path) -> Result<Support> {
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

    // The magic number is 32 bits wide; some architectures extend its sign.
    let name = match answer.map_err(Error::from_os)?.f_type as u64 & 0xffff_ffff {
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
    let place = directory.display();
    let why = format!("{place} is on {name}, which does not share locks and memory");
    Err(Error::new(ErrorKind::Unsupported, why))
}
