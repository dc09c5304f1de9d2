//! Permits, which are taken and come back, from the dead too.

mod permits;

use std::mem;
use std::time::{Duration, Instant};

pub(super) use self::permits::Permits;
use self::permits::{MAX, MAX_HELD, PermitError, STRIDE, at_first};
use super::membership::{Line, Membership, Words};
use super::owner::Liveness;
use super::parts::{Builder, Planner, sealed::Parts};
use super::sleepers::Habit;
use super::until::Until;
use crate::error::{ErrorKind, Result};
use crate::memory::atomic::Ordering;
use crate::object::{Kind, same_option};

/// Permits, which are taken and come back, from the dead too.
///
/// [`acquire`](Self::acquire) takes a [`Permit`], which comes back when it is dropped, or when its
/// process dies: as a place in a pool. [`Permit::forget`] makes it one that does not come back, as
/// a signal that was consumed; [`consume`](Self::consume) takes one in that way at once, and
/// [`post`](Self::post) gives new ones.
///
/// There can be 2^40 permits, and one participant can hold 15,000.
///
/// # If a process dies
///
/// The permits that it holds come back: who waits finds them when it looks, at once or 50 ms later.
/// Who dies waiting took nothing. Taking is one exchange: before it, the permit is another's.
///
/// # Examples
///
/// ```
/// use shmkit::sync::named;
///
/// # fn main() -> shmkit::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let options = named::Semaphore::options().directory(directory.path());
/// # let open_or_create = |name, permits| options.open_or_create(name, permits);
/// # /*
/// let licences = named::Semaphore::open_or_create("solver/licences", 3)?;
/// # */
/// # let licences = open_or_create("solver/licences", 3)?;
/// let licence = licences.acquire()?;
/// assert_eq!(licences.available(), 2);
/// drop(licence);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Semaphore {
    line: Line,
    slots: Words<0>,
    permits_at_first: u32,
    habit: Habit,
}

