//! How old the newest value is, and whether there is a writer that can set the next one.

use std::time::{Duration, SystemTime};

use super::Latest;
use super::geometry::FLAG_TIMES;
use super::handle::Handle;
use super::records::date;
use crate::error::{Error, ErrorKind, Result};
use crate::participant::{Liveness, Role};
use crate::shareable::{Shareable, check_by_value};

impl Handle {
    /// How long ago the newest value was set.
    pub(super) fn age(&self) -> Result<Duration> {
        self.check_use()?;
        let unsupported = || {
            let why = "the times of its values are not recorded: create it with `timestamps(true)`";
            self.age_error(ErrorKind::Unsupported, why.into())
        };
        // First, also if there is no value yet.
        if !self.has(FLAG_TIMES) {
            return Err(unsupported());
        }
        let set_at = self.newest_time().map_err(|error| self.read_error(error))?;
        self.records().age(set_at.ok_or_else(unsupported)?).map_err(|ahead| {
            let why = format!(
                "its newest value was set {ahead:?} after the present time: the wall clock was set \
                 back, its writer is in another time namespace, or another process wrote garbage; \
                 set a value"
            );
            self.age_error(ErrorKind::Corrupt, why)
        })
    }

    fn check_fresh(&self, max_age: Duration) -> Result<()> {
        let age = self.age()?;
        if age <= max_age {
            return Ok(());
        }
        let why = format!("the newest value is {age:?} old, and at most {max_age:?} were allowed");
        Err(Error::new(ErrorKind::TimedOut, why).doing("read").on(self.object.label()))
    }

    #[cold]
    fn age_error(&self, kind: ErrorKind, why: String) -> Error {
        Error::new(kind, why).doing("tell the age of").on(self.object.label())
    }

    fn has_writer(&self) -> Result<bool> {
        self.check_use()?;
        if self.register().newest().closed {
            return Err(self.object.closed());
        }
        if !self.has_shared_writers() {
            let holder = self.owner().look().holder();
            return Ok(holder.is_some_and(|holder| !self.object.is_dead(holder)));
        }
        let participants = self.object.participants();
        let writes = |slot| {
            let writer = participants.info(slot).filter(|(_, who)| who.role == Role::Writer);
            writer.is_some_and(|(id, _)| !participants.is_dead(id))
        };
        Ok((0..participants.count()).any(writes))
    }
}

impl<T: Shareable> Latest<T> {
    /// Returns how long ago the newest value was set, by any process.
    ///
    /// In memory, it is measured by the time since boot, which no process can set, and which also
    /// counts while the machine sleeps. On a disk, where values outlive a restart, it is measured
    /// by the wall clock: the age is wrong by what that was set since.
    ///
    /// # Errors
    ///
    /// `Unsupported` unless the object was created with
    /// [`timestamps`](crate::Options::timestamps); `Empty` before the first value; `Corrupt` if the
    /// newest value was set after the present time: the wall clock was set back, or this process is
    /// in another time namespace, or another process wrote garbage; `Closed`, `Busy`, `Forked`.
    pub fn age(&self) -> Result<Duration> {
        self.handle.age()
    }

    /// Returns when the newest value was set, by the present wall clock.
    ///
    /// # Errors
    ///
    /// Those of [`age`](Self::age).
    pub fn changed_at(&self) -> Result<SystemTime> {
        Ok(date(self.age()?))
    }

    /// Returns the newest value if it is not older than `max_age`. It does not wait.
    ///
    /// For a value of more than 64 KiB it does not compile: compare [`age`](Self::age), then call
    /// [`get_into`](Self::get_into), which copies that value or a newer one.
    ///
    /// # Errors
    ///
    /// `TimedOut`, with the age, if the newest value is older; and those of [`age`](Self::age) and
    /// [`get`](Self::get).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use shmkit::{ErrorKind, Latest};
    ///
    /// # fn main() -> shmkit::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let options = Latest::<f64>::options().directory(directory.path());
    /// let speed = options.timestamps(true).open_or_create_with("wheel/speed", 1.5)?;
    /// assert_eq!(speed.get_fresh(Duration::from_secs(60))?, 1.5);
    /// match speed.get_fresh(Duration::ZERO) {
    ///     Err(error) if error.kind() == ErrorKind::TimedOut => println!("stop: {error}"),
    ///     answer => println!("{}", answer?),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn get_fresh(&self, max_age: Duration) -> Result<T> {
        const { check_by_value::<T>("larger than 64 KiB: compare `age`, then use `get_into`") };
        self.handle.check_fresh(max_age)?;
        self.get()
    }

    /// Returns whether a living process has the right to set the value: it has a
    /// [`writer`](Self::writer).
    ///
    /// The answer can be out of date when it arrives. It costs a system call if there is a writer.
    /// If writers are shared, it costs one for each slot that a dead writer has left, and one for
    /// the first living one; slots that no writer has cost only a look. A reader that waits need
    /// not ask: [`changes`](Self::changes) reports the death of a writer.
    ///
    /// # If a process dies
    ///
    /// A dead writer does not count, as soon as the kernel has released its liveness lock.
    ///
    /// # Errors
    ///
    /// `Closed` if the object was removed; `Forked` in a forked child.
    pub fn has_writer(&self) -> Result<bool> {
        self.handle.has_writer()
    }
}
