//! Death notices: what makes sleeping waiters look again when another process has ended.
//!
//! Only a free liveness lock proves a death. A notice says no more than: look now. Until notices
//! are armed, or where they cannot be, waiters look at intervals.
//!
//! | system | what is watched | when a notice comes |
//! |---|---|---|
//! | Linux | the object's file | a process closes it, as each does that ends; its name is lost |
//! | Windows | the processes of the other participants | one ends |
//!
//! Windows finds a process by the id that its participant recorded, and gives an id again after the
//! process has ended. So a notice can be about a stranger, and a death without a notice. A waiter
//! has those watched that joined since its last look. So waiters look at intervals there, too.
//!
//! A waiter takes the steps S1 to S5 of [`sleepers`](super::sleepers). At S2 it makes the slow
//! check if there are news since its last one. The ringer, one thread for each process,
//!
//! - R1 reads an event, and in all processes but the first few waits for 0.5 ms,
//! - R2 counts one more piece of news,
//! - R3 wakes the words in the list,
//! - R4 repeats R3 until all have left the list that were in it at R2,
//! - R5 repeats all from R2, 0.1, 1, 10 and 100 ms after R1.
//!
//! # Why no notice is lost
//!
//! R2 to R4 lose none: see there.
//!
//! Linux reports that a file is closed just before it releases the locks of the closed file, and
//! Windows releases the locks of a process some time after its end. So a waiter that looks at once
//! may find the lock still held: R5.
//!
//! An event wakes the ringers of all processes that watch, on Linux before the dying process
//! releases its locks. If all of these rang at once, they and their waiters would keep that process
//! from its processor: with 64 of them for 3 ms. So R1 lets most of them wait.

#[cfg_attr(
    any(loom, not(any(target_os = "linux", windows))),
    allow(dead_code, reason = "nothing rings here")
)]
mod bell;
#[cfg(all(any(target_os = "linux", windows), not(loom)))]
mod event;
pub(crate) mod figures;
#[cfg(all(target_os = "linux", not(loom)))]
mod linux;
#[cfg(loom)]
mod model;
#[cfg(not(any(target_os = "linux", windows, loom)))]
mod never;
mod obstacle;
mod processes;
#[cfg(all(any(target_os = "linux", windows), not(loom)))]
mod ringer;
#[cfg(all(any(target_os = "linux", windows), not(loom)))]
mod rings;
#[cfg(all(any(target_os = "linux", windows), not(loom)))]
mod service;
#[cfg(all(any(target_os = "linux", windows), not(loom)))]
mod state;
#[cfg(all(windows, not(loom)))]
mod windows;

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

#[cfg(all(target_os = "linux", not(loom)))]
use linux as system;
#[cfg(loom)]
use model as system;
#[cfg(not(any(target_os = "linux", windows, loom)))]
use never as system;
#[cfg(all(windows, not(loom)))]
use windows as system;

use self::bell::{AtomicU64, Bell, Ordering};
#[cfg(test)]
pub(crate) use self::processes::Nobody;
pub(crate) use self::processes::Processes;
pub(crate) use self::system::{
    ANNOUNCES_EVERY_DEATH, ARM_AT_SLEEP, find_obstacle, find_obstacle_of,
};
use super::alarm::Alarm;
use super::fork::OwnedFile;
use super::wait::{Kind, WaitOutcome};

/// The death notices of an open object, and the processes that they can be about.
#[derive(Clone, Copy)]
pub(crate) struct ObjectNotices<'a> {
    notices: &'a Notices,
    processes: &'a dyn Processes,
}

impl ObjectNotices<'_> {
    /// Has what is not yet watched watched, from now on until the object is closed. Returns whether
    /// there was something: the caller looks once more, since what happened before is not
    /// announced.
    pub(crate) fn arm(self) -> bool {
        self.notices.arming.arm(&self.notices.bell, self.processes)
    }
}

impl Deref for ObjectNotices<'_> {
    type Target = Notices;

    fn deref(&self) -> &Notices {
        self.notices
    }
}

/// The death notices of one open object, without its processes.
#[derive(Debug)]
pub(crate) struct Notices {
    bell: Arc<Bell>,
    arming: system::Arming,
    /// How often threads slept while notices could be armed.
    sleeps: AtomicU64,
}

impl Notices {
    /// The notices of the object that has this file, opened at `path`.
    pub(crate) fn new(file: &OwnedFile, path: &Arc<Path>) -> Self {
        Self::with(system::Arming::new(file, path))
    }

    fn with(arming: system::Arming) -> Self {
        Self { bell: Arc::default(), arming, sleeps: AtomicU64::new(0) }
    }

    /// The notices together with the processes that take part.
    pub(crate) fn about<'a>(&'a self, processes: &'a dyn Processes) -> ObjectNotices<'a> {
        ObjectNotices { notices: self, processes }
    }

    /// Tells the place of this process among the participants: the first few ring at once.
    pub(crate) fn set_place(&self, place: u32) {
        self.bell.set_place(place.into());
    }

    /// Returns the place that was told.
    #[cfg(test)]
    pub(crate) fn place(&self) -> u64 {
        self.bell.place()
    }

    /// From now on each piece of news rings the alarm, after it was counted, while the alarm lives.
    pub(crate) fn add_alarm(&self, alarm: &Arc<Alarm>) {
        self.bell.add_alarm(alarm);
    }

    /// Never arms them: the process must not get another thread.
    pub(crate) fn turn_off(&self) {
        self.arming.turn_off();
    }

    /// Returns since when a notice will come, in milliseconds of this process.
    pub(crate) fn armed_since_ms(&self) -> Option<u64> {
        self.bell.armed_since_ms()
    }

    /// Returns whether it is worthwhile to call [`arm`](ObjectNotices::arm).
    pub(crate) fn can_be_armed(&self) -> bool {
        self.arming.is_possible(&self.bell)
    }

    /// Counts a sleep, and returns how many there were with it. Only while notices can be armed.
    pub(crate) fn count_sleep(&self) -> u64 {
        // ORDERING: Relaxed; a guess.
        self.sleeps.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Returns the count of news.
    pub(crate) fn news(&self) -> u64 {
        self.bell.news()
    }

    /// Sleeps on a word, at most until `until`; not at all if there are news since the count was
    /// `seen`. So also while notices are not armed, since their end is announced, too.
    pub(crate) fn sleep(
        &self,
        word: &AtomicU64,
        expected: u64,
        until: Option<Instant>,
        seen: u64,
        kind: Kind,
    ) -> WaitOutcome {
        self.bell.sleep(word, expected, until, seen, kind)
    }
}

#[cfg(all(test, not(loom)))]
impl Notices {
    /// Notices that count as armed. Their file is not watched.
    pub(crate) fn armed_in_test() -> Self {
        let open = || {
            let file = tempfile::tempfile().unwrap();
            let status = crate::sys::status::status(&file)?;
            Ok((file, status))
        };
        let (file, _) = OwnedFile::open(open).unwrap();
        let notices = Self::new(&file, &Arc::from(Path::new("")));
        notices.bell.arm();
        notices
    }

    /// Announces an event.
    pub(crate) fn announce_in_test(&self) {
        self.bell.announce();
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        self.arming.end(&self.bell);
    }
}
