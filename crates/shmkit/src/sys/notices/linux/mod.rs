//! Death notices by inotify, on the object's own file.

pub(super) mod queue;

use std::fmt;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::io::Errno;

use self::queue::{Queue, WatchId, Watched};
use super::bell::Bell;
use super::obstacle::Obstacle;
use super::processes::Processes;
use super::service::{Service, find_variable};
use super::state::{Armed, State};
use crate::sys::fork::OwnedFile;

/// While notices are armed, a notice comes for every death.
pub(crate) const ANNOUNCES_EVERY_DEATH: bool = true;
/// A thread arms the notices before this sleep of all threads for the object, although it has not
/// waited for long. (A sleep with a limit of 2 ms costs several microseconds more than a longer
/// one: the system sets its timer for it.)
pub(crate) const ARM_AT_SLEEP: u64 = 17;

/// Whether the file of one open object is watched.
pub(super) struct Arming {
    file: Watched,
    state: Mutex<State<WatchId>>,
}

impl Arming {
    pub(super) fn new(file: &OwnedFile, path: &Arc<Path>) -> Self {
        let (number, identity) = (file.as_raw_fd(), file.identity());
        let file = Watched { number, path: path.clone(), identity };
        Self { file, state: Mutex::new(State::Idle) }
    }

    fn lock(&self) -> MutexGuard<'_, State<WatchId>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file is not watched from now on.
    pub(super) fn turn_off(&self) {
        *self.lock() = State::Off;
    }

    /// Returns whether there is something to watch, and that is possible.
    pub(super) fn is_possible(&self, bell: &Bell) -> bool {
        bell.armed_since_ms().is_none() && self.lock().is_possible()
    }

    /// Has the file watched, if the system allows that. Returns whether it is.
    pub(super) fn arm(&self, bell: &Arc<Bell>, _processes: &dyn Processes) -> bool {
        let mut state = self.lock();
        // Another thread may have done it.
        if bell.armed_since_ms().is_none() && !matches!(*state, State::Off) {
            let armed = Service::of_this_process().and_then(|service| {
                let (ringer, watches) = service.watch(&self.file, bell)?;
                Ok(Armed { ringer, watches, stamp: service.stamp(), at: Instant::now() })
            });
            *state = armed.map_or_else(|_| State::Refused(Instant::now()), State::Armed);
        }
        bell.armed_since_ms().is_some()
    }

    /// Ends the watch when the object is closed.
    pub(super) fn end(&mut self, bell: &Arc<Bell>) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let State::Armed(Armed { ringer, watches, stamp, .. }) = state
            && stamp.is_mine()
            && let Ok(service) = Service::of_this_process()
        {
            service.unwatch(ringer, *watches, bell);
        }
    }
}

impl fmt::Debug for Arming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Arming").field(&self.file).finish()
    }
}

/// Returns why notices about files in this directory cannot be armed, if they cannot.
pub(crate) fn find_obstacle(directory: &Path) -> Option<Obstacle> {
    let watched = || Queue::new().and_then(|queue| queue.try_watch(directory));
    find_variable().or_else(|| watched().err().map(refused))
}

fn refused(error: Errno) -> Obstacle {
    let remedy = match error {
        Errno::MFILE | Errno::NFILE => {
            "raise fs.inotify.max_user_instances or the limit of open files"
        }
        Errno::NOSPC => "raise fs.inotify.max_user_watches",
        _ => "allow inotify_init1, inotify_add_watch and fcntl in the sandbox",
    };
    Obstacle::new(&format!("inotify is refused: {}", std::io::Error::from(error)), remedy)
}

/// Returns `None`: the file of an object can be watched if those in its directory can.
pub(crate) fn find_obstacle_of(_processes: &dyn Processes) -> Option<Obstacle> {
    None
}
