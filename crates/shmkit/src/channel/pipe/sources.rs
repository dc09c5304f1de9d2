//! Waiting for an end of a pipe together with other things.

use std::sync::{Arc, Mutex, PoisonError};

use super::ends::{Attendance, Found, KnownReaders, Told};
use super::handle::Handle;
use super::reader::PipeReader;
use super::writer::PipeWriter;
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::object::Watched;
use crate::participant::Role;
use crate::sys::notices::ObjectNotices;
use crate::wait::{Extent, Patience, Readiness, Source, Waitable};

/// A reader.
struct ReaderSource {
    handle: Arc<Handle>,
    watched: Watched,
    /// What the reader was told of writers.
    told: Arc<AtomicU64>,
}

impl Source for ReaderSource {
    fn poll(&self, _sleeps: bool) -> Readiness<'_> {
        if let Some(decided) = self.watched.decided() {
            return decided;
        }
        let stream = self.handle.stream();
        let tail = stream.tail();
        if tail.is_closed() || stream.unread() != Ok(0) {
            return Readiness::Ready;
        }
        // ORDERING: Relaxed; the reader's own look decides.
        let told = Told::from_word(self.told.load(Ordering::Relaxed));
        match self.handle.ends().look(stream, told, self.watched.object()) {
            Ok(Found::More) => Readiness::Pending(stream.sleep_for_bytes(tail)),
            _ => Readiness::Ready,
        }
    }

    fn check(&self, extent: Extent<'_>) -> bool {
        self.watched.object().reap(Role::Writer, extent);
        self.watched.check_removed() || matches!(self.poll(false), Readiness::Ready)
    }

    fn notices(&self) -> Option<ObjectNotices<'_>> {
        self.watched.notices()
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Waitable for PipeReader {
    fn source(&self) -> Arc<dyn Source> {
        let (handle, watched, told) = self.watched();
        Arc::new(ReaderSource { handle, watched, told })
    }
}

/// A writer.
struct WriterSource {
    handle: Arc<Handle>,
    watched: Watched,
    readers: Mutex<KnownReaders>,
    /// How many bytes it needs.
    wanted: u64,
    patience: Patience,
}

impl WriterSource {
    fn readers_are_gone(&self) -> bool {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        self.handle.ends().readers_are_gone(&mut readers, self.watched.object())
    }
}

impl Source for WriterSource {
    fn poll(&self, _sleeps: bool) -> Readiness<'_> {
        if let Some(decided) = self.watched.decided() {
            return decided;
        }
        let stream = self.handle.stream();
        if stream.tail().is_closed() {
            return Readiness::Ready;
        }
        if let waits @ (Readiness::Pending(_) | Readiness::Never) =
            self.handle.turn().readiness(&self.patience)
        {
            return waits;
        }
        let head = stream.head();
        match stream.free() {
            Ok(free) if free < self.wanted && !self.readers_are_gone() => {
                Readiness::Pending(stream.sleep_for_room(head))
            }
            _ => Readiness::Ready,
        }
    }

    fn check(&self, extent: Extent<'_>) -> bool {
        let object = self.watched.object();
        object.reap(Role::Reader, extent);
        let has_failed = self.handle.turn().free_dead_holder(object);
        self.watched.check_removed()
            || has_failed
            || self.readers_are_gone()
            || matches!(self.poll(false), Readiness::Ready)
    }

    fn notices(&self) -> Option<ObjectNotices<'_>> {
        self.watched.notices()
    }

    fn pass_wake_on(&self) {
        self.handle.turn().pass_wake_on();
    }
}

impl PipeWriter {
    /// A source that is ready when so many bytes are free, of which up to 4 KiB count.
    pub(crate) fn source_for(&self, bytes: usize) -> Arc<dyn Source> {
        let (handle, watched, readers) = self.watched();
        let wanted = handle.stream().whole().min(bytes as u64);
        let (readers, patience) = (Mutex::new(readers), Patience::default());
        Arc::new(WriterSource { handle, watched, readers, wanted, patience })
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Waitable for PipeWriter {
    fn source(&self) -> Arc<dyn Source> {
        let (handle, ..) = self.watched();
        self.source_for(handle.stream().waking_room() as usize)
    }
}
