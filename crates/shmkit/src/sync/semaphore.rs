//! A semaphore, whose permits come back from dead holders too.

use std::mem;
use std::time::{Duration, Instant};

use super::raw::permits::{MAX_HELD, MAX_PERMITS, PermitError, Permits, STRIDE, at_first};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::Ordering;
use crate::object::{
    Builder, Holding, Kind, Line, Membership, Part, PartState, Payload, Planner, Primitive, WORDS,
    Words, check_option,
};
use crate::participant::Liveness;
use crate::wait::{Extent, Until, WaitLoop};

/// A semaphore: permits that are acquired and released, also by the death of their holder.
///
/// [`acquire`](Self::acquire) returns a [`Permit`], which is released when it is dropped or when
/// its process dies: a place in a pool. [`Permit::forget`] makes it one that is never released: a
/// signal that was consumed. [`consume`](Self::consume) acquires such a permit at once, and
/// [`post`](Self::post) adds new ones.
///
/// There can be 2^40 permits, and one participant can hold 15,000.
///
/// # If a process dies
///
/// The permits that it holds are released: a waiter finds them at once or within 50 ms. A process
/// that dies while it waits holds nothing.
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
    initial_permits: u32,
    /// By which threads wait for a permit that its holder releases, as a lock.
    permit_loop: WaitLoop,
    /// By which they wait for one that is consumed, as another process's answer.
    consume_loop: WaitLoop,
}

impl Semaphore {
    /// Acquires a permit, and waits until one is available.
    ///
    /// # If a process dies
    ///
    /// The thread finds permits of dead participants at once, on a death notice, or within 50 ms.
    ///
    /// # Errors
    ///
    /// `Closed` if the object was removed; `Full` if this participant holds 15,000; `Corrupt`;
    /// `Forked`; `RoleLost`.
    #[inline]
    pub fn acquire(&self) -> Result<Permit<'_>> {
        self.permit(Until::Ever)
    }

    /// Acquires a permit if one is available.
    ///
    /// # If a process dies
    ///
    /// Its permits are found on a death notice, or else 25 ms after the handle's last check.
    ///
    /// # Errors
    ///
    /// Those of [`acquire`](Self::acquire).
    #[inline]
    pub fn try_acquire(&self) -> Result<Option<Permit<'_>>> {
        Ok(self.try_take(true)?.then(|| Permit { semaphore: self }))
    }

    /// Acquires a permit, and waits up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and those of [`acquire`](Self::acquire).
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<Permit<'_>> {
        self.permit(Until::after(timeout))
    }

    /// Acquires a permit, and waits until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`acquire_timeout`](Self::acquire_timeout).
    pub fn acquire_until(&self, deadline: Instant) -> Result<Permit<'_>> {
        self.permit(Until::Deadline(deadline))
    }

    /// Consumes a permit, and waits until one is available. It is never released.
    ///
    /// # Errors
    ///
    /// `Closed` if the object was removed and no permit is left; `Corrupt`; `Forked`; `RoleLost`.
    #[inline]
    pub fn consume(&self) -> Result<()> {
        self.take(false, Until::Ever)
    }

    /// Consumes a permit if one is available.
    ///
    /// # Errors
    ///
    /// Those of [`consume`](Self::consume).
    #[inline]
    pub fn try_consume(&self) -> Result<bool> {
        self.try_take(false)
    }

    /// Consumes a permit, and waits up to `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and those of [`consume`](Self::consume).
    pub fn consume_timeout(&self, timeout: Duration) -> Result<()> {
        self.take(false, Until::after(timeout))
    }

    /// Consumes a permit, and waits until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`consume_timeout`](Self::consume_timeout).
    pub fn consume_until(&self, deadline: Instant) -> Result<()> {
        self.take(false, Until::Deadline(deadline))
    }

    /// Adds new permits.
    ///
    /// # Errors
    ///
    /// `Full` if there would be more than 2^40; `Closed` if the object was removed; `Forked`;
    /// `RoleLost`.
    #[inline]
    pub fn post(&self, permits: u32) -> Result<()> {
        self.membership().check_live()?;
        if permits == 0 {
            return Ok(());
        }
        self.permits().post(permits.into()).map_err(|error| match error {
            PermitError::Closed => self.membership().object().closed(),
            _ => {
                let why = format!("there would be more than {MAX_PERMITS} permits");
                self.membership().error(ErrorKind::Full, "post to", why)
            }
        })
    }

    /// Returns how many permits are available at this moment.
    pub fn available(&self) -> u64 {
        self.permits().available()
    }

    #[inline(always)]
    fn membership(&self) -> &Membership {
        self.line.membership()
    }

    #[inline(always)]
    fn permits(&self) -> Permits<'_> {
        Permits::of(self.line.fixed(), self.slots.all())
    }

    /// The slot that holds a permit, if it is to be released.
    #[inline(always)]
    fn slot(&self, is_released: bool) -> Option<u32> {
        is_released.then(|| self.membership().me().slot())
    }

    #[inline]
    fn permit(&self, until: Until) -> Result<Permit<'_>> {
        self.take(true, until).map(|()| Permit { semaphore: self })
    }

    #[inline]
    fn take(&self, is_released: bool, until: Until) -> Result<()> {
        self.membership().check_live()?;
        let (permits, slot) = (self.permits(), self.slot(is_released));
        if !permits.is_reserved() && permits.try_take(slot).is_ok() {
            return Ok(());
        }
        self.take_slowly(slot, until).map_err(|error| self.error(error))
    }

    #[inline]
    fn try_take(&self, is_released: bool) -> Result<bool> {
        self.membership().check_live()?;
        let (slot, permits) = (self.slot(is_released), self.permits());
        let at_once = if permits.is_reserved() { None } else { Some(permits.try_take(slot)) };
        let taken = match at_once {
            None | Some(Err(PermitError::None)) => self.take_slowly(slot, Until::Now),
            Some(taken) => taken,
        };
        match taken {
            Ok(()) => Ok(true),
            Err(PermitError::None) => Ok(false),
            Err(error) => Err(self.error(error)),
        }
    }

    #[cold]
    fn take_slowly(&self, slot: Option<u32>, until: Until) -> Result<(), PermitError> {
        let membership = self.membership();
        let _recorded = membership.record_wait(self.line.place(), until);
        let wait_loop = if slot.is_some() { &self.permit_loop } else { &self.consume_loop };
        self.permits().take(slot, membership.notices(), wait_loop, until, |extent| {
            self.reap_the_dead(extent);
            membership.object_is_removed()
        })
    }

    /// Releases what the dead participants in this extent hold.
    #[cold]
    fn reap_the_dead(&self, extent: Extent<'_>) {
        let (membership, permits) = (self.membership(), self.permits());
        extent.each_slot(membership.max_participants(), |slot| {
            let may_hold = permits.may_hold(slot);
            if may_hold {
                permits.reap(slot, || membership.reap_slot(slot));
            }
            may_hold
        });
    }

    #[cold]
    fn error(&self, error: PermitError) -> Error {
        const ACTION: &str = "acquire a permit of";
        let membership = self.membership();
        match error {
            PermitError::Closed => membership.object().closed(),
            PermitError::None => membership.timed_out(ACTION),
            PermitError::TooMany => {
                let why = format!(
                    "this participant already holds {MAX_HELD} permits, the maximum: \
                           release one first"
                );
                membership.error(ErrorKind::Full, ACTION, why)
            }
            PermitError::Corrupt => {
                let why = "more permits were acquired than there ever were";
                membership.error(ErrorKind::Corrupt, ACTION, why)
            }
        }
    }
}

