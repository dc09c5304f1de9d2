//! The right to write a `Latest`: one writer keeps it as long as it lives, or several take turns.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::geometry::{HasGeometry, OWNER, TypeGeometry};
use super::handle::Handle;
use super::receive;
use super::register::PublishError;
use crate::error::{Error, ErrorKind, Result};
use crate::object::Membership;
use crate::participant::Role;
use crate::participant::owner::{AcquireError, Acquired, Mode};
use crate::shareable::{Shareable, bytes_of, check_by_value};
use crate::sys::mapping::PartMapping;
use crate::wait::{Until, WaitLoop};

/// How long one of several writers waits for the others before `Busy`.
const SHARING_PATIENCE: Duration = Duration::from_secs(1);

/// How many times a sole writer tries to get the right to write before `Busy`.
const JOIN_TRIES: u32 = 64;

/// A writer of values of any type: its slot, and how it gets the right to write.
#[derive(Debug)]
pub(super) struct UntypedWriter {
    pub(super) handle: Arc<Handle>,
    // Dropped after the role is released, see `drop`.
    pub(super) membership: Membership,
    shared: bool,
}

impl UntypedWriter {
    /// Joins as a writer. Waits for a slot, and for the role if writers are not shared, as long as
    /// `until` says.
    pub(super) fn join(handle: &Arc<Handle>, until: Until) -> Result<Self> {
        let slot_until = if until == Until::Now { handle.object.slot_until() } else { until };
        let membership = Membership::join(&handle.object, Role::Writer, slot_until)
            .map_err(|error| error.doing("write to").on(handle.object.label()))?;
        let shared = handle.has_shared_writers();
        let writer = Self { handle: handle.clone(), membership, shared };
        if !shared {
            writer.acquire_role(until)?;
            crash_point!("owner: taken");
            writer.complete();
        }
        Ok(writer)
    }

    /// Acquires the right to write for as long as this writer lives.
    fn acquire_role(&self, until: Until) -> Result<()> {
        let (owner, me, mode) = (self.handle.owner(), self.membership.me(), Mode::Exclusive);
        let _recorded = self.membership.record_wait(OWNER as u64, until);
        let acquire = |_| {
            // New, so that its slow check is due: this may be the caller's only attempt.
            owner.acquire(me, mode, &self.membership, &WaitLoop::for_lock(), until)
        };
        // Again if the holder left while it was looked at.
        let contended = Err(AcquireError::Contended);
        let acquired = (0..JOIN_TRIES).map(acquire).find(|acquired| *acquired != contended);
        acquired.unwrap_or(contended).map_err(|error| match error {
            AcquireError::TimedOut(holder) => {
                let why = "was its only writer until the timeout";
                let error = self.membership.error(ErrorKind::TimedOut, "write to", why);
                error.by_peer(self.handle.object.peer(holder))
            }
            error => self.acquire_error(error, "write to"),
        })?;
        Ok(())
    }

    /// Publishes a complete value to which a dead writer had not moved `latest`.
    ///
    /// A writer that left normally leaves nothing to complete; a writer that lost its liveness lock
    /// may have.
    ///
    /// On a disk, it continues behind the last value of which there is a trace.
    fn complete(&self) {
        self.handle.register_to_write(self.handle.geometry).resume();
        self.handle.settle();
    }

    #[cold]
    fn acquire_error(&self, error: AcquireError, action: &'static str) -> Error {
        let (kind, holder, why) = match error {
            AcquireError::Held(holder) => {
                (ErrorKind::RoleTaken, holder, Cow::Borrowed("is its only writer"))
            }
            AcquireError::TimedOut(holder) => {
                let waited = SHARING_PATIENCE.as_millis();
                let why = format!("has been writing for more than {waited} ms");
                (ErrorKind::Busy, holder, why.into())
            }
            AcquireError::Contended => {
                return self.membership.acquire_error(error, action).of_kind(ErrorKind::Busy);
            }
            _ => return self.membership.acquire_error(error, action),
        };
        let peer = self.handle.object.peer(holder);
        self.membership.error(kind, action, why).by_peer(peer)
    }

    /// Publishes the bytes of a value and wakes readers. Returns the value's sequence number.
    #[inline(always)]
    pub(super) fn set(&mut self, shape: impl HasGeometry, value: &[u8]) -> Result<u64> {
        // Without a closure, which would not be inlined.
        let _turn = self.begin_turn(None)?;
        self.publish(shape, value)
    }

