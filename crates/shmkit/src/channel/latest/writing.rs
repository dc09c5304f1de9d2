//! Who writes a `Latest`: one alone for as long as it lives, or several in turn.

use std::sync::Arc;
use std::time::Duration;

use super::handle::Handle;
use super::register::{Of, PublishError, Shape};
use crate::error::{Error, ErrorKind, Result};
use crate::object::{ParticipantId, Role};
use crate::shareable::{Shareable, bytes_of};
use crate::sync::owner::{AcquireError, Acquired, Mode};
use crate::sync::until::Until;

/// How long one of several writers waits for the others before `Busy`.
const TURN_PATIENCE: Duration = Duration::from_secs(1);

/// A place among the writers, whatever the type of the values.
#[derive(Debug)]
pub(super) struct WriterMembership {
    handle: Arc<Handle>,
    id: ParticipantId,
    shared: bool,
}

impl WriterMembership {
    pub(super) fn take(handle: &Arc<Handle>) -> Result<Self> {
        let named = |error: Error| error.doing("write to").on(handle.object.name());
        let id = handle.object.join(Role::Writer).map_err(named)?;
        let writer = Self { handle: handle.clone(), id, shared: handle.has_shared_writers() };
        if !writer.shared {
            // From here on a drop gives up the id; the role, too, once it is had.
            match handle.owner().try_acquire(id, Mode::Exclusive, &**handle) {
                Ok(_) => {
                    crash_point!("owner: taken");
                    writer.complete();
                }
                Err(refused) => return Err(named(writer.not_acquired(refused))),
            }
        }
        Ok(writer)
    }

    /// Makes whole what a dead writer left behind.
    ///
    /// One that left in good order leaves nothing; one that lost its place may have.
    fn complete(&self) {
        if let Some(published) = self.handle.register().resume() {
            self.handle.wake(published);
        }
    }

    #[cold]
    fn not_acquired(&self, refused: AcquireError) -> Error {
        match refused {
            AcquireError::Held(other) => {
                let why = format!("{} is its only writer", self.handle.shown(other));
                Error::new(ErrorKind::RoleTaken, why)
            }
            AcquireError::Closed => self.handle.object.closed(),
            AcquireError::TimedOut(other) => {
                let (who, waited) = (self.handle.shown(other), TURN_PATIENCE.as_millis());
                Error::new(ErrorKind::Busy, format!("{who} is writing for more than {waited} ms"))
            }
            AcquireError::Busy => Error::new(ErrorKind::Busy, "others keep taking the turn"),
            AcquireError::Corrupt => Error::new(ErrorKind::Corrupt, "its owner word is garbage"),
        }
    }

    /// Publishes the bytes of a value and wakes who waits for it; returns its sequence number.
    #[inline(always)]
    pub(super) fn set(&mut self, shape: impl Shape, value: &[u8]) -> Result<u64> {
        self.handle.object.check_not_forked()?;
        let me = self.id;
        if self.shared {
            self.take_turn()?;
        } else if !self.handle.owner().is_held_by(me) {
            return Err(self.handle.refused(PublishError::RoleLost));
        }
        let published = self.handle.register_of(shape).publish(value);
        if self.shared {
            self.handle.owner().release(me);
        }
        match published {
            Ok(published) => {
                self.handle.wake(published);
                Ok(published.sequence)
            }
            Err(refusal) => Err(self.handle.refused(refusal)),
        }
    }

    fn take_turn(&self) -> Result<()> {
        if !self.handle.object.participants().is_held(self.id) {
            return Err(self.handle.refused(PublishError::RoleLost));
        }
        let (owner, me) = (self.handle.owner(), self.id);
        let Handle { spin, .. } = &*self.handle;
        let until = Until::after(TURN_PATIENCE);
        match owner.acquire(me, Mode::Exclusive, &*self.handle, spin, until) {
            Ok(acquired) => {
                if acquired != Acquired::Free {
                    self.complete();
                }
                Ok(())
            }
            Err(refused) => {
                Err(self.not_acquired(refused).doing("set").on(self.handle.object.name()))
            }
        }
    }
}

impl Drop for WriterMembership {
    fn drop(&mut self) {
        if self.handle.object.check_not_forked().is_err() {
            return;
        }
        // CRASH: dying between the two leaves a id without a role: the next sweep frees it.
        self.handle.owner().release(self.id);
        crash_point!("owner: given up");
        self.handle.object.give_up(self.id);
    }
}

/// The right to set the latest value.
///
/// Dropping it gives the right up: the next [`writer`](super::Latest::writer) gets it.
///
/// # If a process dies
///
/// A writer that dies half-way through a [`set`](Self::set) leaves the value before it in place.
/// Its right goes to the next who asks for it, and who waits for changes is told `PeerDied`.
#[derive(Debug)]
pub struct LatestWriter<T: Shareable> {
    id: WriterMembership,
    /// Where a padded value is laid out, so that its padding reaches nobody.
    encoded: Box<[u8]>,
    shape: Of<T>,
}

impl<T: Shareable> LatestWriter<T> {
    pub(super) fn new(id: WriterMembership, shape: Of<T>) -> Self {
        let encoded = vec![0; if T::PADDED { size_of::<T>() } else { 0 }];
        Self { id, encoded: encoded.into(), shape }
    }

    /// Makes `value` the latest one, and returns its sequence number: 1 for the first ever set.
    ///
    /// It costs the copy of the value, from where it is to its place in shared memory. A type with
    /// padding is copied twice, so that padding is zeros there.
    ///
    /// Where writers are shared this one waits for its turn, up to 1 s.
    ///
    /// # If a process dies
    ///
    /// If this one dies half-way, readers have the value before. If a writer that has its turn
    /// dies, the next takes the turn over: at the latest 50 ms after the system freed its lock.
    ///
    /// # Errors
    ///
    /// `Closed` if the object was removed, `RoleLost` if this process lost its proof of life (it
    /// closed descriptors that were not its own) and another took the role, `Forked` in a forked
    /// child, `Corrupt` if another process spoilt the object; where writers are shared, `Busy` if
    /// one of them has had the turn for 1 s: it may be stopped. The value then was not set.
    #[inline]
    pub fn set(&mut self, value: &T) -> Result<u64> {
        match bytes_of(value) {
            Some(bytes) => self.id.set(self.shape, bytes),
            None => {
                self.encoded.fill(0);
                value.encode(&mut self.encoded);
                self.id.set(self.shape, &self.encoded)
            }
        }
    }
}
