//! Events of files, by inotify.
//!
//! `IN_CLOSE_WRITE` tells that a file that was open for writing is closed, `IN_ATTRIB` also that it
//! lost a name, `IN_MOVE_SELF` that it was renamed. A watch belongs to the file itself, so it works
//! across all namespaces.

#![allow(unsafe_code, reason = "a mark on a descriptor")]

use core::ffi::c_int;
use core::sync::atomic::{AtomicBool, Ordering};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use rustix::thread::Timespec;

use crate::sys::notices::event::Event;
use crate::sys::status::{self, Identity};

/// How often the thread checks that the program has not closed its descriptor: `poll` does not
/// report that.
pub(in crate::sys::notices) const CHECK_EVERY: Duration = Duration::from_secs(2);

/// A file to watch. It is found by its descriptor, or by its path if that still leads to it.
#[derive(Debug)]
pub(in crate::sys::notices) struct Watched {
    /// The program may close it.
    pub(in crate::sys::notices) number: RawFd,
    pub(in crate::sys::notices) path: Arc<Path>,
    pub(in crate::sys::notices) identity: Identity,
}

pub(in crate::sys::notices) type WatchId = i32;
pub(in crate::sys::notices) type Result<T> = rustix::io::Result<T>;

/// The events of all files that this process watches.
#[derive(Debug)]
pub(in crate::sys::notices) struct Queue {
    inotify: ManuallyDrop<OwnedFd>,
    /// The program closed the descriptor. Its number may later be that of another queue.
    is_lost: AtomicBool,
}

/// A signal number that no program gives a descriptor. It is never sent.
///
/// A process may close descriptors that are not its own (`closefrom`), and open others under their
/// numbers. All inotify descriptors look alike to `fstat`, so this mark tells ours apart.
/// (qemu-user refuses the numbers above it.)
const MARK: c_int = 60;
const F_SETSIG: c_int = 10;
const F_GETSIG: c_int = 11;

impl Queue {
    pub(in crate::sys::notices) fn new() -> Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        // SAFETY: changes only which signal the descriptor would send.
        let marked = unsafe { libc::fcntl(inotify.as_raw_fd(), F_SETSIG, MARK) };
        if marked == -1 {
            return Err(last_error());
        }
        Ok(Self { inotify: ManuallyDrop::new(inotify), is_lost: AtomicBool::new(false) })
    }

    /// Returns an error if the process closed the descriptor.
    pub(in crate::sys::notices) fn check_open(&self) -> Result<()> {
        // ORDERING: Relaxed; the system is asked, too.
        if !self.is_lost.load(Ordering::Relaxed) {
            // SAFETY: only asks.
            match unsafe { libc::fcntl(self.inotify.as_raw_fd(), F_GETSIG) } {
                MARK => return Ok(()),
                // ORDERING: Relaxed; as above.
                _ => self.is_lost.store(true, Ordering::Relaxed),
            }
        }
        Err(Errno::BADF)
    }

    /// Watches a file. `is_used` returns whether an object of this process uses a watch already.
    pub(in crate::sys::notices) fn watch(
        &self,
        file: &Watched,
        is_used: impl Fn(WatchId) -> bool,
    ) -> Result<WatchId> {
        let events = WatchFlags::CLOSE_WRITE | WatchFlags::ATTRIB | WatchFlags::MOVE_SELF;
        let by_number = format!("/proc/self/fd/{}", file.number);
        let mut error = Errno::NOENT;
        for path in [Path::new(&by_number), &file.path] {
            self.check_open()?;
            match inotify::add_watch(&*self.inotify, path, events) {
                Ok(id) if status::identity_at(path) == Ok(file.identity) => return Ok(id),
                Ok(of_another) if is_used(of_another) => error = Errno::NOENT,
                Ok(of_another) => {
                    inotify::remove_watch(&*self.inotify, of_another)?;
                    error = Errno::NOENT;
                }
                Err(refused) => error = refused,
            }
        }
        Err(error)
    }

    /// Watches a directory for a moment, to find out whether that is allowed.
    pub(in crate::sys::notices) fn try_watch(&self, directory: &Path) -> Result<()> {
        self.check_open()?;
        inotify::add_watch(&*self.inotify, directory, WatchFlags::MOVE_SELF).map(|_| ())
    }

    /// Ends a watch. This is an event, too.
    pub(in crate::sys::notices) fn unwatch(&self, id: WatchId) -> Result<()> {
        self.check_open()?;
        inotify::remove_watch(&*self.inotify, id)
    }

    /// Waits for events, at most this long.
    pub(in crate::sys::notices) fn wait(&self, timeout: Duration) -> Result<()> {
        self.check_open()?;
        let timeout = Timespec::try_from(timeout).ok();
        let mut events = [PollFd::new(&*self.inotify, PollFlags::IN)];
        match poll(&mut events, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Takes the events that have happened.
    pub(in crate::sys::notices) fn take(&self, mut each: impl FnMut(Event<WatchId>)) -> Result<()> {
        // The bytes of a stranger's descriptor are not taken from it.
        self.check_open()?;
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(self.inotify.as_fd(), &mut buffer);
        loop {
            let event = match events.next() {
                Ok(event) => event,
                Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                Err(error) => return Err(error),
            };
            let (id, what) = (event.wd(), event.events());
            each(match what {
                lost if lost.contains(ReadFlags::QUEUE_OVERFLOW) => Event::Lost,
                ended if ended.contains(ReadFlags::IGNORED) => Event::Ended(id),
                _ => Event::Of(id),
            });
            if events.is_buffer_empty() {
                return Ok(());
            }
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        if self.check_open().is_ok() {
            // SAFETY: this is `drop`, so nothing uses the descriptor after it.
            unsafe { ManuallyDrop::drop(&mut self.inotify) };
        }
    }
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