    /// Calls `act` while no other writer can publish: as one step with it.
    ///
    /// One of several writers acquires the right to write for that long, and waits for it as long
    /// as `until` says: if that is `None`, as long as its patience lasts.
    #[inline(always)]
    pub(super) fn in_turn<R>(
        &mut self,
        until: Option<Until>,
        act: impl FnOnce(&Self) -> Result<R>,
    ) -> Result<R> {
        let _turn = self.begin_turn(until)?;
        act(self)
    }

    /// Begins a turn, until whose end no other writer can publish.
    #[inline(always)]
    pub(super) fn begin_turn(&self, until: Option<Until>) -> Result<Option<Turn<'_>>> {
        if self.shared {
            self.acquire_turn(until)?;
            // CRASH: dying before the turn ends leaves it to the next writer, which replaces this
            // one in the owner word.
            return Ok(Some(Turn(self)));
        }
        self.handle.check_use()?;
        self.check_role()?;
        Ok(None)
    }

    /// Publishes the bytes of a value, in the writer's turn.
    #[inline(always)]
    fn publish(&self, shape: impl HasGeometry, value: &[u8]) -> Result<u64> {
        let published = match self.handle.has_records() {
            false => self.handle.register_to_write(shape).publish(value),
            true => self.handle.publish_recorded(value),
        };
        published.map_err(|error| self.handle.publish_error(error))
    }

    /// Publishes the bytes of a value that follows from the one before, which was read in this
    /// turn.
    pub(super) fn publish_next(&self, shape: impl HasGeometry, value: &[u8]) -> Result<u64> {
        self.check_role()?;
        self.publish(shape, value)
    }

    /// Refuses to publish what was begun before, if another writer may have published since then.
    #[inline(always)]
    pub(super) fn check_role(&self) -> Result<()> {
        match self.has_role() {
            true => Ok(()),
            false => Err(self.handle.publish_error(PublishError::RoleLost)),
        }
    }

    /// Whether no other writer can publish.
    #[inline(always)]
    pub(super) fn has_role(&self) -> bool {
        self.handle.owner().is_held_by(self.membership.me())
    }

    /// Acquires the right to write for one value.
    #[inline(always)]
    fn acquire_turn(&self, until: Option<Until>) -> Result<()> {
        // `is_live` also asks whether the object was removed, if it is time to.
        if !self.membership.is_live() {
            self.handle.ask()?;
            return Err(self.handle.publish_error(PublishError::RoleLost));
        }
        match self.handle.owner().acquire_uncontended(self.membership.me(), Mode::Exclusive) {
            true => Ok(()),
            false => self.wait_for_turn(until),
        }
    }

    #[cold]
    fn wait_for_turn(&self, until: Option<Until>) -> Result<()> {
        let (owner, me) = (self.handle.owner(), self.membership.me());
        let (wait_loop, mode) = (&self.handle.wait_loop, Mode::Exclusive);
        let limit = until.unwrap_or_else(|| Until::after(SHARING_PATIENCE));
        let _recorded = self.membership.record_wait(OWNER as u64, limit);
        let acquired = owner.acquire(me, mode, &self.membership, wait_loop, limit);
        let acquired = acquired.map_err(|error| match until {
            None => self.acquire_error(error, "set"),
            Some(_) => self.membership.acquire_error(error, "set"),
        })?;
        if acquired == Acquired::Inconsistent {
            self.complete();
        }
        Ok(())
    }
}

/// The right of one of several writers to write, until dropped.
#[derive(Debug)]
pub(super) struct Turn<'a>(&'a UntypedWriter);

impl Drop for Turn<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.handle.owner().release(self.0.membership.me());
    }
}

impl Drop for UntypedWriter {
    fn drop(&mut self) {
        if !self.membership.is_mine() {
            return;
        }
        // CRASH: dying after this leaves a slot that holds no role: a sweep frees it.
        self.handle.owner().release(self.membership.me());
        crash_point!("owner: given up");
    }
}

/// The right to set the latest value.
///
/// Dropping it releases the right: the next call of [`writer`](super::Latest::writer) gets it.
///
/// # If a process dies
///
/// If a writer dies during a [`set`](Self::set), readers keep the previous value. The next writer
/// takes over the right, and readers that wait for changes get `PeerDied`.
#[derive(Debug)]
pub struct LatestWriter<T: Shareable> {
    pub(super) writer: UntypedWriter,
    /// Where a padded value is encoded, so that its padding is zeros in shared memory.
    pub(super) encoded: Box<[u8]>,
    /// One more mapping of the payload, from the first loan on.
    pub(super) in_place: Option<PartMapping>,
    shape: TypeGeometry<T>,
}

