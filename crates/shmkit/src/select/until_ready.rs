//! A future that ends when one of its sources may be ready.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::reactor::{Client, Registration};
use crate::error::Result;
use crate::wait::Source;

/// A task that is woken once.
#[derive(Default)]
pub(super) struct Task(Mutex<State>);

#[derive(Default)]
struct State {
    is_ready: bool,
    waker: Option<Waker>,
}

impl Task {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client for Task {
    fn ready(&self) {
        let mut state = self.lock();
        state.is_ready = true;
        let waker = state.waker.take();
        // The waker is the program's own code.
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Ends when one of the sources may be ready. It takes nothing, so dropping it loses nothing.
pub(super) struct UntilReady {
    /// None once they are watched.
    sources: Option<Vec<Arc<dyn Source>>>,
    task: Arc<Task>,
    registration: Option<Registration>,
}

impl UntilReady {
    pub(super) fn of(source: Arc<dyn Source>) -> Self {
        Self::of_any(vec![source], Arc::default())
    }

    /// The same for several sources. It also ends if the task is told otherwise.
    pub(super) fn of_any(sources: Vec<Arc<dyn Source>>, task: Arc<Task>) -> Self {
        Self { sources: Some(sources), task, registration: None }
    }
}

impl Future for UntilReady {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        {
            let mut state = self.task.lock();
            if state.is_ready {
                return Poll::Ready(Ok(()));
            }
            // Before the sources are watched, and each time: a task can move between executors.
            match &mut state.waker {
                Some(waker) => waker.clone_from(context.waker()),
                none => *none = Some(context.waker().clone()),
            }
        }
        if let Some(sources) = self.sources.take() {
            self.registration = Some(Registration::new(sources, self.task.clone())?);
        }
        match &self.registration {
            // In a forked child nothing is watched: the next attempt says that.
            Some(registration) if !registration.is_mine() => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    }
}
