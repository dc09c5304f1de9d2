//! A semaphore, whose permits come back from dead holders too.

use std::mem;
use std::time::{Duration, Instant};

use super::raw::permits::{
    Existing, MAX_HELD, MAX_PERMITS, PermitError, Permits, STRIDE, at_first,
};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::Ordering;
use crate::object::{
    Builder, Holding, Kind, Line, Membership, Part, PartState, Payload, Planner, Primitive, Value,
    WORDS, Watched, Words, check_option,
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
/// There can be 2^40 permits, and one participant can hold 15,000. A
/// [`BoundedSemaphore`](super::BoundedSemaphore) is a semaphore with a smaller maximum.
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
    /// INVARIANT: at most `MAX_PERMITS`, which stands for no maximum of its own.
    max_permits: u64,
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

    /// Adds new permits, and returns how many were available before.
    ///
    /// With a maximum, it first counts the permits that participants hold: that takes longer, the
    /// more participants there can be.
    ///
    /// # If a process dies
    ///
    /// The permits are there, all of them or none. Permits that a dead participant holds count
    /// until they are released.
    ///
    /// # Errors
    ///
    /// `Full` if more permits would be available and held than the maximum, or, without a maximum,
    /// more than 2^40 available; `Busy` if other processes kept acquiring permits while it counted
    /// them: then it adds none. `Closed` if the object was removed; `Forked`; `RoleLost`.
    #[inline]
    pub fn post(&self, permits: u32) -> Result<u64> {
        self.membership().check_live()?;
        if permits == 0 {
            return Ok(self.available());
        }
        let posted = self.permits().post(permits.into(), self.max_permits);
        posted.map_err(|error| self.not_posted(permits, error))
    }

    /// Returns the most permits that can be available and held, if the semaphore has a maximum.
    pub fn max_permits(&self) -> Option<u32> {
        has_maximum(self.max_permits).then_some(self.max_permits as u32)
    }

    /// Returns how many permits are available at this moment.
    pub fn available(&self) -> u64 {
        self.permits().available()
    }

    #[inline(always)]
    fn membership(&self) -> &Membership {
        self.line.membership()
    }

    /// What a source needs: also where its line is, and the words of its participants.
    pub(super) fn watched(&self) -> (Watched, [u64; 2]) {
        (self.membership().watched(), [self.line.place(), self.slots.place()])
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
    fn not_posted(&self, permits: u32, error: PermitError) -> Error {
        let Existing { available, held } = match error {
            PermitError::Full(existing) => existing,
            PermitError::Busy => {
                let why = "other processes kept acquiring permits while they were counted: try \
                           again";
                return self.membership().error(ErrorKind::Busy, "post to", why);
            }
            _ => return self.membership().object().closed(),
        };
        let held = if held == 0 { String::new() } else { format!(" and {held} are held") };
        let why = format!(
            "{permits} more were asked for, but {available} permits are available{held}, and \
             {} are the maximum",
            self.max_permits
        );
        self.membership().error(ErrorKind::Full, "post to", why)
    }

    #[cold]
    fn error(&self, error: PermitError) -> Error {
        const ACTION: &str = "acquire a permit of";
        let membership = self.membership();
        match error {
            PermitError::Closed => membership.object().closed(),
            PermitError::None => membership.timed_out(ACTION),
            PermitError::Stopped(stop) => membership.stopped(stop, ACTION),
            // The last two are answers to a post only.
            PermitError::TooMany | PermitError::Full(_) | PermitError::Busy => {
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
    const ZEROS_ARE_INITIAL: bool = true;

    fn plan(planner: &mut Planner<'_>, initial: Option<&u32>) {
        plan(planner, initial.map(|&permits| (permits, MAX_PERMITS)));
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        let (line, slots) = (builder.line()?, builder.words_for_each(STRIDE)?);
        // ORDERING: Relaxed; written before the object could be opened.
        let word = |index: usize| line.fixed()[index].load(Ordering::Relaxed);
        let (initial_permits, max_permits) = (word(INITIAL) as u32, word(MAXIMUM));
        if !is_maximum(max_permits) {
            let why = format!("the maximum of a semaphore cannot be {max_permits}");
            return Err(Error::new(ErrorKind::Corrupt, why));
        }
        let (permit_loop, consume_loop) = (builder.lock_loop(), builder.wait_loop());
        // INVARIANT: checked above.
        let semaphore =
            Self { line, slots, initial_permits, max_permits, permit_loop, consume_loop };
        // What the last participant of this slot still holds.
        semaphore.permits().reap(semaphore.membership().me().slot(), || true);
        Ok(semaphore)
    }

    fn check_begun_with(&self, permits: &u32) -> Result<()> {
        let (asked, found) = (*permits, self.initial_permits);
        check_option("the initial number of permits", Some(asked), found, |it| it.to_string())
    }

    fn describe(part: &Part<'_>) -> Result<PartState> {
        let line = part.line()?;
        let permits = Permits::of(line, part.words()?);
        let holders = (0..part.max_participants()).filter_map(|slot| {
            let held = Some(permits.held(slot)).filter(|held| *held > 0)?;
            Some(part.holder(slot, None, PERMITS, held))
        });
        // ORDERING: Relaxed; written before the object could be opened.
        let maximum = line[MAXIMUM].load(Ordering::Relaxed);
        let at_most = Some(maximum).filter(|maximum| has_maximum(*maximum));
        let limit = at_most.map_or(String::new(), |it| format!(", {it} at most"));
        Ok(PartState {
            text: format!("{} available{limit}", permits.available()),
            fields: vec![
                ("available", permits.available().into()),
                ("max", Value::Number(at_most)),
            ],
            holders: holders.collect(),
            is_sound: permits.is_sound() && is_maximum(maximum),
            ..PartState::primitive()
        })
    }

    fn reap(part: &Part<'_>) -> Result<()> {
        let permits = Permits::of(part.line()?, part.words()?);
        let slots = (0..part.max_participants()).filter(|slot| permits.may_hold(*slot));
        slots.for_each(|slot| permits.reap(slot, || part.reap_slot(slot)));
        Ok(())
    }
}

/// Words of the line, besides those of [`Permits`]: with how many permits the semaphore began, and
/// how many there can be.
const INITIAL: usize = 1;
const MAXIMUM: usize = 4;

/// Plans a semaphore. A new one begins with a number of permits, and has a maximum.
pub(super) fn plan(planner: &mut Planner<'_>, initial: Option<(u32, u64)>) {
    let line = planner.line("given");
    planner.word("initial_permits", line + 8 * INITIAL as u64, WORDS);
    planner.word("handed", line + 16, WORDS);
    planner.word("asked", line + 24, WORDS);
    planner.word("max_permits", line + 8 * MAXIMUM as u64, WORDS);
    planner.word("taken", line + 64, WORDS);
    planner.words_for_each("slots", WORDS, STRIDE as u64);
    if let Some((permits, max)) = initial {
        planner.write_at(line, &at_first(permits).to_le_bytes());
        planner.write_at(line + 8 * INITIAL as u64, &u64::from(permits).to_le_bytes());
        planner.write_at(line + 8 * MAXIMUM as u64, &max.to_le_bytes());
    }
}

/// Whether the word for the maximum can have this value.
fn is_maximum(max: u64) -> bool {
    !has_maximum(max) || (1..=u32::MAX.into()).contains(&max)
}

/// Whether it is a maximum of the semaphore's own.
fn has_maximum(max: u64) -> bool {
    max != MAX_PERMITS
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
