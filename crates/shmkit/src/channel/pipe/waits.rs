//! Waiting at the ends of a pipe: for bytes, and for room.
//!
//! | waiter | word | until | the slow check |
//! |---|---|---|---|
//! | a reader | `tail` | there are bytes, or it is the end | reaps writers, looks for the end |
//! | the writer in its turn | `head` | there is room, or no reader | reaps and counts readers |
//!
//! A reader holds nothing while it waits, so it delays no other. A writer keeps its turn: so its
//! bytes stay together, writes get room in the order of their turns, and a large write is not
//! overtaken by small ones for ever. Only one writer waits for room.
//!
//! Whether the stream has ended is looked up in the table of participants, which takes longer than
//! a load. So a waiter looks it up at its first poll, when the epoch of its word has changed since,
//! and at its slow check.

use core::ops::ControlFlow;
use std::sync::Arc;

use super::ends::{Attendance, Ends, Found, KnownReaders, Told};
use super::stream::{Garbage, Place, Stream};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::participant::{ParticipantId, Role};
use crate::wait::{Checked, Extent, Poll, Stop, Until, WaitLoop};

/// Why nothing was read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The object was retired.
    Closed,
    /// The words hold what no participant writes.
    Garbage,
    /// A writer died.
    Died(Told),
    /// No reader is left.
    NoReaders,
    /// The time is over.
    TimedOut,
    /// The wait was stopped.
    Stopped(Stop),
}

impl From<Garbage> for Failure {
    fn from(_: Garbage) -> Self {
        Self::Garbage
    }
}

/// What a reader remembers.
#[derive(Debug)]
pub(super) struct Reading {
    wait_loop: WaitLoop,
    /// The last `tail` that was loaded.
    tail: Place,
    /// What this reader was told of writers, or readers before it joined.
    told: Told,
    /// The same, for its sources.
    shown: Arc<AtomicU64>,
    /// The last writer that it found dead.
    pub(super) dead: Option<ParticipantId>,
}

impl Reading {
    pub(super) fn new(wait_loop: WaitLoop, tail: Place, told: Told) -> Self {
        let shown = Arc::new(AtomicU64::new(told.to_word()));
        Self { wait_loop, tail, told, shown, dead: None }
    }

    /// What this reader was told, as a word.
    pub(super) fn shown(&self) -> Arc<AtomicU64> {
        self.shown.clone()
    }

    /// Takes the bytes that are there. 0: there are none.
    #[inline(always)]
    pub(super) fn take(&mut self, stream: Stream<'_>, into: &mut [u8]) -> Result<usize, Garbage> {
        stream.take(&mut self.tail, into)
    }

    /// Waits for bytes, and takes them. 0 is the end of the stream.
    #[cold]
    #[inline(never)]
    pub(super) fn wait(
        &mut self,
        stream: Stream<'_>,
        ends: Ends<'_>,
        others: &impl Attendance,
        into: &mut [u8],
        until: Until,
    ) -> Result<usize, Failure> {
        let Self { wait_loop, tail, told, shown, dead } = self;
        if until == Until::Now {
            // An attempt may be the reader's only look, so it checks for a death at once.
            wait_loop.forget_check();
        }
        let mut waiting =
            WaitingReader { stream, ends, others, tail, told: *told, dead, looked_at: None, into };
        let wait = || {
            wait_loop.wait_looking(
                &mut waiting,
                others.notices(),
                until,
                |waiting| waiting.look(),
                |waiting, _| waiting.poll(),
                |waiting, extent| waiting.check(extent),
            )
        };
        let waited = others.recorded(until, wait);
        let found = waited.result(|| Err(Failure::TimedOut), |stop| Err(Failure::Stopped(stop)));
        let Err(failure) = found else { return found };
        // Bytes that were written before a death are returned before the death is reported.
        match waiting.take() {
            Ok(0) | Err(Garbage) => {}
            Ok(count) => return Ok(count),
        }
        if let Failure::Died(now) = failure {
            ends.record(now);
            told.note_deaths(now);
            // ORDERING: Relaxed; only this program's threads look at it, and the reader decides.
            shown.store(told.to_word(), Ordering::Relaxed);
        }
        Err(failure)
    }
}

