//! The flag that an event loop polls in place of a set.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::reactor::{Client, Registration};
use crate::error::Result;
use crate::sys::pollable::{PollHandle, Pollable};
use crate::wait::Source;

/// What is polled, and whether the sources of its set are watched.
pub(super) struct Flag {
    pollable: Arc<Pollable>,
    state: Mutex<State>,
}

/// The flag is set, or the sources are watched, or both for a moment.
struct State {
    is_set: bool,
    registration: Option<Registration>,
}

impl Flag {
    /// Returns a flag that is set, so that the first look at the set has its sources watched.
    pub(super) fn new() -> Result<Self> {
        let pollable = Arc::new(Pollable::new()?);
        pollable.set();
        Ok(Self { pollable, state: Mutex::new(State { is_set: true, registration: None }) })
    }

    /// What is polled.
    pub(super) fn handle(&self) -> PollHandle {
        PollHandle::of(&self.pollable)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A look found nothing ready: clears the flag, and has the sources watched. A source that is
    /// ready by now sets it again.
    pub(super) fn watch(
        self: &Arc<Self>,
        sources: impl FnOnce() -> Vec<Arc<dyn Source>>,
    ) -> Result<()> {
        let mut state = self.lock();
        if state.is_set {
            self.pollable.clear();
            *state = State { is_set: false, registration: None };
            state.registration = Some(Registration::new(sources(), self.clone())?);
        }
        Ok(())
    }
}

impl Client for Flag {
    fn ready(&self) {
        let mut state = self.lock();
        state.is_set = true;
        self.pollable.set();
        let registration = state.registration.take();
        drop(state);
        drop(registration);
    }
}
