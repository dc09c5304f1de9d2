//! Something that is done once, by one of many processes.

use std::time::Duration;

use super::membership::{Line, Membership};
use super::owner::{Mode, OwnerWord};
use super::parts::{Builder, Planner, sealed::Parts};
use super::spin::Spin;
use super::until::Until;
use crate::error::{ErrorKind, Result};
use crate::object::Kind;

/// Something that is done once, by one of many processes, before any of them goes on.
///
/// Its word is that of a lock, marked once it is done.
///
/// # If a process dies
///
/// Who dies while it does it has not done it: the next one tries, and is told so.
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
    line: Line,
    spin: Spin,
}

impl Once {
    /// Does it, unless it was done. When this returns, it is done.
    ///
    /// # Errors
    ///
    /// `Closed` if the object was removed, `Corrupt`, `Forked`, `RoleLost`.
    ///
    /// # Panics
    ///
    /// If `action` does; then it is not done.
    pub fn call_once(&self, action: impl FnOnce()) -> Result<()> {
        self.call(|_| action(), Until::Ever)
    }

    /// The same; `action` is told whether one who tried before died half-way, or panicked.
    ///
    /// # Errors
    ///
    /// As [`call_once`](Self::call_once).
    pub fn call_once_force(&self, action: impl FnOnce(bool)) -> Result<()> {
        self.call(action, Until::Ever)
    }

    /// Waits up to `timeout` for another who does it; else does it.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and as [`call_once`](Self::call_once).
    pub fn call_once_timeout(&self, action: impl FnOnce(), timeout: Duration) -> Result<()> {
        self.call(|_| action(), Until::after(timeout))
    }

    /// Whether it is done.
    #[inline]
    pub fn is_completed(&self) -> bool {
        self.owner().look().is_done()
    }

    #[inline]
    fn call(&self, action: impl FnOnce(bool), until: Until) -> Result<()> {
        if self.is_completed() {
            return Ok(());
        }
        self.call_slowly(action, until)
    }

    #[cold]
    fn call_slowly(&self, action: impl FnOnce(bool), until: Until) -> Result<()> {
        let membership = self.membership();
        membership.check()?;
        let taken = {
            let _waiting = membership.waiting(self.line.place());
            self.owner().acquire(membership.me(), Mode::Exclusive, &self.line, &self.spin, until)
        };
        taken.map_err(|refused| membership.refused(refused, "do once"))?;
        let mut doing = Doing { once: self, begun: false };
        if self.is_completed() {
            return Ok(());
        }
        doing.begun = true;
        // CRASH: dying from here on leaves it to the next one, marked as begun.
        crash_point!("once: begun");
        action(self.owner().look().is_inconsistent());
        std::mem::forget(doing);
        if membership.is_mine() && self.owner().release_done(membership.me()) {
            return Ok(());
        }
        // Another does it, or has done it, for one that lost the proof of its life.
        membership.check()?;
        let why = "this process lost the proof of its life while it did it: another does it again";
        Err(membership.error(ErrorKind::RoleLost, "do once", why.into()))
    }

    fn membership(&self) -> &Membership {
        self.line.membership()
    }

    #[inline(always)]
    fn owner(&self) -> OwnerWord<'_> {
        OwnerWord::lock(&self.line.fixed()[0])
    }
}

/// Gives the word back when it was done already, or not at all.
struct Doing<'a> {
    once: &'a Once,
    begun: bool,
}

impl Drop for Doing<'_> {
    fn drop(&mut self) {
        let membership = self.once.membership();
        if membership.is_mine() {
            match self.begun {
                true => self.once.owner().release_inconsistent(membership.me()),
                false => self.once.owner().release(membership.me()),
            };
        }
    }
}

#[allow(private_interfaces, reason = "nobody else makes primitives")]
impl Parts for Once {
    type Initial = ();
    const KIND: Kind = Kind::Once;

    fn plan(planner: &mut Planner, _: Option<&()>) {
        planner.line("once");
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        Ok(Self { line: builder.line()?, spin: Spin::default() })
    }
}
