//! The ends of processes, by waiting for their handles.
//!
//! While a handle of a process is open, the system gives its id to no other process.

#![allow(unsafe_code, reason = "calls of Win32")]

use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_TOO_MANY_OPEN_FILES, HANDLE, WAIT_FAILED};
use windows_sys::Win32::System::SystemServices::MAXIMUM_WAIT_OBJECTS;
use windows_sys::Win32::System::Threading::{
    CreateEventExW, EVENT_ALL_ACCESS, OpenProcess, PROCESS_SYNCHRONIZE, SetEvent,
    WaitForMultipleObjects,
};

use crate::sys::notices::event::Event;
use crate::sys::win32::{check, owned, timeout_ms};

/// How many processes can be watched: a thread waits for so many handles, and for one event.
pub(super) const MAX_PROCESSES: usize = MAXIMUM_WAIT_OBJECTS as usize - 1;
/// The thread has nothing to check.
pub(in crate::sys::notices) const CHECK_EVERY: Duration = Duration::MAX;

pub(in crate::sys::notices) type Result<T> = io::Result<T>;

/// A process that was opened to be watched.
#[derive(Clone, Debug)]
pub(in crate::sys::notices) struct Watched {
    pub(super) id: u32,
    handle: Arc<OwnedHandle>,
}

impl Watched {
    /// Opens the process that has the id now.
    pub(super) fn open(id: u32) -> io::Result<Self> {
        // SAFETY: the call takes no pointers.
        let process = unsafe { OpenProcess(PROCESS_SYNCHRONIZE, 0, id) };
        // SAFETY: the call above opened the handle for this function alone.
        Ok(Self { id, handle: Arc::new(unsafe { owned(process) }?) })
    }
}

/// The id of the process.
pub(in crate::sys::notices) type WatchId = u32;

/// The ends of all processes that this process watches.
#[derive(Debug)]
pub(in crate::sys::notices) struct Queue {
    /// Set when the watches have changed. A wait resets it.
    changed: OwnedHandle,
    watches: Mutex<Watches>,
}

#[derive(Debug, Default)]
struct Watches {
    running: Vec<Watched>,
    /// Kept open, so that their ids stay theirs.
    ended: Vec<Watched>,
    /// Those that have ended and were not taken yet.
    new: Vec<WatchId>,
}

impl Queue {
    pub(in crate::sys::notices) fn new() -> Result<Self> {
        // SAFETY: without attributes and a name, and with flags for an event that a wait resets.
        let event = unsafe { CreateEventExW(ptr::null(), ptr::null(), 0, EVENT_ALL_ACCESS) };
        // SAFETY: the call above made the handle for this function alone.
        Ok(Self { changed: unsafe { owned(event) }?, watches: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Watches> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns an error if the handles are not this value's own any more. On Windows they always
    /// are.
    pub(in crate::sys::notices) fn check_open(&self) -> Result<()> {
        Ok(())
    }

    /// Watches a process. If it was watched and has ended, its end is reported once more.
    pub(in crate::sys::notices) fn watch(
        &self,
        process: &Watched,
        _is_used: impl Fn(WatchId) -> bool,
    ) -> Result<WatchId> {
        let mut watches = self.lock();
        if watches.running.iter().filter(|other| other.id != process.id).count() == MAX_PROCESSES {
            return Err(io::Error::from_raw_os_error(ERROR_TOO_MANY_OPEN_FILES as i32));
        }
        watches.remove(process.id);
        watches.running.push(process.clone());
        self.wake().map(|()| process.id)
    }

    /// Ends a watch.
    pub(in crate::sys::notices) fn unwatch(&self, id: WatchId) -> Result<()> {
        self.lock().remove(id);
        self.wake()
    }

    /// Has the thread that waits wait for other processes.
    fn wake(&self) -> Result<()> {
        // SAFETY: the event is open.
        check(unsafe { SetEvent(self.changed.as_raw_handle()) })
    }

    /// Waits for events, at most this long.
    pub(in crate::sys::notices) fn wait(&self, timeout: Duration) -> Result<()> {
        // These stay open during the wait, also if their watches end.
        let running = self.lock().running.clone();
        let processes = running.iter().map(|process| process.handle.as_raw_handle());
        let handles: Vec<HANDLE> = processes.chain([self.changed.as_raw_handle()]).collect();
        let (count, milliseconds) = (handles.len() as u32, timeout_ms(timeout));
        // SAFETY: there are so many handles, and all are open.
        let found = unsafe { WaitForMultipleObjects(count, handles.as_ptr(), 0, milliseconds) };
        if found == WAIT_FAILED {
            return Err(io::Error::last_os_error());
        }
        if let Some(ended) = running.get(found as usize) {
            self.lock().end(ended.id);
        }
        Ok(())
    }

    /// Takes the events that have happened.
    pub(in crate::sys::notices) fn take(&self, each: impl FnMut(Event<WatchId>)) -> Result<()> {
        let new = std::mem::take(&mut self.lock().new);
        new.into_iter().map(Event::Of).for_each(each);
        Ok(())
    }
}

impl Watches {
    fn remove(&mut self, id: WatchId) {
        self.running.retain(|process| process.id != id);
        self.ended.retain(|process| process.id != id);
    }

    /// Moves a process to those that have ended, unless its watch has.
    fn end(&mut self, id: WatchId) {
        if let Some(index) = self.running.iter().position(|process| process.id == id) {
            self.ended.push(self.running.swap_remove(index));
            self.new.push(id);
        }
    }
}
