//! The end of a pipe that writes.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ends::KnownReaders;
use super::handle::Handle;
use super::waits::{self, Writing};
use crate::error::{Error, ErrorKind, Result};
use crate::object::{Membership, RemovalWatch, Watched};
use crate::participant::Role;
use crate::participant::owner::{AcquireError, Acquired, Mode};
use crate::wait::{Until, WaitLoop};

const ACTION: &str = "write to";

/// The writing end of a [`Pipe`](super::Pipe): it implements [`Write`](io::Write).
///
/// A write is one sequence of bytes in the stream: bytes of other writers come before or behind it,
/// whatever its size. A write of up to 4 KiB also appears as a whole, or not at all. A longer one
/// appears in pieces, as readers make room; meanwhile the other writers wait. `write!` and
/// `writeln!` make a write of each piece of their text: to keep a line together, make it with
/// `format!`, and write it by one call.
///
/// A writer that waits for room sleeps until 4 KiB are free, or half of a smaller capacity. If less
/// becomes free, and is enough for its write, it finds that when it next looks for dead readers:
/// within 50 ms, or a second where there are death notices. So a reader that takes less, and then
/// waits for something that the writer does after its write, can be delayed by that time.
///
/// Dropping it leaves the pipe: when the last writer has left, readers get the end of the stream
/// after the last byte. A process that ends without dropping it counts as one that died.
///
/// # If a process dies
///
/// A writer that is killed leaves the bytes that it completed: each write of up to 4 KiB as a whole
/// or not at all. Readers then get `PeerDied`. If a writer dies in its turn, the next one gets the
/// turn on a death notice, or 50 ms after the kernel released the dead writer's liveness lock.
///
/// When the last of the readers has left or was killed, writers get `BrokenPipe`: at the next write
/// if it left; if it was killed, when they wait for room, or at a write a second later.
#[derive(Debug)]
pub struct PipeWriter {
    handle: Arc<Handle>,
    /// None only while it is dropped.
    membership: Option<Membership>,
    /// By which writers wait for each other.
    turn_loop: WaitLoop,
    /// When to look for readers that died, for a writer that finds room each time.
    watch: RemovalWatch,
    writing: Writing,
}

/// Why not all was written.
enum Failure {
    Wait(waits::Failure),
    /// The turn was not acquired.
    Turn(AcquireError),
    /// The turn was lost: the process closed the descriptor of its lock.
    RoleLost,
}

impl From<waits::Failure> for Failure {
    fn from(failure: waits::Failure) -> Self {
        Self::Wait(failure)
    }
}

impl PipeWriter {
    pub(super) fn join(handle: &Arc<Handle>) -> Result<Self> {
        let object = &handle.object;
        let membership = Membership::join(object, Role::Writer, object.slot_until())
            .map_err(|error| error.doing(ACTION).on_shared(object.label()))?;
        crash_point!("pipe: writer joined, not counted");
        let readers = handle.ends().join_writer(&membership);
        Ok(Self {
            handle: handle.clone(),
            membership: Some(membership),
            turn_loop: object.lock_loop(),
            watch: object.removal_watch(),
            writing: Writing::new(object.answer_loop(0), handle.stream().head(), readers),
        })
    }

    /// Writes as many of the bytes as there is room for, without waiting, and returns how many:
    /// all or none of up to 4 KiB. 0: there is too little room now, or another writer has the turn.
    ///
    /// # Errors
    ///
    /// Those of [`write_timeout`](Self::write_timeout), except `TimedOut`.
    pub fn try_write(&mut self, bytes: &[u8]) -> Result<usize> {
        match self.write_within(bytes, Until::Now) {
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(0),
            answer => answer,
        }
    }

    /// Writes the bytes, and waits up to `timeout` for room. Returns how many it wrote: fewer than
    /// all only of more than 4 KiB.
    ///
    /// # If a process dies
    ///
    /// If this process dies during the call, the pieces that it completed stay in the stream.
    ///
    /// # Errors
    ///
    /// `TimedOut` if nothing was written in time; `BrokenPipe` if there were readers since this
    /// writer joined, and none is left; `Closed` if the object was removed; `Corrupt` if another
    /// process wrote garbage into the object; `Forked` in a forked child; `RoleLost` if this
    /// process closed the descriptor of its liveness lock. After an error nothing was written. But
    /// a process that closes that descriptor while it copies its bytes into the pipe can store them
    /// over bytes of the next writer.
    pub fn write_timeout(&mut self, bytes: &[u8], timeout: Duration) -> Result<usize> {
        self.write_within(bytes, Until::after(timeout))
    }

    /// The same, until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`write_timeout`](Self::write_timeout).
    pub fn write_deadline(&mut self, bytes: &[u8], deadline: Instant) -> Result<usize> {
        self.write_within(bytes, Until::Deadline(deadline))
    }

    /// Leaves the pipe, as dropping it does.
    pub fn close(self) {}

    /// What a source needs: also what the writer knows of readers.
    pub(super) fn watched(&self) -> (Arc<Handle>, Watched, KnownReaders) {
        let membership = self.membership.as_ref().expect("there until the writer is dropped");
        (self.handle.clone(), membership.watched(), self.writing.known_readers())
    }

    #[inline]
    fn write_within(&mut self, bytes: &[u8], until: Until) -> Result<usize> {
        let membership = self.membership.as_ref().expect("there until the writer is dropped");
        membership.check_live()?;
        if bytes.is_empty() {
            return Ok(0);
        }
        let (handle, writing) = (&*self.handle, &mut self.writing);
        let mut write = || {
            if self.watch.is_due() || writing.has_news(handle.ends()) {
                self.watch.asks();
                writing.check_readers(handle.ends(), membership)?;
            }
            let turn = Turn::begin(handle, membership, &self.turn_loop, until)?;
            turn.write(writing, bytes, until)
        };
        write().map_err(|failure| error_of(handle, membership, failure))
    }
}

