//! Open-file-description locks, on Linux since 3.15 and on macOS.

#![allow(unsafe_code, reason = "rustix has no open-file-description locks: fcntl by libc")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use super::{Mode, Range};
use crate::error::{Error, ErrorKind, Result};

/// The reason for an error on a system without these locks.
const NO_LOCKS: &str = if cfg!(target_os = "linux") {
    "the system has no open-file-description locks: use Linux 3.15 or newer"
} else {
    "the system, or its file system, has no open-file-description locks"
};

fn request(kind: libc::c_short, range: Range) -> libc::flock {
    // For the system a length of 0 means "to the end".
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
        // SAFETY: `file` keeps the descriptor open, and the lock commands take a `flock`, which
        // they may change.
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

/// Acquires the lock, unless another open file description holds a conflicting one. Returns whether
/// it did.
///
/// If this open file description already holds a lock of the range, the lock changes its mode.
pub(crate) fn try_lock(file: &File, range: Range, mode: Mode) -> Result<bool> {
    match control(file, libc::F_OFD_SETLK, &mut request(kind(mode), range)) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => {
            Ok(false)
        }
        Err(error) => Err(refused(error)),
    }
}

/// Acquires the lock as [`try_lock`] does, and sleeps while another open file description holds a
/// conflicting one.
pub(crate) fn lock(file: &File, range: Range, mode: Mode) -> Result<()> {
    control(file, libc::F_OFD_SETLKW, &mut request(kind(mode), range)).map_err(refused)
}

#[cold]
fn refused(error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::EINVAL | libc::ENOTSUP) => {
            Error::from_os(error).of_kind(ErrorKind::Unsupported).because(NO_LOCKS)
        }
        _ => Error::from_os(error).because("the file cannot be locked"),
    }
}

/// Acquires a lock that has no holder. Tests for locks by other processes do not disturb it.
pub(crate) fn take(file: &File, range: Range, mode: Mode) -> Result<bool> {
    try_lock(file, range, mode)
}

/// Releases what this open file description holds in the range.
pub(crate) fn unlock(file: &File, range: Range) {
    // Releasing fails only if the kernel has no memory to split a lock. Then the lock ends with its
    // open file description.
    let _ = control(file, libc::F_OFD_SETLK, &mut request(libc::F_UNLCK as libc::c_short, range));
}

/// The mode of a lock that only shows presence. A read-only file cannot use another mode.
pub(crate) const PRESENCE: Mode = Mode::Shared;

/// Returns whether another open file description holds a lock in the range.
pub(crate) fn is_locked(file: &File, range: Range) -> Result<bool> {
    Ok(first_locked(file, range)?.is_some())
}

/// Returns a range in which another open file description holds a lock, or `None` if there is none.
///
/// If there are several, any of them.
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

    /// Opens one file several times: each has locks of its own.
    fn descriptions<const N: usize>() -> [File; N] {
        let file = tempfile::NamedTempFile::new().unwrap();
        [(); N].map(|()| File::options().read(true).write(true).open(file.path()).unwrap())
    }

    #[test]
    fn a_lock_of_the_whole_file_covers_every_byte() {
        let [holder, observer] = descriptions();
        assert!(try_lock(&holder, Range::WHOLE, Mode::Exclusive).unwrap());
        assert_eq!(first_locked(&observer, Range::WHOLE).unwrap(), Some(Range::WHOLE));
        for byte in [0, 1 << 40, i64::MAX as u64] {
            assert!(is_locked(&observer, Range::byte(byte)).unwrap(), "{byte}");
        }
        unlock(&holder, Range::WHOLE);
        assert!(!is_locked(&observer, Range::WHOLE).unwrap());
    }

    #[test]
    fn a_signal_does_not_end_the_wait() {
        const SIGNALS: u32 = 50;
        static CAUGHT: AtomicU32 = AtomicU32::new(0);
        extern "C" fn catch(_: libc::c_int) {
            CAUGHT.fetch_add(1, Ordering::SeqCst);
        }
        // SAFETY: plain numbers. Zeros request nothing, so interrupted calls are not restarted.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = catch as *const () as libc::sighandler_t;
        // SAFETY: the handler only counts.
        unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, ptr::null_mut()) };

        let [holder, waiter] = descriptions();
        assert!(try_lock(&holder, Range::WHOLE, Mode::Exclusive).unwrap());
        thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            let waiting = scope.spawn(move || {
                // SAFETY: the function has no arguments.
                sender.send(unsafe { libc::pthread_self() }).unwrap();
                lock(&waiter, Range::WHOLE, Mode::Exclusive)
            });
            let sleeper = receiver.recv().unwrap();
            for sent in 1..=SIGNALS {
                // SAFETY: the thread is not joined yet.
                unsafe { libc::pthread_kill(sleeper, libc::SIGUSR1) };
                while CAUGHT.load(Ordering::SeqCst) < sent {
                    assert!(!waiting.is_finished(), "a signal ended the wait");
                    thread::yield_now();
                }
            }
            unlock(&holder, Range::WHOLE);
            waiting.join().unwrap().unwrap();
        });
    }
}
