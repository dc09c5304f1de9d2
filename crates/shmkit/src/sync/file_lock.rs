//! A lock over a path: the system's own lock of all of a file's bytes.
//!
//! Why it also excludes within a process: the lock belongs to an open file description (on Windows
//! to a handle), and each [`FileLock`] has its own, which it never gives to other code. Unix's
//! older locks belong to the process: two of them in one process do not exclude each other, and
//! closing any descriptor of the file releases them all.
//!
//! There is no word of shared state, so no process can find one half-done. A wait without a timeout
//! uses the system's call. The system has no call with a timeout, and none that another thread can
//! end, so such a wait attempts repeatedly.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::memory::Access;
use crate::sys::fork::{LockFile, ProcessStamp};
use crate::sys::lock::{self, Mode, Range};
use crate::sys::{directory, file};
use crate::wait::{Stop, Stops, Until, pause};

/// How many times another process may create or remove the file during an open before `Busy`.
const MAX_TRIES: u32 = 1000;
/// The pause of a wait that attempts repeatedly, after its first attempt. Each pause is twice the
/// previous one, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// A lock over a file: one handle holds it exclusively, or any number of handles share it.
///
/// It excludes between processes, and also between handles of one process: closing one handle does
/// not release the locks of the others. A handle holds one lock at a time; acquiring a second one
/// through the same handle does not compile:
///
/// ```compile_fail,E0499
/// # let mut lock = shmkit::sync::FileLock::open("report.lock").unwrap();
/// let shared = lock.read().unwrap();
/// let exclusive = lock.lock().unwrap();
/// drop(shared);
/// ```
///
/// It locks all bytes of the file, also bytes that are added later, with the locks of `fcntl` and
/// `lockf` on Unix and of `LockFileEx` on Windows. So it excludes other programs that use the same
/// locks, for example with Boost's `file_lock`. It is independent of `flock`, which
/// [`std::fs::File::lock`] uses on Linux. (If this process also has a plain `fcntl` lock on the
/// file, closing any handle of the file releases that lock: this is the rule for plain `fcntl`
/// locks.) On Unix every process can still read and write a locked file. On Windows it cannot:
/// there, lock a file that is used only for locking.
///
/// The lock belongs to the file, not to the path. If a process removes or replaces the file,
/// processes that open the path later do not exclude those that have the old file open: do not
/// remove it.
///
/// Waiters acquire the lock in no particular order, and new readers can share it while a writer
/// waits. A thread that waits through one handle for a lock that it holds through another waits
/// forever.
///
/// In a forked child, inherited handles return `Forked`. The child neither keeps its parent's lock
/// nor releases it. (A raw `clone` runs no handlers of `fork`: that child keeps the lock until it
/// exits.)
///
/// # If a process dies
///
/// The system releases its locks at once, and waiters continue. They get no report of the death: a
/// plain file has no place for it. The data that the lock protects may be half-changed. If that
/// matters, use a lock of a named object, which reports the death.
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
    stamp: ProcessStamp,
    /// Whether the file is open for writing. If not, the lock can only be shared.
    writable: bool,
    /// Whether a guard acquired the lock and has not released it. If this is set when the lock is
    /// acquired again, the guard was forgotten.
    held: bool,
}

