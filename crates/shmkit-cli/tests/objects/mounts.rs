//! File systems that only one thread and its children see.

use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;

/// Mounts a file system in memory with these options over the directory.
pub(crate) fn mount(directory: &Path, flags: u64, options: &str) -> io::Result<()> {
    mount_any(c"tmpfs", directory, c"tmpfs", flags, options)
}

/// Mounts anything.
pub(crate) fn mount_any(
    what: &CStr,
    on: &Path,
    kind: &CStr,
    flags: u64,
    options: &str,
) -> io::Result<()> {
    let [on, options] =
        [on.as_os_str().as_bytes(), options.as_bytes()].map(|text| CString::new(text).unwrap());
    // SAFETY: the strings end in 0, and live during the call.
    let code = unsafe {
        libc::mount(what.as_ptr(), on.as_ptr(), kind.as_ptr(), flags, options.as_ptr().cast())
    };
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Runs `act` in a thread with a mount namespace of its own: what is mounted there ends with it.
pub(crate) fn with_own_mounts<T: Send>(
    act: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    let begin = || {
        // SAFETY: gives this thread its own mount namespace; no memory is involved.
        if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
            return Err(io::Error::last_os_error());
        }
        mount_any(c"none", Path::new("/"), c"none", libc::MS_REC | libc::MS_PRIVATE, "")?;
        act()
    };
    thread::scope(|scope| scope.spawn(begin).join().unwrap())
}