/// A reader that waits.
struct WaitingReader<'a, 'b, O> {
    stream: Stream<'a>,
    ends: Ends<'a>,
    others: &'b O,
    tail: &'b mut Place,
    told: Told,
    dead: &'b mut Option<ParticipantId>,
    /// What `tail` said of leaving writers when the reader last looked for the end.
    looked_at: Option<u64>,
    into: &'b mut [u8],
}

type Read = Result<usize, Failure>;

impl<'a, O: Attendance> WaitingReader<'a, '_, O> {
    #[inline(always)]
    fn take(&mut self) -> Result<usize, Garbage> {
        self.stream.take(self.tail, self.into)
    }

    /// The cheap look: it ends the spin if a writer has left.
    #[inline(always)]
    fn look(&mut self) -> ControlFlow<Option<Read>> {
        let before = self.tail.news();
        match self.take() {
            Ok(0) if self.tail.news() == before => ControlFlow::Continue(()),
            Ok(0) => ControlFlow::Break(None),
            answer => ControlFlow::Break(Some(answer.map_err(Failure::from))),
        }
    }

    fn poll(&mut self) -> Poll<'a, Read> {
        match self.take() {
            Ok(0) => {}
            answer => return Poll::Ready(answer.map_err(Failure::from)),
        }
        let tail = *self.tail;
        if tail.is_closed() {
            return Poll::Ready(Err(Failure::Closed));
        }
        if self.looked_at != Some(tail.news()) {
            if let Some(found) = self.look_for_end() {
                return Poll::Ready(found);
            }
            self.looked_at = Some(tail.news());
        }
        Poll::Pending(self.stream.sleep_for_bytes(tail))
    }

    /// The slow check.
    fn check(&mut self, extent: Extent<'_>) -> Option<Checked<Read>> {
        if self.others.object_is_removed() {
            return Some(Checked::Removed(Err(Failure::Closed)));
        }
        if let Some(dead) = self.others.reap(Role::Writer, extent) {
            *self.dead = Some(dead);
        }
        self.look_for_end().map(Checked::Found)
    }

    fn look_for_end(&self) -> Option<Read> {
        match self.ends.look(self.stream, self.told, self.others) {
            Ok(Found::More) => None,
            Ok(Found::End(told)) => {
                crash_point!("pipe: end found, not recorded");
                self.ends.record(told);
                Some(Ok(0))
            }
            Ok(Found::Death(told)) => Some(Err(Failure::Died(told))),
            Err(Garbage) => Some(Err(Failure::Garbage)),
        }
    }
}

/// What a writer remembers of readers.
#[derive(Debug)]
pub(super) struct Writing {
    wait_loop: WaitLoop,
    /// The last `head` that was loaded.
    head: Place,
    readers: KnownReaders,
}

impl Writing {
    pub(super) fn new(wait_loop: WaitLoop, head: Place, readers: KnownReaders) -> Self {
        Self { wait_loop, head, readers }
    }

    /// What it knows of readers.
    pub(super) fn known_readers(&self) -> KnownReaders {
        self.readers
    }

    /// Whether a reader has left since this writer looked, or it found that none is left.
    #[inline(always)]
    pub(super) fn has_news(&self, ends: Ends<'_>) -> bool {
        ends.has_news(&self.readers)
    }

    /// Refuses to write if readers were there and none is left. It asks whether they live.
    #[cold]
    #[inline(never)]
    pub(super) fn check_readers(
        &mut self,
        ends: Ends<'_>,
        others: &impl Attendance,
    ) -> Result<(), Failure> {
        others.reap(Role::Reader, Extent::Everything);
        match ends.readers_are_gone(&mut self.readers, others) {
            true => Err(Failure::NoReaders),
            false => Ok(()),
        }
    }

