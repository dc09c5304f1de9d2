//! A participant of a queue: what its senders and its receivers have in common.

use std::sync::Arc;

use super::geometry::ARRIVALS;
use super::handle::Handle;
use super::protocol::{Caller, Came, Refused};
use crate::error::{Error, ErrorKind, Result};
use crate::object::{Membership, RecordedWait, Watched};
use crate::participant::Role;
use crate::participant::owner::AcquireError;
use crate::wait::{Until, WaitLoop};

/// A slot among the participants of a queue, and how its threads wait.
pub(super) struct Party {
    pub(super) handle: Arc<Handle>,
    pub(super) membership: Membership,
    pub(super) wait_loop: WaitLoop,
    lock_loop: WaitLoop,
    /// How far its threads came.
    came: Came,
    /// What it does, for messages.
    action: &'static str,
}

impl Party {
    /// Takes a slot, in a role in which it passes on values of so many bytes.
    pub(super) fn join(
        handle: &Arc<Handle>,
        role: Role,
        bytes: usize,
        action: &'static str,
    ) -> Result<Self> {
        let object = &handle.object;
        let membership = Membership::join(object, role, object.slot_until())
            .map_err(|error| error.doing(action).on(object.label()))?;
        let (wait_loop, lock_loop) = (object.answer_loop(bytes), object.lock_loop());
        let (handle, came) = (handle.clone(), Came::default());
        Ok(Self { handle, membership, wait_loop, lock_loop, came, action })
    }

    /// What a source needs.
    pub(super) fn watched(&self) -> (Arc<Handle>, Watched) {
        (self.handle.clone(), self.membership.watched())
    }

    #[inline(always)]
    pub(super) fn caller(&self) -> Caller<'_, Membership> {
        Caller {
            me: self.membership.me(),
            liveness: &self.membership,
            wait_loop: &self.wait_loop,
            lock_loop: &self.lock_loop,
            came: &self.came,
        }
    }

    /// Records that a thread waits, as long as the result lives.
    pub(super) fn record_wait(&self, until: Until) -> RecordedWait<'_> {
        self.membership.record_wait(ARRIVALS, until)
    }

    /// An error about what it does.
    #[cold]
    pub(super) fn failed(
        &self,
        kind: ErrorKind,
        why: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Error {
        self.membership.error(kind, self.action, why)
    }

    /// The error for what was refused.
    #[cold]
    pub(super) fn refused(&self, refused: Refused) -> Error {
        let (kind, why) = match refused {
            Refused::Closed => return self.handle.object.closed(),
            Refused::Stopped(stop) => return self.membership.stopped(stop, self.action),
            Refused::Lock(error) => {
                let is_slow = matches!(error, AcquireError::TimedOut(_) | AcquireError::Contended);
                let error = self.membership.acquire_error(error, self.action);
                return if is_slow { error.of_kind(ErrorKind::Busy) } else { error };
            }
            Refused::Other(error) => {
                return error.doing(self.action).on(self.handle.object.label());
            }
            Refused::Lost => return self.lost(),
            Refused::TimedOut => (ErrorKind::TimedOut, "the timeout expired"),
            Refused::Busy => {
                (ErrorKind::Busy, "other processes were faster in each of many attempts")
            }
            Refused::Corrupt => {
                (ErrorKind::Corrupt, "its words have values that no participant writes")
            }
        };
        self.failed(kind, why)
    }

    /// The error for a participant whose slot, or whose message, another one has by now.
    #[cold]
    pub(super) fn lost(&self) -> Error {
        self.membership.check_live().err().unwrap_or_else(|| {
            let why = "this participant lost its slot: the process closed descriptors";
            self.failed(ErrorKind::RoleLost, why)
        })
    }
}
