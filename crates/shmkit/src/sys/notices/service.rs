//! The ringer of this process: it starts when the first waiter arms notices, and ends with the last
//! object that has armed them. A forked child has no such thread, and starts one of its own.

#![allow(unsafe_code, reason = "a value that each process makes once")]

use core::sync::atomic::{AtomicPtr, Ordering};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::bell::Bell;
use super::obstacle::Obstacle;
use super::ringer::Ringer;
use super::system::queue::{Queue, WatchId, Watched};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::fork::ProcessStamp;
use crate::sys::thread::STACK_BYTES;
use crate::sys::{process, thread};

/// The environment variable that turns notices off.
const VARIABLE: &str = "SHMKIT_NOTICES";

/// Returns whether the environment says that this process must not get another thread.
fn is_turned_off() -> bool {
    process::variable(VARIABLE).is_some_and(|value| value == "off")
}

/// Returns the same as an obstacle.
pub(super) fn find_variable() -> Option<Obstacle> {
    let obstacle = || Obstacle::new(&format!("{VARIABLE} is off"), &format!("unset {VARIABLE}"));
    is_turned_off().then(obstacle)
}

/// The ringer of this process, if it has one.
pub(super) struct Service {
    stamp: ProcessStamp,
    running: Mutex<Option<Running>>,
}

struct Running {
    ringer: Arc<Ringer>,
    thread: JoinHandle<()>,
}

impl Service {
    /// Returns the service of this process. A child leaves that of its parent alone: a thread that
    /// the child does not have may have locked it.
    pub(super) fn of_this_process() -> Result<&'static Self> {
        static CURRENT: AtomicPtr<Service> = AtomicPtr::new(ptr::null_mut());
        let stamp = ProcessStamp::of_this_process()?;
        loop {
            // ORDERING: Acquire; pairs with the Release below.
            let found = CURRENT.load(Ordering::Acquire);
            if let Some(service) = NonNull::new(found) {
                // SAFETY: no service is ever freed.
                let service = unsafe { service.as_ref() };
                if service.stamp.is_mine() {
                    return Ok(service);
                }
            }
            let made = Box::into_raw(Box::new(Self { stamp, running: Mutex::new(None) }));
            // ORDERING: Release; pairs with the Acquire above.
            let order = Ordering::AcqRel;
            if CURRENT.compare_exchange(found, made, order, Ordering::Relaxed).is_err() {
                // SAFETY: no other thread has seen it.
                drop(unsafe { Box::from_raw(made) });
            }
        }
    }

    pub(super) fn stamp(&self) -> ProcessStamp {
        self.stamp
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has something watched for an open object. Starts a ringer, if there is none.
    pub(super) fn watch(
        &self,
        watched: &Watched,
        bell: &Arc<Bell>,
    ) -> Result<(Arc<Ringer>, WatchId)> {
        let mut running = self.lock();
        if let Some(Running { ringer, .. }) = &*running
            && let Some(answer) = ringer.watch(watched, bell)
        {
            return Ok((ringer.clone(), answer.map_err(Error::from_os)?));
        }
        let (started, id) = Running::start(watched, bell)?;
        Ok((running.insert(started).ringer.clone(), id))
    }

    /// Ends the watch for one open object, and the ringer with its last watch.
    pub(super) fn unwatch(&self, ringer: &Arc<Ringer>, id: WatchId, bell: &Arc<Bell>) {
        let mut running = self.lock();
        if !ringer.unwatch(id, bell) {
            return;
        }
        let ended = running.take_if(|running| Arc::ptr_eq(&running.ringer, ringer));
        drop(running);
        // The end of the watch woke the thread, unless the program closed the descriptor: then the
        // thread ends within two seconds.
        if let Some(ended) = ended
            && ringer.can_be_woken()
        {
            let _ = ended.thread.join();
        }
    }
}

impl Running {
    /// Starts a ringer, with its first watch.
    fn start(watched: &Watched, bell: &Arc<Bell>) -> Result<(Self, WatchId)> {
        if is_turned_off() {
            return Err(Error::new(ErrorKind::Unsupported, format!("{VARIABLE} is off")));
        }
        let queue = Queue::new().map_err(Error::from_os)?;
        let ringer = Arc::new(Ringer::new(queue));
        let id = ringer.watch(watched, bell).ok_or_else(lost)?.map_err(Error::from_os)?;
        let run = {
            let ringer = ringer.clone();
            move || ringer.run()
        };
        match thread::start("shmkit-notices", STACK_BYTES, run) {
            Ok(thread) => Ok((Self { ringer, thread }, id)),
            Err(error) => {
                ringer.end();
                Err(Error::from_os(error))
            }
        }
    }
}

#[cold]
fn lost() -> Error {
    Error::new(ErrorKind::Os, "the program closed the descriptor that receives notices")
}