const PERMITS: Holding = Holding::new(
    "has 1 permit",
    "has {} permits",
    "with {count} of the permits of {part}: they are released to the next waiter",
);

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Payload for Semaphore {
    type Initial = u32;

    const KIND: Kind = Kind::Semaphore;

    fn plan(planner: &mut Planner<'_>, initial: Option<&u32>) {
        let line = planner.line("given");
        planner.word("initial_permits", line + 8, WORDS);
        planner.word("handed", line + 16, WORDS);
        planner.word("asked", line + 24, WORDS);
        planner.word("taken", line + 64, WORDS);
        planner.words_for_each("slots", WORDS, STRIDE as u64);
        if let Some(&permits) = initial {
            planner.write_at(line, &at_first(permits).to_le_bytes());
            planner.write_at(line + 8, &u64::from(permits).to_le_bytes());
        }
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        let (line, slots) = (builder.line()?, builder.words_for_each(STRIDE)?);
        // ORDERING: Relaxed; written before the object could be opened.
        let initial_permits = line.fixed()[1].load(Ordering::Relaxed) as u32;
        let (permit_loop, consume_loop) = (builder.lock_loop(), builder.wait_loop());
        let semaphore = Self { line, slots, initial_permits, permit_loop, consume_loop };
        // What the last participant of this slot still holds.
        semaphore.permits().reap(semaphore.membership().me().slot(), || true);
        Ok(semaphore)
    }

    fn check_begun_with(&self, permits: &u32) -> Result<()> {
        let (asked, found) = (*permits, self.initial_permits);
        check_option("the initial number of permits", Some(asked), found, |it| it.to_string())
    }

    fn describe(part: &Part<'_>) -> Result<PartState> {
        let permits = Permits::of(part.line()?, part.words()?);
        let holders = (0..part.max_participants()).filter_map(|slot| {
            let held = Some(permits.held(slot)).filter(|held| *held > 0)?;
            Some(part.holder(slot, None, PERMITS, held))
        });
        Ok(PartState {
            text: format!("{} available", permits.available()),
            fields: vec![("available", permits.available().into())],
            holders: holders.collect(),
            is_sound: permits.is_sound(),
            ..PartState::primitive()
        })
    }
}

impl Primitive for Semaphore {}

/// A permit of a [`Semaphore`], which is released when it is dropped or when its process dies.
#[must_use = "the permit is released when this is dropped"]
#[derive(Debug)]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
}

impl Permit<'_> {
    /// Consumes the permit: it is never released.
    pub fn forget(self) {
        let membership = self.semaphore.membership();
        if membership.has_slot() {
            self.semaphore.permits().consume(membership.me().slot());
        }
        mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        let membership = self.semaphore.membership();
        if membership.has_slot() {
            self.semaphore.permits().give_back(membership.me().slot());
        }
    }
}
