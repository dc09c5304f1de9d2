//! A participant of a call: what its clients and its servers have in common.

use std::borrow::Cow;
use std::sync::Arc;

use super::geometry::ARRIVALS;
use super::handle::Handle;
use super::protocol::Failure;
use super::waiting::Caller;
use crate::error::{Error, ErrorKind, Result};
use crate::object::{Membership, RecordedWait, Watched};
use crate::participant::Role;
use crate::wait::{Until, WaitLoop};

/// A slot among the participants of a call, and how its threads wait.
#[derive(Debug)]
pub(super) struct Party {
    pub(super) handle: Arc<Handle>,
    pub(super) membership: Membership,
    /// By which it waits for the other side.
    pub(super) wait_loop: WaitLoop,
    /// By which it waits for room: a client for a slot, a server for a response.
    pub(super) room_loop: WaitLoop,
    /// What it does, for messages.
    action: &'static str,
}

impl Party {
    /// Takes a slot, in a role in which it receives values of so many bytes.
    pub(super) fn join(
        handle: &Arc<Handle>,
        role: Role,
        bytes: u64,
        action: &'static str,
    ) -> Result<Self> {
        let object = &handle.object;
        let membership = Membership::join(object, role, object.slot_until())
            .map_err(|error| error.doing(action).on(object.label()))?;
        let (wait_loop, room_loop) = (object.answer_loop(bytes as usize), object.answer_loop(0));
        Ok(Self { handle: handle.clone(), membership, wait_loop, room_loop, action })
    }

    /// What a source needs.
    pub(super) fn watched(&self) -> (Arc<Handle>, Watched) {
        (self.handle.clone(), self.membership.watched())
    }

    /// How its threads wait for the other side.
    #[inline(always)]
    pub(super) fn caller(&self) -> Caller<'_, Membership> {
        self.waiting_by(&self.wait_loop)
    }

    /// How its threads wait for room.
    #[inline(always)]
    pub(super) fn for_room(&self) -> Caller<'_, Membership> {
        self.waiting_by(&self.room_loop)
    }

    #[inline(always)]
    fn waiting_by<'a>(&'a self, wait_loop: &'a WaitLoop) -> Caller<'a, Membership> {
        Caller { me: self.membership.me(), liveness: &self.membership, wait_loop }
    }

    /// Records that a thread waits, as long as the result lives.
    pub(super) fn record_wait(&self, until: Until) -> RecordedWait<'_> {
        self.membership.record_wait(ARRIVALS, until)
    }

    /// An error about what it does.
    #[cold]
    pub(super) fn failed(&self, kind: ErrorKind, why: impl Into<Cow<'static, str>>) -> Error {
        self.membership.error(kind, self.action, why)
    }

    /// An error about a request, or a response, with what it does.
    #[cold]
    pub(super) fn named(&self, error: Error) -> Error {
        error.doing(self.action).on(self.handle.object.label())
    }

    /// The error for a failure.
    #[cold]
    pub(super) fn failure(&self, failure: Failure) -> Error {
        match failure {
            Failure::Closed => self.handle.object.closed(),
            Failure::Stopped(stop) => self.membership.stopped(stop, self.action),
            Failure::Lost => self.lost(),
            Failure::TimedOut => self.membership.timed_out(self.action),
            Failure::Busy => {
                let why = "other processes were faster in each of many attempts";
                self.failed(ErrorKind::Busy, why)
            }
            Failure::Corrupt => {
                let why = "its words have values that no participant writes";
                self.failed(ErrorKind::Corrupt, why)
            }
            Failure::GivenUp => {
                self.failed(ErrorKind::BrokenPipe, "the client does not wait for it any more")
            }
            Failure::Died(id) => {
                let why = "died before the request was answered";
                self.failed(ErrorKind::PeerDied, why).by_peer(self.handle.object.peer(id))
            }
        }
    }

    /// The error for a participant whose slot, or whose request, another one has by now.
    #[cold]
    pub(super) fn lost(&self) -> Error {
        self.membership.check_live().err().unwrap_or_else(|| {
            let why = "this participant lost its slot: the process closed descriptors";
            self.failed(ErrorKind::RoleLost, why)
        })
    }
}
