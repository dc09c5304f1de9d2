//! Death notices by the ends of the participants' processes.

pub(super) mod queue;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use self::queue::{MAX_PROCESSES, WatchId, Watched};
use super::bell::Bell;
use super::obstacle::Obstacle;
use super::processes::Processes;
use super::rings::Budget;
use super::service::{Service, find_variable};
use super::state::{Armed, State};
use crate::error::Result;
use crate::sys::fork::OwnedFile;

/// While notices are armed, no notice may come for a death: of a participant that joined while a
/// thread slept, or of one that the system does not let this process watch.
pub(crate) const ANNOUNCES_EVERY_DEATH: bool = false;
/// Threads arm the notices before they sleep for the first time: another sleeper of the word would
/// have to be woken, too, after a sleep with a limit of 2 ms.
pub(crate) const ARM_AT_SLEEP: u64 = 1;

/// Which processes are watched for one open object.
pub(super) struct Arming(Mutex<Watching>);

struct Watching {
    state: State<BTreeSet<WatchId>>,
    /// [`Processes::changes`] when the processes were looked up last.
    changes: Option<u64>,
    /// How many times they may be looked up: any peer can cause that.
    budget: Budget,
}

impl Arming {
    pub(super) fn new(_file: &OwnedFile, _path: &Arc<Path>) -> Self {
        let (state, budget) = (State::Idle, Budget::new());
        Self(Mutex::new(Watching { state, changes: None, budget }))
    }

    fn lock(&self) -> MutexGuard<'_, Watching> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No process is watched from now on.
    pub(super) fn turn_off(&self) {
        self.lock().state = State::Off;
    }

    /// Returns whether there may be a process to watch, and that is possible.
    pub(super) fn is_possible(&self, bell: &Bell) -> bool {
        let watching = self.lock();
        // With the lock held: another thread may be arming them.
        bell.armed_since_ms().is_some() || watching.state.is_possible()
    }

    /// Has those processes watched that are not, if the system allows that. Returns whether there
    /// were any.
    pub(super) fn arm(&self, bell: &Arc<Bell>, processes: &dyn Processes) -> bool {
        let mut watching = self.lock();
        if bell.armed_since_ms().is_none() {
            watching.forget_ended();
        }
        let is_off = matches!(watching.state, State::Off);
        // Before the ids are read: if they change meanwhile, the next call reads them again.
        let changes = Some(processes.changes());
        if is_off || watching.changes == changes || !watching.budget.try_spend() {
            return false;
        }
        watching.changes = changes;
        watching.update(bell, &others(processes))
    }

    /// Ends the watches when the object is closed.
    pub(super) fn end(&mut self, bell: &Arc<Bell>) {
        let watching = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let State::Armed(Armed { ringer, watches, stamp, .. }) = &watching.state
            && stamp.is_mine()
            && let Ok(service) = Service::of_this_process()
        {
            watches.iter().for_each(|id| service.unwatch(ringer, *id, bell));
        }
    }
}

impl Watching {
    /// If there were watches, the ringer has ended, and they with it.
    fn forget_ended(&mut self) {
        if matches!(self.state, State::Armed(_)) {
            (self.state, self.changes) = (State::Idle, None);
        }
    }

    /// Has those of these processes watched that are not. Returns whether there were any.
    fn update(&mut self, bell: &Arc<Bell>, processes: &BTreeSet<u32>) -> bool {
        let new: Vec<_> = processes.difference(self.watched()).copied().collect();
        // Before the new watches, to make room for them. The ringer must keep at least one watch.
        if !self.watched().is_disjoint(processes) {
            self.remove_all_but(processes, bell);
        }
        // One that cannot be opened has ended, or belongs to another user.
        let opened = new.iter().filter_map(|id| Watched::open(*id).ok());
        let added = opened.map_while(|process| self.add(&process, bell).ok()).count();
        if added > 0 {
            self.remove_all_but(processes, bell);
        }
        !new.is_empty()
    }

    fn watched(&self) -> &BTreeSet<WatchId> {
        const NONE: &BTreeSet<WatchId> = &BTreeSet::new();
        match &self.state {
            State::Armed(armed) => &armed.watches,
            _ => NONE,
        }
    }

    /// Has a process watched.
    fn add(&mut self, process: &Watched, bell: &Arc<Bell>) -> Result<()> {
        let service = Service::of_this_process()?;
        let (ringer, id) = service.watch(process, bell).inspect_err(|_| self.refused())?;
        match &mut self.state {
            State::Armed(armed) if Arc::ptr_eq(&armed.ringer, &ringer) => {
                armed.watches.insert(id);
            }
            _ => {
                let (watches, stamp) = (BTreeSet::from([id]), service.stamp());
                self.state = State::Armed(Armed { ringer, watches, stamp, at: Instant::now() });
            }
        }
        Ok(())
    }

    /// If it was the first process, there is no thread, and the next attempt starts anew. Otherwise
    /// there are too many processes, and those that were watched still are.
    fn refused(&mut self) {
        if !matches!(self.state, State::Armed(_)) {
            self.state = State::Refused(Instant::now());
            self.changes = None;
        }
    }

    /// Ends the watches of processes that take part no more. The ringer must have another watch: it
    /// may still have to ring for one of these.
    fn remove_all_but(&mut self, processes: &BTreeSet<u32>, bell: &Arc<Bell>) {
        let State::Armed(Armed { ringer, watches, .. }) = &mut self.state else { return };
        let Ok(service) = Service::of_this_process() else { return };
        watches.retain(|id| {
            let takes_part = processes.contains(id);
            if !takes_part {
                service.unwatch(ringer, *id, bell);
            }
            takes_part
        });
    }
}

impl fmt::Debug for Arming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Arming").field(self.lock().watched()).finish()
    }
}

/// Returns the ids of the processes other than this one.
fn others(processes: &dyn Processes) -> BTreeSet<u32> {
    let me = std::process::id();
    processes.ids().into_iter().filter(|id| *id != me).collect()
}

/// Returns why notices cannot be armed, if they cannot. The directory does not matter.
pub(crate) fn find_obstacle(_directory: &Path) -> Option<Obstacle> {
    find_variable()
}

/// Returns why notices about one of the processes cannot be armed, if they cannot.
pub(crate) fn find_obstacle_of(processes: &dyn Processes) -> Option<Obstacle> {
    obstacle_among(others(processes), |id| Watched::open(id).err())
}

/// The same for these processes; `refusal` returns why one cannot be opened.
fn obstacle_among(
    others: BTreeSet<u32>,
    refusal: impl Fn(u32) -> Option<io::Error>,
) -> Option<Obstacle> {
    if others.len() > MAX_PROCESSES {
        let count = others.len();
        let why = format!("{count} processes use it, and a process can watch {MAX_PROCESSES}");
        return Some(Obstacle::new(&why, "use it in fewer processes"));
    }
    // One that does not exist has ended.
    let is_refused = |error: io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    let refused = others.into_iter().find(|id| refusal(*id).is_some_and(is_refused))?;
    let why = format!("the system does not let this user wait for the end of process {refused}");
    Some(Obstacle::new(&why, "run the processes as one user"))
}

#[cfg(test)]
mod tests;
