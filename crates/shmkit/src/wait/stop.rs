//! What ends the waits of a thread early: a token that is cancelled, or a signal.
//!
//! Both are chosen for a call, on one thread, and hold for every wait in it. A token has the list
//! of the threads that sleep under it, so that the thread that cancels it wakes them: see
//! `sys::sleepers`, which shows that no wake is lost.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Until;
use crate::error::{Error, ErrorKind};
use crate::memory::atomic::{AtomicU64, spin_loop, thread_local};
use crate::sys::fork::ProcessStamp;
use crate::sys::sleepers::{Ring, Sleepers};
use crate::sys::wait::{self, Kind, WaitOutcome};

/// How often sleepers are woken that have not left the list of a token.
const RING_AGAIN: Duration = Duration::from_micros(200);

/// Ends waits of other threads: of every kind, in whatever object.
///
/// A thread that is to be stopped makes its waits in [`run`](Self::run). When another thread calls
/// [`cancel`](Self::cancel), they end with [`Cancelled`](ErrorKind::Cancelled): those that sleep at
/// once, and each later one in which the thread would have to wait. What was there before is still
/// acquired or received. A copy of a token is the same token; a cancelled one stays cancelled.
///
/// An attempt, such as `try_lock`, does not wait, and is not cancelled. A wait that is cancelled
/// holds nothing, as after a timeout. A [`Condvar`](crate::sync::Condvar) whose wait is cancelled
/// has released the lock. A [`BarrierParty`](crate::sync::BarrierParty) has arrived.
///
/// A token belongs to its process. In a forked child, those of the parent cannot be cancelled, and
/// end a wait only if they were cancelled before: the child makes tokens of its own.
///
/// # Examples
///
/// ```
/// use shmkit::sync::{Reset, named};
/// use shmkit::{CancelToken, ErrorKind};
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let options = named::Event::options().directory(directory.path());
/// # let open_or_create = |name, reset| options.open_or_create(name, reset);
/// # /*
/// let ready = named::Event::open_or_create("camera/ready", Reset::Manual)?;
/// # */
/// # let ready = open_or_create("camera/ready", Reset::Manual)?;
/// let stop = CancelToken::new();
/// std::thread::scope(|scope| {
///     let waiting = scope.spawn(|| stop.run(|| ready.wait()));
///     stop.cancel();
///     assert_eq!(waiting.join().unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CancelToken {
    sleepers: Arc<Sleepers>,
    /// None if the process could get none: then it makes no difference between its children and
    /// itself.
    stamp: Option<ProcessStamp>,
}

impl Default for CancelToken {
    fn default() -> Self {
        Self::new()
    }
}

impl CancelToken {
    /// Returns a new token.
    pub fn new() -> Self {
        Self { sleepers: Arc::default(), stamp: ProcessStamp::of_this_process().ok() }
    }

    /// Whether this is the process that made the token. A forked child does not use the list: it
    /// names threads that the child does not have, and one of them may have locked it.
    fn is_mine(&self) -> bool {
        self.stamp.is_none_or(ProcessStamp::is_mine)
    }

    /// Runs `action`. Until it returns, this token ends the waits of this thread. Those of outer
    /// calls with other tokens do too.
    pub fn run<R>(&self, action: impl FnOnce() -> R) -> R {
        within(Stopper::Token(self.clone()), action)
    }

    /// Cancels the token, and wakes the threads that sleep under it. Returns once they are awake.
    ///
    /// It must not be called in a signal handler.
    pub fn cancel(&self) {
        if !self.is_mine() {
            return;
        }
        self.sleepers.announce();
        while self.sleepers.ring(Ring::All) {
            if cfg!(loom) {
                spin_loop();
            } else {
                std::thread::sleep(RING_AGAIN);
            }
        }
    }

    /// Returns whether the token was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.sleepers.news() != NOT_CANCELLED
    }
}

/// The count of news of a token that was not cancelled.
const NOT_CANCELLED: u64 = 0;

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_cancelled = self.is_cancelled();
        f.debug_struct("CancelToken").field("is_cancelled", &is_cancelled).finish_non_exhaustive()
    }
}

/// Runs `action`. Until it returns, a signal ends a wait of this thread with
/// [`Interrupted`](ErrorKind::Interrupted), once its handler has returned.
///
/// Otherwise waits go on through signals. What was there before the signal is still acquired or
/// received.
///
/// Only a signal for this thread counts, and only while the thread sleeps: one whose handler ran
/// just before does not end the wait. So a program that must not miss one sends it again, or has
/// another thread receive its signals and cancel a [`CancelToken`]. It makes no difference whether
/// the handler was installed with `SA_RESTART`.
///
/// # Platforms
///
/// Windows has no signals: there it only runs `action`.
pub fn interruptible<R>(action: impl FnOnce() -> R) -> R {
    within(Stopper::Signal, action)
}

