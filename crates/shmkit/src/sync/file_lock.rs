//! A lock over a path: the system's own lock of all of a file's bytes.
//!
//! Why it excludes within a process, too: the lock belongs to an open file description (on Windows
//! to a handle), and each [`FileLock`] has one of its own, which is never handed out. Unix's older
//! locks belong to the process: two of them in one process do not exclude each other, and closing
//! any descriptor of the file drops them all.
//!
//! There is no word of shared state, so that nothing can be found half-done. A wait without a limit
//! is the system's; one with a limit, for which the system has no call, looks again and again.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fmt, thread};

use crate::error::{Error, ErrorKind, Result};
use crate::memory::Access;
use crate::sys::fork::{LockFile, Stamp};
use crate::sys::lock::{self, Mode, Range};
use crate::sys::{directory, file};

/// How often a path may change hands under an opener before `Busy`.
const MAX_TRIES: u32 = 1000;
/// What a wait with a limit sleeps after its first look. Each pause is twice the one before ...
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// ... up to this.
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// A lock over a file: one handle has it alone, or any number of handles share it.
///
/// It excludes between processes, and just so between handles of one process: closing one of them
/// leaves the others' locks alone. A handle has one lock at a time; to take a second one through it
/// does not compile:
///
/// ```compile_fail,E0499
/// # let mut lock = shmkit::sync::FileLock::open("report.lock").unwrap();
/// let shared = lock.read().unwrap();
/// let exclusive = lock.lock().unwrap();
/// drop(shared);
/// ```
///
/// All bytes of the file are locked, however many they are or will be, by what `fcntl` and `lockf`
/// lock on Unix and `LockFileEx` on Windows. So it excludes other programs that do the same, such
/// as those with Boost's `file_lock`; it knows nothing of `flock`, which is what
/// [`std::fs::File::lock`] takes on Linux. (An `fcntl` lock of this same process on the same file
/// goes when any handle on it is closed, as is the rule for those.) Unix lets everybody read and
/// write the file all the same. Windows does not: there, lock a file that is for locking alone.
///
/// The lock is the file's, not the path's. Whoever removes or replaces the file parts those who
/// have it open from those who come later: leave it where it is.
///
/// Those who wait are served in no order, and new readers are let in while a writer waits. Whoever
/// waits through one handle for what the same thread holds through another waits for ever.
///
/// What a forked child inherited answers `Forked`. It neither keeps its parent's lock nor drops it.
/// (A raw `clone` runs no handlers of `fork`: that child keeps it until it ends.)
///
/// # If a process dies
///
/// The system releases its locks at once, however it ended, and who waits goes on. Nobody is told:
/// a plain file has no place to say so. What the lock was to protect may be half-changed; where
/// that matters, take a lock of a named object, which tells of the death.
///
/// # Examples
///
/// ```
/// use shmkit::sync::FileLock;
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("report.lock");
/// let mut lock = FileLock::open_or_create(&path)?;
/// let guard = lock.lock()?;
///
/// let mut another = FileLock::open(&path)?; // in this process or in any other
/// assert!(another.try_lock()?.is_none());
/// drop(guard);
/// assert!(another.try_lock()?.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "file_lock")]
#[doc(alias = "flock")]
#[doc(alias = "lockf")]
pub struct FileLock {
    file: LockFile,
    path: PathBuf,
    stamp: Stamp,
    /// Who may only read can share the lock, and no more.
    writable: bool,
    /// Whether a guard took the lock and has not given it back. Found set when the next is taken,
    /// it was left behind by a guard that was forgotten.
    held: bool,
}

