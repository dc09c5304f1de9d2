//! The right to write a `Latest`: one writer keeps it as long as it lives, or several take turns.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::geometry::{HasGeometry, TypeGeometry};
use super::handle::Handle;
use super::register::PublishError;
use crate::error::{Error, ErrorKind, Result};
use crate::object::Membership;
use crate::participant::Role;
use crate::participant::owner::{AcquireError, Acquired, Mode};
use crate::shareable::{Shareable, bytes_of};
use crate::wait::{Until, WaitLoop};

/// How long one of several writers waits for the others before `Busy`.
const SHARING_PATIENCE: Duration = Duration::from_secs(1);

/// How many times a sole writer tries to get the right to write before `Busy`.
const JOIN_TRIES: u32 = 64;

/// A writer of values of any type: its slot, and how it gets the right to write.
#[derive(Debug)]
pub(super) struct UntypedWriter {
    handle: Arc<Handle>,
    // Dropped after the role is released, see `drop`.
    membership: Membership,
    shared: bool,
}

impl UntypedWriter {
    pub(super) fn join(handle: &Arc<Handle>) -> Result<Self> {
        let membership = Membership::join(&handle.object, Role::Writer)
            .map_err(|error| error.doing("write to").on(handle.object.label()))?;
        let shared = handle.has_shared_writers();
        let writer = Self { handle: handle.clone(), membership, shared };
        if !shared {
            let (owner, me, mode) = (handle.owner(), writer.membership.me(), Mode::Exclusive);
            let acquire = |_| {
                // New, so that its slow check is due: this may be the caller's only attempt.
                let wait_loop = WaitLoop::for_lock();
                owner.acquire(me, mode, &writer.membership, &wait_loop, Until::Now)
            };
            // Again if the holder left while it was looked at.
            let contended = Err(AcquireError::Contended);
            let acquired = (0..JOIN_TRIES).map(acquire).find(|acquired| *acquired != contended);
            acquired.unwrap_or(contended).map_err(|it| writer.acquire_error(it, "write to"))?;
            crash_point!("owner: taken");
            writer.complete();
        }
        Ok(writer)
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
        self.handle.object.check_not_forked()?;
        if self.handle.removal_watch.is_due() {
            self.handle.check_removal()?;
        }
        let (owner, me) = (self.handle.owner(), self.membership.me());
        if self.shared {
            self.acquire_turn()?;
        } else if !owner.is_held_by(me) {
            return Err(self.handle.publish_error(PublishError::RoleLost));
        }
        let published = match self.handle.is_proved() {
            false => self.handle.register_to_write(shape).publish(value),
            true => self.handle.publish_proved(value),
        };
        if self.shared {
            owner.release(me);
        }
        published.map_err(|error| self.handle.publish_error(error))
    }

    /// Acquires the right to write for one value.
    fn acquire_turn(&self) -> Result<()> {
        if !self.membership.is_live() {
            return Err(self.handle.publish_error(PublishError::RoleLost));
        }
        let (owner, me) = (self.handle.owner(), self.membership.me());
        if owner.acquire_uncontended(me, Mode::Exclusive) {
            return Ok(());
        }
        let (wait_loop, until) = (&self.handle.wait_loop, Until::after(SHARING_PATIENCE));
        let acquired = owner.acquire(me, Mode::Exclusive, &self.membership, wait_loop, until);
        if acquired.map_err(|error| self.acquire_error(error, "set"))? == Acquired::Inconsistent {
            self.complete();
        }
        Ok(())
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
    writer: UntypedWriter,
    /// Where a padded value is encoded, so that its padding is zeros in shared memory.
    encoded: Box<[u8]>,
    shape: TypeGeometry<T>,
}

impl<T: Shareable> LatestWriter<T> {
    pub(super) fn new(writer: UntypedWriter, shape: TypeGeometry<T>) -> Self {
        let encoded = vec![0; if T::PADDED { size_of::<T>() } else { 0 }];
        Self { writer, encoded: encoded.into(), shape }
    }

    /// Sets the latest value, and returns its sequence number: 1 for the first value.
    ///
    /// It copies the value once, into shared memory. A value of a type with padding is copied
    /// twice, so that its padding is zeros there.
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
        match bytes_of(value) {
            Some(bytes) => self.writer.set(self.shape, bytes),
            None => {
                self.encoded.fill(0);
                value.encode(&mut self.encoded);
                self.writer.set(self.shape, &self.encoded)
            }
        }
    }
}