/// Why a wait ended that was not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Its token was cancelled.
    Cancelled,
    /// A signal came.
    Interrupted,
}

impl Stop {
    /// The error of a wait that ended so.
    #[cold]
    pub(crate) fn error(self) -> Error {
        match self {
            Self::Cancelled => Error::new(ErrorKind::Cancelled, "the wait was cancelled"),
            Self::Interrupted => Error::new(ErrorKind::Interrupted, "a signal ended the wait"),
        }
    }
}

/// What ends waits.
enum Stopper {
    Token(CancelToken),
    Signal,
}

/// A call in which something ends the waits of its thread.
struct Scope {
    stopper: Stopper,
    outer: Option<Rc<Scope>>,
}

thread_local! {
    /// The innermost call of this thread.
    #[allow(clippy::missing_const_for_thread_local, reason = "loom's have no constants")]
    static INNERMOST: RefCell<Option<Rc<Scope>>> = RefCell::new(None);
}

fn replace_innermost(scope: Option<Rc<Scope>>) {
    // The destructors of a thread that ends wait for as long as it takes.
    let _ = INNERMOST.try_with(|innermost| innermost.replace(scope));
}

fn within<R>(stopper: Stopper, action: impl FnOnce() -> R) -> R {
    /// Ends the call, also by a panic.
    struct Ended(Option<Rc<Scope>>);

    impl Drop for Ended {
        fn drop(&mut self) {
            replace_innermost(self.0.take());
        }
    }

    let outer = Stops::of_this_thread().0;
    let _ended = Ended(outer.clone());
    replace_innermost(Some(Rc::new(Scope { stopper, outer })));
    action()
}

/// What ends the waits of this thread.
pub(crate) struct Stops(Option<Rc<Scope>>);

impl Stops {
    /// What ends a wait of this thread. An attempt does not wait.
    pub(super) fn of(until: Until) -> Self {
        if until == Until::Now { Self(None) } else { Self::of_this_thread() }
    }

    pub(crate) fn of_this_thread() -> Self {
        let innermost = INNERMOST.try_with(|innermost| innermost.borrow().clone());
        Self(innermost.unwrap_or_default())
    }

    /// Whether nothing ends a wait early.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn scopes(&self) -> impl Iterator<Item = &Scope> {
        std::iter::successors(self.0.as_deref(), |scope| scope.outer.as_deref())
    }

    /// Returns why a wait ends now, whose last sleep ended so.
    pub(super) fn now(&self, woke: WaitOutcome) -> Option<Stop> {
        self.scopes().find_map(|scope| match &scope.stopper {
            Stopper::Token(token) => token.is_cancelled().then_some(Stop::Cancelled),
            Stopper::Signal => (woke == WaitOutcome::Interrupted).then_some(Stop::Interrupted),
        })
    }

    /// Sleeps on a word by `sleep`, unless a token was cancelled: see `sys::sleepers`.
    pub(super) fn sleep(
        &self,
        word: &AtomicU64,
        expected: u64,
        kind: Kind,
        sleep: &dyn Fn() -> WaitOutcome,
    ) -> WaitOutcome {
        sleep_within(self.0.as_deref(), word, expected, kind, sleep)
    }
}

fn sleep_within(
    scope: Option<&Scope>,
    word: &AtomicU64,
    expected: u64,
    kind: Kind,
    sleep: &dyn Fn() -> WaitOutcome,
) -> WaitOutcome {
    let Some(scope) = scope else { return sleep() };
    let outer = || sleep_within(scope.outer.as_deref(), word, expected, kind, sleep);
    match &scope.stopper {
        Stopper::Token(token) if token.is_mine() => {
            token.sleepers.sleep(word, expected, NOT_CANCELLED, kind, outer)
        }
        Stopper::Token(_) | Stopper::Signal => outer(),
    }
}

/// Sleeps until `until`, for a caller that looks at intervals; or ends early.
pub(crate) fn pause(until: Instant) -> Result<(), Stop> {
    let (stops, word) = (Stops::of_this_thread(), AtomicU64::new(0));
    if stops.is_empty() {
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
        return Ok(());
    }
    let mut woke = WaitOutcome::Changed;
    loop {
        match stops.now(woke) {
            Some(stop) => return Err(stop),
            None if woke == WaitOutcome::TimedOut => return Ok(()),
            None => {}
        }
        let sleep = || wait::wait(&word, 0, Some(until), Kind::Only);
        woke = stops.sleep(&word, 0, Kind::Only, &sleep);
    }
}
