//! A semaphore with a maximum of permits.

use std::ops::Deref;

use super::semaphore::{self, Semaphore};
use crate::error::{Error, ErrorKind, Result};
use crate::object::{Builder, Kind, Part, PartState, Payload, Planner, Primitive, check_option};

/// A [`Semaphore`] with a maximum: [posting](Semaphore::post) beyond it is an error.
///
/// The permits that are available and those that are held are together never more than the maximum.
/// A consumed permit does not count any more. The maximum is in the object: it is the same for
/// every process, also for one that opens the object as a [`Semaphore`].
///
/// # If a process dies
///
/// Its permits are released, as with [`Semaphore`]. They count until then.
///
/// # Examples
///
/// A signal that is there or not, however often it is sent:
///
/// ```
/// use shmkit::ErrorKind;
/// use shmkit::sync::{Permits, named};
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let options = named::BoundedSemaphore::options().directory(directory.path());
/// # let open_or_create = |name, permits| options.open_or_create(name, permits);
/// let permits = Permits { initial: 0, max: 1 };
/// # /*
/// let changed = named::BoundedSemaphore::open_or_create("config/changed", permits)?;
/// # */
/// # let changed = open_or_create("config/changed", permits)?;
/// assert_eq!(changed.post(1)?, 0);
/// assert_eq!(changed.post(1).unwrap_err().kind(), ErrorKind::Full);
/// changed.consume()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct BoundedSemaphore(Semaphore);

/// What a [`BoundedSemaphore`] begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permits {
    /// The permits that are available at first: 0 to `max`.
    pub initial: u32,
    /// The most permits that can be available and held: 1 to 2^32 - 1.
    pub max: u32,
}

impl Deref for BoundedSemaphore {
    type Target = Semaphore;

    #[inline(always)]
    fn deref(&self) -> &Semaphore {
        &self.0
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Payload for BoundedSemaphore {
    type Initial = Permits;

    const KIND: Kind = Kind::Semaphore;
    const ZEROS_ARE_INITIAL: bool = true;

    fn plan(planner: &mut Planner<'_>, initial: Option<&Permits>) {
        semaphore::plan(planner, initial.map(|it| (it.initial, it.max.into())));
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        let semaphore = Semaphore::build(builder)?;
        if semaphore.max_permits().is_none() {
            let why = "a maximum was asked for, and the semaphore in the object has none";
            return Err(Error::new(ErrorKind::WrongOptions, why));
        }
        Ok(Self(semaphore))
    }

    fn describe(part: &Part<'_>) -> Result<PartState> {
        Semaphore::describe(part)
    }

    fn check_initial(permits: &Permits) -> Result<()> {
        let Permits { initial, max } = *permits;
        if (1..=max).contains(&initial.max(1)) {
            return Ok(());
        }
        let why = format!(
            "{initial} permits and a maximum of {max} were asked for: the maximum is at least 1, \
             and at least the initial number"
        );
        Err(Error::new(ErrorKind::InvalidArgument, why))
    }

    fn check_begun_with(&self, permits: &Permits) -> Result<()> {
        self.0.check_begun_with(&permits.initial)?;
        let found = self.max_permits();
        let show = |max: Option<u32>| max.map_or("none".into(), |max| max.to_string());
        check_option("the maximum of permits", Some(Some(permits.max)), found, show)
    }
}

impl Primitive for BoundedSemaphore {}