impl FileLock {
    /// Opens a file that exists, to lock it. Its bytes are left alone.
    ///
    /// Symbolic links are followed. A file that this process may only read can be
    /// [shared](Self::read), and no more.
    ///
    /// # Errors
    ///
    /// `NotFound`, `PermissionDenied`; `WrongKind` for what is not a regular file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::open_at(path).map_err(|error| error.doing("open").on(path.display()))
    }

    /// Opens a file to lock it, as [`open`](Self::open) does, and makes an empty one where there is
    /// none: its owner's alone, whatever the umask.
    ///
    /// # If a process dies
    ///
    /// There is a file, or there is none.
    ///
    /// # Errors
    ///
    /// `PermissionDenied`; `NotFound` where the directory is missing, or what a symbolic link leads
    /// to; `OutOfSpace`; `WrongKind` for what is not a regular file; `Busy` if others keep making
    /// and removing it.
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::open_or_create_at(path).map_err(|error| error.doing("open").on(path.display()))
    }

    /// Takes the lock alone, and waits for as long as it takes. Signals are slept through.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` for a file that may only be read, `Forked` in a forked child, `RoleLost`
    /// if the process closed descriptors that were not its own, `Unsupported` where the file system
    /// has no such locks.
    pub fn lock(&mut self) -> Result<FileLockGuard<'_>> {
        self.wait(Mode::Exclusive, None)
    }

    /// Takes the lock alone if nobody else has it or shares it; else `None`.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock).
    pub fn try_lock(&mut self) -> Result<Option<FileLockGuard<'_>>> {
        self.look(Mode::Exclusive)
    }

    /// Takes the lock alone, and waits for `timeout` at the most, on the monotonic clock.
    ///
    /// While it waits it looks every 1 to 10 ms.
    ///
    /// # Errors
    ///
    /// `TimedOut`, and as [`lock`](Self::lock).
    pub fn lock_timeout(&mut self, timeout: Duration) -> Result<FileLockGuard<'_>> {
        self.wait(Mode::Exclusive, Instant::now().checked_add(timeout))
    }

    /// Takes the lock alone, and waits until `deadline` at the most, as
    /// [`lock_timeout`](Self::lock_timeout) does.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn lock_until(&mut self, deadline: Instant) -> Result<FileLockGuard<'_>> {
        self.wait(Mode::Exclusive, Some(deadline))
    }

    /// Shares the lock with others who read, and waits for as long as another has it alone. Signals
    /// are slept through.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock), but a file that may only be read will do.
    pub fn read(&mut self) -> Result<FileLockGuard<'_>> {
        self.wait(Mode::Shared, None)
    }

    /// Shares the lock if nobody has it alone; else `None`.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn try_read(&mut self) -> Result<Option<FileLockGuard<'_>>> {
        self.look(Mode::Shared)
    }

    /// Shares the lock, and waits for `timeout` at the most, as
    /// [`lock_timeout`](Self::lock_timeout) does.
    ///
    /// # Errors
    ///
    /// `TimedOut`, and as [`read`](Self::read).
    pub fn read_timeout(&mut self, timeout: Duration) -> Result<FileLockGuard<'_>> {
        self.wait(Mode::Shared, Instant::now().checked_add(timeout))
    }

    /// Shares the lock, and waits until `deadline` at the most, as
    /// [`lock_timeout`](Self::lock_timeout) does.
    ///
    /// # Errors
    ///
    /// `TimedOut`, and as [`read`](Self::read).
    pub fn read_until(&mut self, deadline: Instant) -> Result<FileLockGuard<'_>> {
        self.wait(Mode::Shared, Some(deadline))
    }

    fn open_at(path: &Path) -> Result<Self> {
        let stamp = Stamp::of_this_process()?;
        let open = |writable| {
            LockFile::open(|| {
                let file = file::open_path(path, writable)?;
                directory::status(&file)?.file_type.check_regular()?;
                Ok(file)
            })
        };
        let (file, writable) = match open(true) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => (open(false)?, false),
            answer => (answer?, true),
        };
        Ok(Self { file, path: path.into(), stamp, writable, held: false })
    }

    fn open_or_create_at(path: &Path) -> Result<Self> {
        for _ in 0..MAX_TRIES {
            let missing = match Self::open_at(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => error,
                answer => return answer,
            };
            // Made whole under its name, and then opened as one that others made: so it does not
            // matter who was first.
            match directory::create_whole(path, 0, Access::Owner.mode(false)) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                answer => drop(answer?),
            }
            let named = directory::status_of_name(path).map(|it| it.file_type);
            if named.is_ok_and(|it| it == directory::FileType::SymbolicLink) {
                return Err(missing.because("it is a symbolic link that leads to nothing"));
            }
        }
        Err(Error::new(ErrorKind::Busy, "others keep making and removing it"))
    }

    /// Takes the lock, at the latest when the time is over; without a limit, when it comes.
    fn wait(&mut self, mode: Mode, until: Option<Instant>) -> Result<FileLockGuard<'_>> {
        let taken = self.make_ready(mode).and_then(|()| match until {
            None => lock::lock(&self.file, Range::WHOLE, mode),
            Some(until) => self.look_until(mode, until),
        });
        match taken {
            Ok(()) => Ok(FileLockGuard::new(self)),
            Err(error) => Err(self.say(error)),
        }
    }

    /// Takes the lock if that is possible at once.
    fn look(&mut self, mode: Mode) -> Result<Option<FileLockGuard<'_>>> {
        let looked = self.make_ready(mode);
        match looked.and_then(|()| lock::try_lock(&self.file, Range::WHOLE, mode)) {
            Ok(taken) => Ok(taken.then(|| FileLockGuard::new(self))),
            Err(error) => Err(self.say(error)),
        }
    }

    fn look_until(&self, mode: Mode, until: Instant) -> Result<()> {
        let mut pause = FIRST_PAUSE;
        while !lock::try_lock(&self.file, Range::WHOLE, mode)? {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let why = "others held it for all of the time given";
                return Err(Error::new(ErrorKind::TimedOut, why));
            }
            thread::sleep(pause.min(left));
            pause = LONGEST_PAUSE.min(2 * pause);
        }
        Ok(())
    }

    /// Refuses where the lock would not be this process's, or not this file's.
    fn make_ready(&mut self, mode: Mode) -> Result<()> {
        if !self.stamp.is_mine() {
            let why = "the handle is the parent process's: open the file again after fork";
            return Err(Error::new(ErrorKind::Forked, why));
        }
        if !self.file.is_there() {
            let why = "the process closed the file's descriptor: open it again";
            return Err(Error::new(ErrorKind::RoleLost, why));
        }
        if mode == Mode::Exclusive && !self.writable {
            let why = "the file may only be read: its lock can be shared, and no more";
            return Err(Error::new(ErrorKind::PermissionDenied, why));
        }
        if self.held {
            self.release();
        }
        Ok(())
    }

    fn release(&mut self) {
        self.held = false;
        // A child would unlock for its parent, and through a number that now leads elsewhere for
        // somebody else.
        if self.stamp.is_mine() && self.file.is_there() {
            lock::unlock(&self.file, Range::WHOLE);
        }
    }

    #[cold]
    fn say(&self, error: Error) -> Error {
        error.doing("lock").on(self.path.display())
    }
}

impl fmt::Debug for FileLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileLock").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A lock of a [`FileLock`], alone or shared: dropping it gives the lock up.
///
/// A guard that is forgotten leaves the lock with its handle, until that is asked for another or is
/// dropped.
#[derive(Debug)]
#[must_use = "the lock is given up when the guard is dropped"]
pub struct FileLockGuard<'a> {
    lock: &'a mut FileLock,
}

impl<'a> FileLockGuard<'a> {
    fn new(lock: &'a mut FileLock) -> Self {
        lock.held = true;
        Self { lock }
    }
}

impl Drop for FileLockGuard<'_> {
    fn drop(&mut self) {
        self.lock.release();
    }
}

#[cfg(test)]
mod tests;
