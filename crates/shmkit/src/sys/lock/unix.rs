//! Open-file-description locks: of Linux since 3.15, and of macOS.

#![allow(unsafe_code, reason = "rustix has no open-file-description locks: fcntl by libc")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use super::{Mode, Range};
use crate::error::{Error, ErrorKind, Result};

/// Why there may be no such locks.
const HAS_NONE: &str = if cfg!(target_os = "linux") {
    "the system has no locks of open files (Linux 3.15)"
} else {
    "the system, or its file system, has no locks of open files"
};

fn request(kind: libc::c_short, range: Range) -> libc::flock {
    // A length of 0 is the system's way of saying "to the end".
    let length = if range.end() == u64::MAX { 0 } else { range.length };
    libc::flock {
        l_type: kind,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: range.start as libc::off_t,
        l_len: length as libc::off_t,
        l_pid: 0,
    }
}

fn kind(mode: Mode) -> libc::c_short {
    match mode {
        Mode::Shared => libc::F_RDLCK as libc::c_short,
        Mode::Exclusive => libc::F_WRLCK as libc::c_short,
    }
}

fn control(file: &File, command: libc::c_int, request: &mut libc::flock) -> io::Result<()> {
    loop {
        // SAFETY: `file` keeps the descriptor open, and the lock commands take a `flock` that
        // they may write to.
        let answer = unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut *request) };
        if answer != -1 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Takes the lock if nobody's description is in the way; says whether it did.
///
/// A lock that this description already holds on the range changes its mode.
pub(crate) fn try_lock(file: &File, range: Range, mode: Mode) -> Result<bool> {
    match control(file, libc::F_OFD_SETLK, &mut request(kind(mode), range)) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => {
            Ok(false)
        }
        Err(error) => Err(refused(error)),
    }
}

/// Takes the lock, as [`try_lock`] does, and sleeps for as long as another is in the way.
pub(crate) fn lock(file: &File, range: Range, mode: Mode) -> Result<()> {
    control(file, libc::F_OFD_SETLKW, &mut request(kind(mode), range)).map_err(refused)
}

#[cold]
fn refused(error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::EINVAL | libc::ENOTSUP) => {
            Error::from_os(error).of_kind(ErrorKind::Unsupported).because(HAS_NONE)
        }
        _ => Error::from_os(error).because("the file cannot be locked"),
    }
}

/// Takes a lock that nobody is known to keep. Asking is in nobody's way here.
pub(crate) fn take(file: &File, range: Range, mode: Mode) -> Result<bool> {
    try_lock(file, range, mode)
}

/// Gives up what this description holds in the range.
pub(crate) fn unlock(file: &File, range: Range) {
    // Unlocking fails only where memory for splitting a lock is short, and then the lock goes
    // with its description.
    let _ = control(file, libc::F_OFD_SETLK, &mut request(libc::F_UNLCK as libc::c_short, range));
}

/// How a byte is locked that says no more than that somebody is there: a description that may only
/// read can do no other.
pub(crate) const PRESENCE: Mode = Mode::Shared;

/// Whether another description holds a lock in the range.
pub(crate) fn is_locked(file: &File, range: Range) -> Result<bool> {
    Ok(first_locked(file, range)?.is_some())
}

/// Some range in which another description holds a lock, or `None` where nobody does.
///
/// Of several it is any, not the lowest.
pub(crate) fn first_locked(file: &File, range: Range) -> Result<Option<Range>> {
    let mut request = request(libc::F_WRLCK as libc::c_short, range);
    control(file, libc::F_OFD_GETLK, &mut request)
        .map_err(|error| Error::from_os(error).because("the file's locks cannot be read"))?;
    if request.l_type == libc::F_UNLCK as libc::c_short {
        return Ok(None);
    }
    let start = request.l_start as u64;
    let length = if request.l_len == 0 { u64::MAX - start } else { request.l_len as u64 };
    Ok(Some(Range { start, length }))
}

#[cfg(test)]
mod tests {
    use std::ptr;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    /// Each description of the same file has locks of its own.
    fn descriptions<const N: usize>() -> [File; N] {
        let file = tempfile::NamedTempFile::new().unwrap();
        [(); N].map(|()| File::options().read(true).write(true).open(file.path()).unwrap())
    }

    #[test]
    fn the_whole_file_is_all_that_there_can_be() {
        let [holder, asker] = descriptions();
        assert!(try_lock(&holder, Range::WHOLE, Mode::Exclusive).unwrap());
        assert_eq!(first_locked(&asker, Range::WHOLE).unwrap(), Some(Range::WHOLE));
        for byte in [0, 1 << 40, i64::MAX as u64] {
            assert!(is_locked(&asker, Range::byte(byte)).unwrap(), "{byte}");
        }
        unlock(&holder, Range::WHOLE);
        assert!(!is_locked(&asker, Range::WHOLE).unwrap());
    }

    #[test]
    fn signals_are_slept_through() {
        const SIGNALS: u32 = 50;
        static CAUGHT: AtomicU32 = AtomicU32::new(0);
        extern "C" fn catch(_: libc::c_int) {
            CAUGHT.fetch_add(1, Ordering::SeqCst);
        }
        // SAFETY: numbers, of which zeros ask for nothing: not for calls to be begun anew.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = catch as *const () as libc::sighandler_t;
        // SAFETY: the handler only counts.
        unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, ptr::null_mut()) };

        let [holder, waiter] = descriptions();
        assert!(try_lock(&holder, Range::WHOLE, Mode::Exclusive).unwrap());
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let waiting = scope.spawn(move || {
                // SAFETY: it takes nothing.
                tell.send(unsafe { libc::pthread_self() }).unwrap();
                lock(&waiter, Range::WHOLE, Mode::Exclusive)
            });
            let sleeper = told.recv().unwrap();
            for sent in 1..=SIGNALS {
                // SAFETY: a thread that nobody has joined yet.
                unsafe { libc::pthread_kill(sleeper, libc::SIGUSR1) };
                while CAUGHT.load(Ordering::SeqCst) < sent {
                    assert!(!waiting.is_finished(), "a signal ended it");
                    thread::yield_now();
                }
            }
            unlock(&holder, Range::WHOLE);
            waiting.join().unwrap().unwrap();
        });
    }
}
