//! What a descriptor allows; opening a path; the size limit for files.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Result};
use crate::sys::limits::{Limit, not_opened};

/// Returns whether the descriptor allows writing.
pub(crate) fn is_writable(file: &File) -> Result<bool> {
    let flags = rustix::fs::fcntl_getfl(file).map_err(Error::from_os)?;
    Ok(flags & OFlags::RWMODE == OFlags::RDWR)
}

/// Opens what `path` refers to, through symbolic links. Does not wait for the other end of a FIFO.
pub(crate) fn open_path(path: &Path, writable: bool) -> Result<File> {
    let access = if writable { OFlags::RDWR } else { OFlags::RDONLY };
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match rustix::fs::openat(CWD, path, access | flags, Mode::empty()) {
        Ok(file) => Ok(file.into()),
        Err(Errno::ISDIR) => Err(Error::new(ErrorKind::WrongKind, "it is a directory")),
        Err(Errno::NXIO) => Err(Error::new(ErrorKind::WrongKind, "it is a FIFO or a socket")),
        // The error for a socket on macOS.
        Err(Errno::OPNOTSUPP) if cfg!(target_os = "macos") => {
            Err(Error::new(ErrorKind::WrongKind, "it is a socket"))
        }
        Err(error) => Err(not_opened(error)),
    }
}

/// Refuses a size for which the system would end the process by SIGXFSZ. A sandbox can forbid to
/// ask for the limit: then no size is refused.
pub(super) fn check_limit(size: u64) -> Result<()> {
    if let Some(limit) = Limit::FileSize.get().filter(|limit| size > *limit) {
        let why = format!("{size} bytes exceed the size limit for files (RLIMIT_FSIZE), {limit}");
        return Err(Error::new(ErrorKind::OutOfSpace, why));
    }
    Ok(())
}

/// Allocates space by writing zeros, for file systems without a call for it.
pub(super) fn write_zeros(file: &File, from: u64, to: u64) -> Result<()> {
    let zeros = [0; 64 << 10];
    let mut start = from;
    while start < to {
        let bytes = (zeros.len() as u64).min(to - start);
        file.write_all_at(&zeros[..bytes as usize], start).map_err(Error::from_os)?;
        start += bytes;
    }
    Ok(())
}

#[cfg(all(test, target_os = "linux", not(loom)))]
#[allow(unsafe_code, reason = "a filter of system calls")]
mod tests {
    use super::*;

    /// Forbids `prlimit64` to this thread.
    fn forbid_to_ask() {
        let of = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
        let denied = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
        let mut filter = [
            // The number of the system call is the first word.
            of(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
            of(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_prlimit64 as u32),
            of(libc::BPF_RET | libc::BPF_K, 0, 0, denied),
            of(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
        // SAFETY: this request takes no pointer.
        let no_new_rights = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
        let (mode, program) = (libc::SECCOMP_MODE_FILTER, &raw const program);
        // SAFETY: the program and its instructions live until the call returns.
        let filtered = unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, program) };
        assert_eq!((no_new_rights, filtered), (0, 0), "{}", std::io::Error::last_os_error());
    }

    #[test]
    fn a_limit_that_cannot_be_asked_for_refuses_no_size() {
        let checked = std::thread::spawn(|| {
            forbid_to_ask();
            check_limit(1 << 40)
        });
        checked.join().unwrap().unwrap();
    }
}
