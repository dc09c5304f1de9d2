//! Death notices by inotify, on the object's own file.

mod due;
mod queue;
mod ringer;
mod service;

use std::fmt;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::queue::{WatchId, WatchedFile};
use self::ringer::Ringer;
use self::service::Service;
pub(crate) use self::service::find_obstacle;
use super::bell::Bell;
use crate::sys::fork::{OwnedFile, ProcessStamp};

/// How long after they were refused or ended notices are not armed again.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Whether the file of one open object is watched.
pub(super) struct Arming {
    file: WatchedFile,
    state: Mutex<State>,
}

enum State {
    /// No waiter has needed it yet.
    Idle,
    /// Not wanted.
    Off,
    /// It is watched, or the watch has ended.
    Armed(Armed),
    /// The system refused.
    Refused(Instant),
}

/// The ringer that watches the file, and the process that has it.
struct Armed {
    ringer: Arc<Ringer>,
    id: WatchId,
    stamp: ProcessStamp,
    at: Instant,
}

impl Arming {
    pub(super) fn new(file: &OwnedFile, path: &Arc<Path>) -> Self {
        let (number, identity) = (file.as_raw_fd(), file.identity());
        let file = WatchedFile { number, path: path.clone(), identity };
        Self { file, state: Mutex::new(State::Idle) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file is not watched from now on.
    pub(super) fn turn_off(&self) {
        *self.lock() = State::Off;
    }

    /// Returns whether a file that is not watched can be.
    pub(super) fn is_possible(&self) -> bool {
        match &*self.lock() {
            State::Idle => true,
            State::Off => false,
            // What ended soon would end soon again.
            State::Refused(at) | State::Armed(Armed { at, .. }) => at.elapsed() > RETRY_AFTER,
        }
    }

    /// Has the file watched, if the system allows that.
    pub(super) fn arm(&self, bell: &Arc<Bell>) {
        let mut state = self.lock();
        // Another thread may have done it.
        if bell.armed_since_ms().is_some() || matches!(*state, State::Off) {
            return;
        }
        let armed = Service::of_this_process().and_then(|service| {
            let (ringer, id) = service.watch(&self.file, bell)?;
            Ok(Armed { ringer, id, stamp: service.stamp(), at: Instant::now() })
        });
        *state = armed.map_or_else(|_| State::Refused(Instant::now()), State::Armed);
    }

    /// Ends the watch when the object is closed.
    pub(super) fn end(&mut self, bell: &Arc<Bell>) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let State::Armed(Armed { ringer, id, stamp, .. }) = state
            && stamp.is_mine()
            && let Ok(service) = Service::of_this_process()
        {
            service.unwatch(ringer, *id, bell);
        }
    }
}

impl fmt::Debug for Arming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Arming").field(&self.file).finish()
    }
}
