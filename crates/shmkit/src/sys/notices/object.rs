//! The notices of one open object: whether they are armed.

use core::sync::atomic::{AtomicU64, Ordering};
use std::fmt;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::bell::Bell;
use super::linux::{WatchId, WatchedFile};
use super::ringer::Ringer;
use super::service::Service;
use crate::sys::fork::{OwnedFile, ProcessStamp};
use crate::sys::wait::WaitOutcome;

/// How long after a refusal of the system notices are not armed again.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The death notices of one open object.
pub(crate) struct Notices {
    file: WatchedFile,
    bell: Arc<Bell>,
    arming: Mutex<Arming>,
    /// How often threads slept while notices were not armed.
    sleeps: AtomicU64,
}

enum Arming {
    /// No waiter has needed it yet, or the watch ended.
    Idle,
    /// Not wanted.
    Off,
    Armed(Armed),
    /// The system refused.
    Refused(Instant),
}

/// The ringer that watches the file, and the process that has it.
struct Armed {
    ringer: Arc<Ringer>,
    id: WatchId,
    stamp: ProcessStamp,
    /// When it was armed.
    at: Instant,
}

impl Notices {
    /// The notices of the object that has this file, opened at `path`.
    pub(crate) fn new(file: &OwnedFile, path: &Path) -> Self {
        let (number, identity) = (file.as_raw_fd(), file.identity());
        Self {
            file: WatchedFile { number, path: path.into(), identity },
            bell: Arc::default(),
            arming: Mutex::new(Arming::Idle),
            sleeps: AtomicU64::new(0),
        }
    }

    /// Never arms them: the process must not get another thread.
    pub(crate) fn turn_off(&self) {
        *self.lock() = Arming::Off;
    }

    /// Returns the count of news.
    pub(crate) fn news(&self) -> u64 {
        self.bell.sleepers.news()
    }

    /// Returns since when a notice will come, in milliseconds of this process.
    pub(crate) fn armed_since_ms(&self) -> Option<u64> {
        self.bell.armed_since_ms()
    }

    fn are_armed(&self) -> bool {
        self.armed_since_ms().is_some()
    }

    /// Returns whether it is worthwhile to call [`arm`](Self::arm).
    pub(crate) fn can_be_armed(&self) -> bool {
        !self.are_armed()
            && match &*self.lock() {
                Arming::Off => false,
                // What ended soon would end soon again.
                Arming::Refused(at) | Arming::Armed(Armed { at, .. }) => at.elapsed() > RETRY_AFTER,
                Arming::Idle => true,
            }
    }

    fn lock(&self) -> MutexGuard<'_, Arming> {
        self.arming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a sleep, and returns how many there were before. Only while notices are not armed.
    pub(crate) fn count_sleep(&self) -> u64 {
        // ORDERING: Relaxed; a guess.
        self.sleeps.fetch_add(1, Ordering::Relaxed)
    }

    /// Has the file watched, from now on until the object is closed. Returns whether it is.
    pub(crate) fn arm(&self) -> bool {
        let mut arming = self.lock();
        if self.are_armed() {
            return true;
        }
        if matches!(*arming, Arming::Off) {
            return false;
        }
        let armed = Service::of_this_process().and_then(|service| {
            let (ringer, id) = service.watch(&self.file, &self.bell)?;
            Ok(Armed { ringer, id, stamp: service.stamp(), at: Instant::now() })
        });
        *arming = match armed {
            Ok(armed) => Arming::Armed(armed),
            Err(_) => Arming::Refused(Instant::now()),
        };
        self.are_armed()
    }

    /// Sleeps on a word, at most until `until`; not at all if there are news since the count was
    /// `seen`.
    pub(crate) fn sleep(
        &self,
        word: &AtomicU64,
        expected: u64,
        until: Option<Instant>,
        seen: u64,
    ) -> WaitOutcome {
        // Also while they are not armed: their end is announced, too.
        self.bell.sleepers.sleep(word, expected, until, seen)
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        let arming = self.arming.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Arming::Armed(Armed { ringer, id, stamp, .. }) = arming
            && stamp.is_mine()
            && let Ok(service) = Service::of_this_process()
        {
            service.unwatch(ringer, *id, &self.bell);
        }
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices").field("armed", &self.are_armed()).finish_non_exhaustive()
    }
}
