//! The end of a pipe that reads.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::handle::Handle;
use super::stream::Garbage;
use super::waits::{Failure, Reading};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::AtomicU64;
use crate::object::{Membership, Watched};
use crate::participant::Role;
use crate::wait::Until;

const ACTION: &str = "read from";

/// The reading end of a [`Pipe`](super::Pipe): it implements [`Read`](io::Read).
///
/// Each byte goes to one reader. Bytes that a program reads through a
/// [`BufReader`](std::io::BufReader) are taken from the pipe when that fills its buffer: other
/// readers do not get them, also if the process dies.
///
/// Dropping it leaves the pipe. What it has not read stays for other readers.
///
/// # If a process dies
///
/// When a writer was killed, a read returns `PeerDied`, once for each death, after the bytes that
/// this writer completed. A reader that is killed takes no bytes with it, except those that it had
/// read.
#[derive(Debug)]
pub struct PipeReader {
    handle: Arc<Handle>,
    /// None only while it is dropped.
    membership: Option<Membership>,
    reading: Reading,
}

impl PipeReader {
    pub(super) fn join(handle: &Arc<Handle>) -> Result<Self> {
        let membership = Membership::join(&handle.object, Role::Reader, handle.object.slot_until())
            .map_err(|error| error.doing(ACTION).on_shared(handle.object.label()))?;
        crash_point!("pipe: reader joined, not counted");
        let told = handle.ends().join_reader();
        let reading = Reading::new(handle.object.answer_loop(0), handle.stream().tail(), told);
        Ok(Self { handle: handle.clone(), membership: Some(membership), reading })
    }

    /// Reads the bytes that are there, up to the size of `into`, without waiting. `Some(0)` is the
    /// end of the stream, as in [`read`](io::Read::read); `None`: there is nothing now.
    ///
    /// # Errors
    ///
    /// Those of [`read_timeout`](Self::read_timeout), except `TimedOut`.
    pub fn try_read(&mut self, into: &mut [u8]) -> Result<Option<usize>> {
        match self.read_within(into, Until::Now) {
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// Waits up to `timeout` for bytes, and reads those that are there, up to the size of `into`.
    /// Returns 0 at the end of the stream, as [`read`](io::Read::read) does.
    ///
    /// # Errors
    ///
    /// `TimedOut`; `PeerDied` once for each writer that died, after the bytes that it completed;
    /// `Closed` if the object was removed, after the bytes in it; `Corrupt` if another process
    /// wrote garbage into the object; `Forked` in a forked child; `RoleLost` if this process closed
    /// the descriptor of its liveness lock.
    pub fn read_timeout(&mut self, into: &mut [u8], timeout: Duration) -> Result<usize> {
        self.read_within(into, Until::after(timeout))
    }

    /// The same, until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`read_timeout`](Self::read_timeout).
    pub fn read_deadline(&mut self, into: &mut [u8], deadline: Instant) -> Result<usize> {
        self.read_within(into, Until::Deadline(deadline))
    }

    /// Leaves the pipe, as dropping it does.
    pub fn close(self) {}

    /// What a source needs: also what the reader was told.
    pub(super) fn watched(&self) -> (Arc<Handle>, Watched, Arc<AtomicU64>) {
        let membership = self.membership.as_ref().expect("it is there until the reader is dropped");
        (self.handle.clone(), membership.watched(), self.reading.shown())
    }

    #[inline]
    fn read_within(&mut self, into: &mut [u8], until: Until) -> Result<usize> {
        let Self { handle, membership, reading } = self;
        let membership = membership.as_ref().expect("it is there until the reader is dropped");
        membership.check_live()?;
        if into.is_empty() {
            return Ok(0);
        }
        match reading.take(handle.stream(), into) {
            Ok(0) => {}
            Ok(count) => return Ok(count),
            Err(Garbage) => return Err(handle.garbage(ACTION)),
        }
        let read = reading.wait(handle.stream(), handle.ends(), membership, into, until);
        read.map_err(|failure| error_of(handle, reading, membership, failure))
    }
}

/// The error for a read that failed.
#[cold]
fn error_of(
    handle: &Handle,
    reading: &mut Reading,
    membership: &Membership,
    failure: Failure,
) -> Error {
    match failure {
        Failure::Closed | Failure::NoReaders => handle.object.closed(),
        Failure::Garbage => handle.garbage(ACTION),
        Failure::TimedOut => {
            let why = "nothing was written before the timeout expired";
            membership.error(ErrorKind::TimedOut, ACTION, why)
        }
        Failure::Stopped(stop) => membership.stopped(stop, ACTION),
        Failure::Died(_) => {
            let died = |why| membership.error(ErrorKind::PeerDied, ACTION, why);
            match reading.dead.take() {
                Some(dead) => died("was a writer and died: what it had not written is missing")
                    .by_peer(handle.object.peer(dead)),
                None => died("a writer died: what it had not written is missing"),
            }
        }
    }
}

impl io::Read for PipeReader {
    /// Waits for bytes, and reads those that are there, up to the size of `into`.
    ///
    /// Returns 0 at the end of the stream: all bytes are read, and the last writer has left. While
    /// no new writer comes, further calls return 0 again. A reader that joins after that waits for
    /// the next writer.
    ///
    /// # Errors
    ///
    /// Those of [`read_timeout`](PipeReader::read_timeout), in an [`io::Error`] of a kind that
    /// suits them; [`ConnectionReset`](io::ErrorKind::ConnectionReset) for `PeerDied`.
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(self.read_within(into, Until::Ever)?)
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        let Some(membership) = self.membership.take().filter(Membership::is_mine) else { return };
        drop(membership);
        // CRASH: dying here leaves it to the slow checks of writers.
        crash_point!("pipe: reader left, not told");
        self.handle.ends().leave_reader();
        self.handle.stream().tell_writers();
    }
}