impl FileLock {
    /// Opens an existing file, to lock it. It does not change the file's bytes.
    ///
    /// Symbolic links are followed. If this process may only read the file, the lock can only be
    /// [shared](Self::read).
    ///
    /// # Errors
    ///
    /// `NotFound`, `PermissionDenied`; `WrongKind` if it is not a regular file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::open_at(path).map_err(|error| error.doing("open").on(path.display()))
    }

    /// Opens a file to lock it, as [`open`](Self::open) does, and creates an empty file if there is
    /// none. Only its owner may open that file, whatever the umask.
    ///
    /// # If a process dies
    ///
    /// There is a complete file, or none.
    ///
    /// # Errors
    ///
    /// `PermissionDenied`, `OutOfSpace`; `NotFound` if the directory or the target of a symbolic
    /// link is missing; `WrongKind` if it is not a regular file; `Busy` if other processes keep
    /// creating and removing it.
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::open_or_create_at(path).map_err(|error| error.doing("open").on(path.display()))
    }

    /// Acquires the lock exclusively, and waits without a limit.
    ///
    /// In a call that ends waits ([`CancelToken::run`](crate::CancelToken::run),
    /// [`interruptible`](crate::interruptible)), it attempts to acquire the lock every 1 to 10 ms.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` if the process may only read the file; `Forked` in a forked child;
    /// `RoleLost` if the process closed the file's descriptor; `Unsupported` if the file system has
    /// no such locks.
    pub fn lock(&mut self) -> Result<FileLockGuard<'_>> {
        self.wait(Mode::Exclusive, None)
    }

    /// Acquires the lock exclusively if no other handle holds or shares it; otherwise `None`.
    ///
    /// # Errors
    ///
    /// Those of [`lock`](Self::lock).
    pub fn try_lock(&mut self) -> Result<Option<FileLockGuard<'_>>> {
        self.look(Mode::Exclusive)
    }

    /// Acquires the lock exclusively, and waits up to `timeout`, on the monotonic clock.
    ///
    /// It attempts to acquire the lock every 1 to 10 ms.
    ///
    /// # Errors
    ///
    /// `TimedOut`, and those of [`lock`](Self::lock).
    pub fn lock_timeout(&mut self, timeout: Duration) -> Result<FileLockGuard<'_>> {
        self.wait(Mode::Exclusive, Instant::now().checked_add(timeout))
    }

    /// Acquires the lock exclusively, and waits until `deadline` at most, as
    /// [`lock_timeout`](Self::lock_timeout) does.
    ///
    /// # Errors
    ///
    /// `TimedOut`, and those of [`lock`](Self::lock).
    pub fn lock_until(&mut self, deadline: Instant) -> Result<FileLockGuard<'_>> {
        self.wait(Mode::Exclusive, Some(deadline))
    }

    /// Shares the lock with other readers, and waits without a limit while another handle holds it
    /// exclusively.
    ///
    /// # Errors
    ///
    /// Those of [`lock`](Self::lock), but read access to the file is enough.
    pub fn read(&mut self) -> Result<FileLockGuard<'_>> {
        self.wait(Mode::Shared, None)
    }

    /// Shares the lock if no other handle holds it exclusively; otherwise `None`.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    pub fn try_read(&mut self) -> Result<Option<FileLockGuard<'_>>> {
        self.look(Mode::Shared)
    }

    /// Shares the lock, and waits up to `timeout`, as [`lock_timeout`](Self::lock_timeout) does.
    ///
    /// # Errors
    ///
    /// `TimedOut`, and those of [`read`](Self::read).
    pub fn read_timeout(&mut self, timeout: Duration) -> Result<FileLockGuard<'_>> {
        self.wait(Mode::Shared, Instant::now().checked_add(timeout))
    }

    /// Shares the lock, and waits until `deadline` at most, as
    /// [`lock_timeout`](Self::lock_timeout) does.
    ///
    /// # Errors
    ///
    /// `TimedOut`, and those of [`read`](Self::read).
    pub fn read_until(&mut self, deadline: Instant) -> Result<FileLockGuard<'_>> {
        self.wait(Mode::Shared, Some(deadline))
    }

    fn open_at(path: &Path) -> Result<Self> {
        let stamp = ProcessStamp::of_this_process()?;
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
            // The file is complete when it gets its name, and is then opened like one that another
            // process created: so it does not matter which process was first.
            match directory::create_whole(path, 0, Access::Owner.mode(false)) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                answer => drop(answer?),
            }
            let named = directory::status_of_name(path).map(|it| it.file_type);
            if named.is_ok_and(|it| it == directory::FileType::SymbolicLink) {
                return Err(missing.because("it is a symbolic link whose target does not exist"));
            }
        }
        Err(Error::new(ErrorKind::Busy, "other processes keep creating and removing it"))
    }

    /// Acquires the lock, waiting until `until`, or without a limit if that is `None`.
    fn wait(&mut self, mode: Mode, until: Option<Instant>) -> Result<FileLockGuard<'_>> {
        let taken = self.make_ready(mode).and_then(|()| match until {
            Some(until) => self.look_until(mode, Until::Deadline(until)),
            None if Stops::of_this_thread().is_empty() => {
                lock::lock(&self.file, Range::WHOLE, mode)
            }
            // Nothing wakes a thread that sleeps for the system's lock.
            None => self.look_until(mode, Until::Ever),
        });
        match taken {
            Ok(()) => Ok(FileLockGuard::new(self)),
            Err(error) => Err(self.say(error)),
        }
    }

    /// Acquires the lock if that is possible at once.
    fn look(&mut self, mode: Mode) -> Result<Option<FileLockGuard<'_>>> {
        let looked = self.make_ready(mode);
        match looked.and_then(|()| lock::try_lock(&self.file, Range::WHOLE, mode)) {
            Ok(taken) => Ok(taken.then(|| FileLockGuard::new(self))),
            Err(error) => Err(self.say(error)),
        }
    }

    fn look_until(&self, mode: Mode, until: Until) -> Result<()> {
        let mut interval = FIRST_PAUSE;
        while !lock::try_lock(&self.file, Range::WHOLE, mode)? {
            let now = Instant::now();
            if until.is_over(now) {
                let why = "it was held by others until the timeout expired";
                return Err(Error::new(ErrorKind::TimedOut, why));
            }
            pause(until.or_before(now + interval)).map_err(Stop::error)?;
            interval = LONGEST_PAUSE.min(2 * interval);
        }
        Ok(())
    }

    /// Returns an error if the lock would not belong to this process, or not to this file.
    fn make_ready(&mut self, mode: Mode) -> Result<()> {
        if !self.stamp.is_mine() {
            let why = "the handle is the parent process's: open the file again after fork";
            return Err(Error::new(ErrorKind::Forked, why));
        }
        self.file.check_open()?;
        if mode == Mode::Exclusive && !self.writable {
            let why = "the file is open for reading only: its lock can only be shared";
            return Err(Error::new(ErrorKind::PermissionDenied, why));
        }
        if self.held {
            self.release();
        }
        Ok(())
    }

    fn release(&mut self) {
        self.held = false;
        // A forked child would release its parent's lock. After a closed descriptor, its number may
        // belong to another file, and another lock would be released.
        if self.stamp.is_mine() && self.file.check_open().is_ok() {
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

/// A lock of a [`FileLock`], exclusive or shared: dropping the guard releases the lock.
///
/// If a guard is forgotten, its handle keeps the lock until the handle acquires a lock again or is
/// dropped.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
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