/// The writer's turn, until dropped.
struct Turn<'a>(&'a Handle, &'a Membership);

impl<'a> Turn<'a> {
    #[inline(always)]
    fn begin(
        handle: &'a Handle,
        membership: &'a Membership,
        wait_loop: &WaitLoop,
        until: Until,
    ) -> Result<Self, Failure> {
        // CRASH: dying before the turn ends leaves it to the next writer, which replaces this one
        // in the owner word. What was not published is not in the stream.
        if !handle.turn().acquire_uncontended(membership.me(), Mode::Exclusive) {
            Self::wait(handle, membership, wait_loop, until)?;
        }
        crash_point!("pipe: turn acquired");
        Ok(Self(handle, membership))
    }

    #[cold]
    #[inline(never)]
    fn wait(
        handle: &Handle,
        membership: &Membership,
        wait_loop: &WaitLoop,
        until: Until,
    ) -> Result<(), Failure> {
        let (turn, me) = (handle.turn(), membership.me());
        if until == Until::Now {
            // An attempt may be the writer's only look, so it checks for a death at once.
            wait_loop.forget_check();
        }
        let _recorded = membership.record_wait(0, until);
        let acquired = turn.acquire(me, Mode::Exclusive, membership, wait_loop, until);
        if acquired.map_err(Failure::Turn)? == Acquired::Inconsistent {
            // The dead writer left nothing to repair.
            turn.mark_consistent(me);
        }
        Ok(())
    }

    /// Writes bytes in one sequence. Returns how many.
    #[inline(always)]
    fn write(&self, writing: &mut Writing, bytes: &[u8], until: Until) -> Result<usize, Failure> {
        let mut done = 0;
        while done < bytes.len() {
            match self.write_piece(writing, &bytes[done..], until) {
                Ok(count) => done += count,
                // The next write reports it.
                Err(_) if done > 0 => break,
                Err(failure) => return Err(failure),
            }
        }
        Ok(done)
    }

    #[inline(always)]
    fn write_piece(
        &self,
        writing: &mut Writing,
        bytes: &[u8],
        until: Until,
    ) -> Result<usize, Failure> {
        let Self(handle, membership) = *self;
        let stream = handle.stream();
        let found = writing.room(stream, handle.ends(), membership, bytes.len(), until);
        let (tail, room) = found.map_err(|failure| self.unless_lost(failure))?;
        // Before the stores too: behind this `tail` may be what the next writer has published.
        self.check_held()?;
        let count = stream.put(tail, bytes, room);
        crash_point!("pipe: bytes written, not published");
        self.check_held()?;
        stream.publish(tail, count).map_err(|garbage| self.unless_lost(garbage.into()))?;
        crash_point!("pipe: bytes published, turn kept");
        Ok(count)
    }

    #[inline(always)]
    fn check_held(&self) -> Result<(), Failure> {
        match self.0.turn().is_held_by(self.1.me()) {
            true => Ok(()),
            false => Err(Failure::RoleLost),
        }
    }

    /// The failure, or the loss of the turn: the next writer moves words that this one expects to
    /// stay.
    #[cold]
    fn unless_lost(&self, failure: waits::Failure) -> Failure {
        match failure {
            waits::Failure::Garbage if self.check_held().is_err() => Failure::RoleLost,
            failure => failure.into(),
        }
    }
}

impl Drop for Turn<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.turn().release(self.1.me());
    }
}

/// The error for a write that failed.
#[cold]
fn error_of(handle: &Handle, membership: &Membership, failure: Failure) -> Error {
    use waits::Failure as Waited;
    match failure {
        Failure::Wait(Waited::Closed | Waited::Died(_)) => handle.object.closed(),
        Failure::Wait(Waited::Garbage) => handle.garbage(ACTION),
        Failure::Wait(Waited::NoReaders) => {
            let why = "no reader is left of those that were there";
            membership.error(ErrorKind::BrokenPipe, ACTION, why)
        }
        Failure::Wait(Waited::TimedOut) => {
            let capacity = handle.capacity();
            let why = format!("its {capacity} bytes had too little room until the timeout expired");
            membership.error(ErrorKind::TimedOut, ACTION, why)
        }
        Failure::Wait(Waited::Stopped(stop)) => membership.stopped(stop, ACTION),
        Failure::Turn(error) => membership.acquire_error(error, ACTION),
        Failure::RoleLost => {
            let why = "this writer lost its slot: the process closed its descriptors";
            membership.error(ErrorKind::RoleLost, ACTION, why)
        }
    }
}

impl io::Write for PipeWriter {
    /// Writes the bytes, and waits for room as long as it takes.
    ///
    /// # Errors
    ///
    /// Those of [`write_timeout`](PipeWriter::write_timeout), in an [`io::Error`] of a kind that
    /// suits them: [`BrokenPipe`](io::ErrorKind::BrokenPipe) if no reader is left.
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.write_within(bytes, Until::Ever)?)
    }

    /// Does nothing: what was written is in the stream.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        let Some(membership) = self.membership.take().filter(Membership::is_mine) else { return };
        drop(membership);
        // CRASH: dying here leaves it to the slow checks of readers.
        crash_point!("pipe: writer left, not told");
        self.handle.stream().tell_readers();
    }
}
