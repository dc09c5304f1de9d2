//! An action that is done once, by one of many processes.

use std::time::Duration;

use super::raw::mutex::{self, RawMutex};
use crate::error::{Error, ErrorKind, Result};
use crate::object::{Builder, Holding, Kind, Part, PartState, Payload, Planner, Primitive};
use crate::participant::owner::{Acquired, Mode, OwnerWord};
use crate::wait::Until;

/// An action that is done once, by one of many processes, before any of them goes on.
///
/// # If a process dies
///
/// A process that dies while it runs the action has not done it: the next process runs it, and
/// learns of that by [`call_once_force`](Self::call_once_force).
///
/// # Examples
///
/// ```
/// use shmkit::sync::named;
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let options = named::Once::options().directory(directory.path());
/// # let open_or_create = |name| options.open_or_create(name, ());
/// # /*
/// let start = named::Once::open_or_create("plant/start", ())?;
/// # */
/// # let start = open_or_create("plant/start")?;
/// start.call_once(|| println!("opening the valves"))?;
/// start.call_once(|| unreachable!("it is done"))?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Once {
    /// Its word is marked once the action is done.
    raw: RawMutex,
}

impl Once {
    /// Runs `action`, unless it was done. When this returns, it is done.
    ///
    /// # Errors
    ///
    /// `Corrupt`, `Forked`, `RoleLost`; `Closed` if the object was removed.
    ///
    /// # Panics
    ///
    /// If `action` panics; then it is not done.
    pub fn call_once(&self, action: impl FnOnce()) -> Result<()> {
        self.call(infallible(|_| action()), Until::Ever)
    }

    /// Runs `action`, unless it was done, and says whether an earlier process died or panicked
    /// while it ran it.
    ///
    /// # Errors
    ///
    /// Those of [`call_once`](Self::call_once).
    pub fn call_once_force(&self, action: impl FnOnce(bool)) -> Result<()> {
        self.call(infallible(action), Until::Ever)
    }

    /// Runs `action`, unless it was done. Waits up to `timeout` for another process that runs it.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and those of [`call_once`](Self::call_once).
    pub fn call_once_timeout(&self, action: impl FnOnce(), timeout: Duration) -> Result<()> {
        self.call(infallible(|_| action()), Until::after(timeout))
    }

    /// Runs `action`, unless it was done. If `action` fails, it is not done: this returns its
    /// error, and the next caller runs its action.
    ///
    /// # Errors
    ///
    /// Those of `action`; and those of [`call_once`](Self::call_once), converted.
    ///
    /// # Panics
    ///
    /// If `action` panics; then it is not done.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::error::Error;
    ///
    /// use shmkit::sync::named;
    ///
    /// fn open(valves: bool) -> Result<(), Box<dyn Error>> {
    ///     if valves { Ok(()) } else { Err("no valves".into()) }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let options = named::Once::options().directory(directory.path());
    /// # let create = |name| options.create(name, ());
    /// # /*
    /// let start = named::Once::create("plant/start", ())?;
    /// # */
    /// # let start = create("plant/start")?;
    /// assert!(start.try_call_once(|| open(false)).is_err() && !start.is_completed());
    /// start.try_call_once(|| open(true))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_call_once<E: From<Error>>(
        &self,
        action: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        self.call(|_| action(), Until::Ever)
    }

    /// Runs `action` as [`try_call_once`](Self::try_call_once) does, and says whether an earlier
    /// process died or panicked while it ran it. An action that returned an error has not died.
    ///
    /// # Errors
    ///
    /// Those of [`try_call_once`](Self::try_call_once).
    pub fn try_call_once_force<E: From<Error>>(
        &self,
        action: impl FnOnce(bool) -> Result<(), E>,
    ) -> Result<(), E> {
        self.call(action, Until::Ever)
    }

    /// Returns whether it is done.
    #[inline]
    pub fn is_completed(&self) -> bool {
        self.raw.word().look().is_done()
    }

    #[inline]
    fn call<E: From<Error>>(
        &self,
        action: impl FnOnce(bool) -> Result<(), E>,
        until: Until,
    ) -> Result<(), E> {
        if self.is_completed() {
            return Ok(());
        }
        self.call_slowly(action, until)
    }

    #[cold]
    fn call_slowly<E: From<Error>>(
        &self,
        action: impl FnOnce(bool) -> Result<(), E>,
        until: Until,
    ) -> Result<(), E> {
        const ACTION: &str = "do once";
        let membership = self.raw.membership();
        let acquired = match self.raw.acquire_slowly(Mode::Exclusive, until) {
            Ok(acquired) => acquired,
            // It was done, and then the object was removed, or the time was over.
            Err(_) if self.is_completed() => return Ok(()),
            Err(error) => return Err(membership.acquire_error(error, ACTION).into()),
        };
        let mut running = Running { once: self, begun: false };
        if self.is_completed() {
            return Ok(());
        }
        running.begun = true;
        // CRASH: dying from here on leaves it to the next process, inconsistent.
        crash_point!("once: begun");
        if let Err(failed) = action(acquired == Acquired::Inconsistent) {
            // An earlier death stays marked.
            running.begun = false;
            return Err(failed);
        }
        std::mem::forget(running);
        if membership.is_mine() && self.raw.word().release_done(membership.me()) {
            return Ok(());
        }
        // Another process runs it, or has, because this one lost its liveness lock.
        membership.check_live()?;
        let why = "this process lost its liveness lock while it ran the action: another process \
                   runs the action again";
        Err(membership.error(ErrorKind::RoleLost, ACTION, why).into())
    }
}

/// Wraps an action that cannot fail.
fn infallible(action: impl FnOnce(bool)) -> impl FnOnce(bool) -> Result<()> {
    |failed| {
        action(failed);
        Ok(())
    }
}

/// Releases the word when the action was done already, fails, or panics.
struct Running<'a> {
    once: &'a Once,
    begun: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let raw = &self.once.raw;
        if self.begun && raw.membership().is_mine() {
            raw.word().release_inconsistent(raw.membership().me());
        } else {
            raw.release();
        }
    }
}

const RUNS: Holding = Holding::new(
    "runs it",
    "runs it {} times",
    "while it ran the action of {part}: the next process runs it",
);

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Payload for Once {
    type Initial = ();

    const KIND: Kind = Kind::Once;
    const ZEROS_ARE_INITIAL: bool = true;

    fn plan(planner: &mut Planner<'_>, _: Option<&()>) {
        RawMutex::plan(planner);
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        Ok(Self { raw: RawMutex::build(builder)? })
    }

    fn describe(part: &Part<'_>) -> Result<PartState> {
        let state = OwnerWord::of_lock(&part.line::<1>()?[0]).look();
        let (done, running) = (state.is_done(), state.holder().is_some());
        let text = match (done, running, state.is_inconsistent()) {
            (true, ..) => "done",
            (false, true, _) => "running",
            (false, false, true) => "not done: an earlier run failed",
            (false, false, false) => "not done",
        };
        Ok(PartState {
            text: text.into(),
            fields: vec![
                ("done", done.into()),
                ("doing", running.into()),
                ("failed", state.is_inconsistent().into()),
            ],
            holders: state.holder().map(|id| part.held_by(id, RUNS)).into_iter().collect(),
            is_sound: state.is_sound(),
            ..PartState::primitive()
        })
    }

    fn reap(part: &Part<'_>) -> Result<()> {
        mutex::reap(part)
    }
}

impl Primitive for Once {}