    /// Finds room behind `tail`, for the writer that has the turn: for the first of so many bytes,
    /// but up to [`WHOLE`](super::stream::WHOLE) as a whole. Returns `tail`, and how many are free.
    #[inline(always)]
    pub(super) fn room(
        &mut self,
        stream: Stream<'_>,
        ends: Ends<'_>,
        others: &impl Attendance,
        bytes: usize,
        until: Until,
    ) -> Result<(Place, u64), Failure> {
        let tail = stream.tail();
        if tail.is_closed() {
            return Err(Failure::Closed);
        }
        let wanted = stream.whole().min(bytes as u64);
        let mut room = stream.room(tail, &mut self.head, wanted)?;
        if room < wanted {
            room = self.wait_for_room(stream, ends, others, (tail, wanted), until)?;
        }
        Ok((tail, room))
    }

    /// Waits until so many bytes are free behind `tail`. Returns how many are.
    #[cold]
    #[inline(never)]
    fn wait_for_room(
        &mut self,
        stream: Stream<'_>,
        ends: Ends<'_>,
        others: &impl Attendance,
        (tail, wanted): (Place, u64),
        until: Until,
    ) -> Result<u64, Failure> {
        let Self { wait_loop, head, readers } = self;
        if until == Until::Now {
            // An attempt may be the writer's only look.
            wait_loop.forget_check();
        }
        let mut waiting =
            WaitingWriter { stream, ends, others, tail, wanted, head, readers, looked_at: None };
        let wait = || {
            wait_loop.wait_looking(
                &mut waiting,
                others.notices(),
                until,
                |waiting| waiting.look(),
                |waiting, _| waiting.poll(),
                |waiting, extent| waiting.check(extent),
            )
        };
        let waited = others.recorded(until, wait);
        waited.result(|| Err(Failure::TimedOut), |stop| Err(Failure::Stopped(stop)))
    }
}

/// The writer that has the turn, and waits for room.
struct WaitingWriter<'a, 'b, O> {
    stream: Stream<'a>,
    ends: Ends<'a>,
    others: &'b O,
    tail: Place,
    wanted: u64,
    head: &'b mut Place,
    readers: &'b mut KnownReaders,
    /// What `head` said of leaving readers when the writer last looked for them.
    looked_at: Option<u64>,
}

type Room = Result<u64, Failure>;

impl<'a, O: Attendance> WaitingWriter<'a, '_, O> {
    #[inline(always)]
    fn room(&mut self) -> Result<Option<u64>, Garbage> {
        let room = self.stream.room(self.tail, self.head, self.wanted)?;
        Ok(Some(room).filter(|room| *room >= self.wanted))
    }

    /// The cheap look: it ends the spin if a reader has left.
    #[inline(always)]
    fn look(&mut self) -> ControlFlow<Option<Room>> {
        let before = self.head.news();
        match self.room() {
            Ok(None) if self.head.news() == before => ControlFlow::Continue(()),
            Ok(None) => ControlFlow::Break(None),
            Ok(Some(room)) => ControlFlow::Break(Some(Ok(room))),
            Err(Garbage) => ControlFlow::Break(Some(Err(Failure::Garbage))),
        }
    }

    fn poll(&mut self) -> Poll<'a, Room> {
        match self.room() {
            Ok(Some(room)) => return Poll::Ready(Ok(room)),
            Ok(None) => {}
            Err(Garbage) => return Poll::Ready(Err(Failure::Garbage)),
        }
        let head = *self.head;
        if head.is_closed() {
            return Poll::Ready(Err(Failure::Closed));
        }
        if self.looked_at != Some(head.news()) {
            if self.ends.readers_are_gone(self.readers, self.others) {
                return Poll::Ready(Err(Failure::NoReaders));
            }
            self.looked_at = Some(head.news());
        }
        Poll::Pending(self.stream.sleep_for_room(head))
    }

    /// The slow check.
    fn check(&mut self, extent: Extent<'_>) -> Option<Checked<Room>> {
        if self.others.object_is_removed() {
            return Some(Checked::Removed(Err(Failure::Closed)));
        }
        self.others.reap(Role::Reader, extent);
        let are_gone = self.ends.readers_are_gone(self.readers, self.others);
        are_gone.then_some(Checked::Found(Err(Failure::NoReaders)))
    }
}

#[cfg(all(test, loom))]
mod models;