impl<T: Shareable> LatestWriter<T> {
    pub(super) fn new(writer: UntypedWriter, shape: TypeGeometry<T>) -> Self {
        let encoded = vec![0; if T::PADDED { size_of::<T>() } else { 0 }];
        Self { writer, encoded: encoded.into(), in_place: None, shape }
    }

    /// Sets the latest value, and returns its sequence number: 1 for the first value.
    ///
    /// It copies the value once, into shared memory. A value of a type with padding is copied
    /// twice, so that its padding is zeros there. On a disk it also computes a checksum, and once
    /// in a minute it copies the value once more.
    ///
    /// If writers are shared, it waits for the other writers, up to 1 s.
    ///
    /// # If a process dies
    ///
    /// If this process dies during the call, readers keep the previous value. If another of several
    /// writers dies while it writes, this writer continues at the latest 50 ms after the kernel
    /// released the liveness lock of the dead writer.
    ///
    /// # Errors
    ///
    /// `Closed` if the object was removed; `RoleLost` if this process closed the descriptor of its
    /// liveness lock and another writer took over the role; `Forked` in a forked child; `Corrupt`
    /// if another process wrote garbage into the object; if writers are shared, `Busy` if another
    /// has been writing for 1 s: it may be stopped. After an error the value is not set, except
    /// that readers may have seen it before a `Closed`.
    #[inline]
    pub fn set(&mut self, value: &T) -> Result<u64> {
        let bytes = bytes_of(value).unwrap_or_else(|| encoded(value, &mut self.encoded));
        self.writer.set(self.shape, bytes)
    }

    /// Changes the newest value, and sets what `change` made of it, in one step: no other writer
    /// sets a value in between. Returns the sequence number of the new value.
    ///
    /// `change` gets a copy on the heap. If it panics, the value stays as it was. If writers are
    /// shared, the others wait meanwhile, up to 1 s: so `change` must be short, and must not set
    /// this object through another writer.
    ///
    /// # If a process dies
    ///
    /// If this process dies during the call, its change is lost, and no other one: readers keep the
    /// previous value, and the next writer continues from it.
    ///
    /// # Errors
    ///
    /// `Empty` if no value has been set yet; and those of [`set`](Self::set).
    ///
    /// # Examples
    ///
    /// ```
    /// use shmkit::Latest;
    ///
    /// # fn main() -> shmkit::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let options = Latest::<u64>::options().directory(directory.path());
    /// let count = options.shared_writers(true).open_or_create("count")?;
    /// let mut writer = count.writer()?;
    /// writer.update_or(0, |count| *count += 1)?;
    /// writer.update(|count| *count += 1)?;
    /// assert_eq!(count.get()?, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn update(&mut self, change: impl FnOnce(&mut T)) -> Result<u64> {
        self.update_from(None::<Box<T>>, change)
    }

    /// The same, where `change` gets `initial`, a value or a `Box`, if no value has been set yet.
    ///
    /// # Errors
    ///
    /// Those of [`set`](Self::set).
    pub fn update_or<I: Into<Box<T>>>(
        &mut self,
        initial: I,
        change: impl FnOnce(&mut T),
    ) -> Result<u64> {
        const { check_by_value::<I>("larger than 64 KiB: pass a `Box`") };
        self.update_from(Some(initial), change)
    }

    fn update_from<I: Into<Box<T>>>(
        &mut self,
        initial: Option<I>,
        change: impl FnOnce(&mut T),
    ) -> Result<u64> {
        let (shape, room) = (self.shape, &mut self.encoded);
        self.writer.in_turn(None, |writer| {
            let handle = &writer.handle;
            let newest = receive::boxed(
                |bytes| handle.read_newest(bytes).map_err(|error| handle.read_error(error)),
                || handle.invalid(),
            );
            let mut value = match (newest, initial) {
                (Err(error), Some(initial)) if error.kind() == ErrorKind::Empty => initial.into(),
                (newest, _) => newest?,
            };
            change(&mut value);
            crash_point!("latest: changed, not set");
            writer.publish_next(shape, bytes_of(&*value).unwrap_or_else(|| encoded(&*value, room)))
        })
    }
}

/// Encodes a value, with zeros as its padding.
pub(in crate::channel) fn encoded<'a, T: Shareable>(value: &T, into: &'a mut [u8]) -> &'a [u8] {
    into.fill(0);
    value.encode(into);
    into
}