impl Semaphore {
    /// Takes a permit, waiting until there is one.
    ///
    /// # If a process dies
    ///
    /// Permits of the dead are looked for before it sleeps, if this handle has not done so in the
    /// last 50 ms, and every 50 ms.
    ///
    /// # Errors
    ///
    /// `Closed` if the object was removed; `Full` if this participant holds 15,000; `Corrupt`;
    /// `Forked`; `RoleLost`.
    #[inline]
    pub fn acquire(&self) -> Result<Permit<'_>> {
        self.take(true, Until::Ever)?;
        Ok(Permit { semaphore: self })
    }

    /// Takes a permit if there is one.
    ///
    /// # If a process dies
    ///
    /// Each handle looks for permits of the dead once in 50 ms at the most.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    #[inline]
    pub fn try_acquire(&self) -> Result<Option<Permit<'_>>> {
        Ok(self.try_take(true)?.then(|| Permit { semaphore: self }))
    }

    /// Takes a permit, waiting up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and as [`acquire`](Self::acquire).
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<Permit<'_>> {
        self.take(true, Until::after(timeout))?;
        Ok(Permit { semaphore: self })
    }

    /// Takes a permit, waiting until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`acquire_timeout`](Self::acquire_timeout).
    pub fn acquire_until(&self, deadline: Instant) -> Result<Permit<'_>> {
        self.take(true, Until::Deadline(deadline))?;
        Ok(Permit { semaphore: self })
    }

    /// Takes a permit for good, waiting until there is one: it does not come back.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    #[inline]
    pub fn consume(&self) -> Result<()> {
        self.take(false, Until::Ever)
    }

    /// Takes a permit for good if there is one.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    #[inline]
    pub fn try_consume(&self) -> Result<bool> {
        self.try_take(false)
    }

    /// Takes a permit for good, waiting up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and as [`acquire`](Self::acquire).
    pub fn consume_timeout(&self, timeout: Duration) -> Result<()> {
        self.take(false, Until::after(timeout))
    }

    /// Gives so many new permits.
    ///
    /// # Errors
    ///
    /// `Full` if there would be more than 2^40; `Closed` if the object was removed; `Forked`;
    /// `RoleLost`.
    #[inline]
    pub fn post(&self, permits: u32) -> Result<()> {
        self.membership().check()?;
        if permits == 0 {
            return Ok(());
        }
        self.permits().post(permits.into()).map_err(|refusal| match refusal {
            PermitError::Closed => self.membership().object().closed(),
            _ => {
                let why = format!("there would be more than {MAX} permits");
                self.membership().error(ErrorKind::Full, "post to", why)
            }
        })
    }

    /// Takes a permit for good, waiting until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`consume_timeout`](Self::consume_timeout).
    pub fn consume_until(&self, deadline: Instant) -> Result<()> {
        self.take(false, Until::Deadline(deadline))
    }

    /// How many permits there are to be had at this moment.
    pub fn available(&self) -> u64 {
        self.permits().available()
    }

    fn membership(&self) -> &Membership {
        self.line.membership()
    }

    #[inline(always)]
    fn permits(&self) -> Permits<'_> {
        Permits::of(self.line.fixed(), self.slots.all())
    }

    /// Whose a permit is, if it is to come back.
    #[inline(always)]
    fn slot(&self, comes_back: bool) -> Option<u32> {
        comes_back.then(|| self.membership().me().slot)
    }

    #[inline]
    fn take(&self, comes_back: bool, until: Until) -> Result<()> {
        self.membership().check()?;
        let (permits, slot) = (self.permits(), self.slot(comes_back));
        if !permits.is_reserved_for_others(false) && permits.try_take(slot).is_ok() {
            return Ok(());
        }
        self.take_slowly(slot, until)
    }

    #[inline]
    fn try_take(&self, comes_back: bool) -> Result<bool> {
        self.membership().check()?;
        let slot = self.slot(comes_back);
        let mut taken = self.permits().try_take(slot);
        if taken == Err(PermitError::None) && self.line.is_due() {
            self.reap_the_dead();
            taken = self.permits().try_take(slot);
        }
        match taken {
            Ok(()) => Ok(true),
            Err(PermitError::None) => Ok(false),
            Err(refusal) => Err(self.refused(refusal)),
        }
    }

    #[cold]
    fn take_slowly(&self, slot: Option<u32>, until: Until) -> Result<()> {
        let (membership, permits) = (self.membership(), self.permits());
        let _waiting = membership.waiting(self.line.place());
        let mut waiter = self.habit.waiter();
        let slow_look = || {
            self.reap_the_dead();
            membership.is_gone()
        };
        let taken = permits.take(slot, &mut waiter, until.deadline(), slow_look);
        self.habit.keep(&waiter);
        match taken {
            Some(taken) => taken.map_err(|refusal| self.refused(refusal)),
            None => Err(membership.timed_out("take a permit of")),
        }
    }

    /// Gives back what the dead hold.
    #[cold]
    fn reap_the_dead(&self) {
        let (membership, permits) = (self.membership(), self.permits());
        for slot in 0..membership.participants() {
            if permits.may_hold(slot) {
                permits.reap(slot, || membership.reap_slot(slot));
            }
        }
    }

    #[cold]
    fn refused(&self, refusal: PermitError) -> crate::Error {
        let membership = self.membership();
        match refusal {
            PermitError::Closed => membership.object().closed(),
            PermitError::None => membership.timed_out("take a permit of"),
            PermitError::TooMany => {
                let why = format!("this participant holds {MAX_HELD}, which is the most");
                membership.error(ErrorKind::Full, "take a permit of", why)
            }
            PermitError::Corrupt => {
                membership.corrupt("take a permit of", "more permits were taken than given")
            }
        }
    }
}

#[allow(private_interfaces, reason = "nobody else makes primitives")]
impl Parts for Semaphore {
    type Initial = u32;
    const KIND: Kind = Kind::Semaphore;

    fn plan(planner: &mut Planner, initial: Option<&u32>) {
        let line = planner.line("semaphore");
        planner.words_for_each("slots", STRIDE);
        if let Some(&permits) = initial {
            planner.write(line, &at_first(permits).to_le_bytes());
            planner.write(line + 8, &u64::from(permits).to_le_bytes());
        }
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        let (line, slots) = (builder.line()?, builder.words_for_each(STRIDE)?);
        // ORDERING: Relaxed; written before the object had its name.
        let permits_at_first = line.fixed()[1].load(Ordering::Relaxed) as u32;
        let semaphore = Self { line, slots, permits_at_first, habit: Habit::default() };
        // What the one who had this slot before still holds.
        semaphore.permits().reap(semaphore.membership().me().slot, || true);
        Ok(semaphore)
    }

    fn check(&self, permits: &u32) -> Result<()> {
        let (asked, found) = (*permits, self.permits_at_first);
        same_option("the number of permits at first", Some(asked), found, |it| it.to_string())
    }
}

/// A permit of a [`Semaphore`], which comes back when this is dropped, or its process dies.
#[must_use = "the permit comes back when this is dropped"]
#[derive(Debug)]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
}

impl Permit<'_> {
    /// Makes it one that does not come back: it was consumed.
    pub fn forget(self) {
        let membership = self.semaphore.membership();
        if membership.is_well() {
            self.semaphore.permits().consume(membership.me().slot);
        }
        mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        let membership = self.semaphore.membership();
        if membership.is_well() {
            self.semaphore.permits().give_back(membership.me().slot);
        }
    }
}
