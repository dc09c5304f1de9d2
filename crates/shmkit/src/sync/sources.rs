//! Waiting for primitives together with other things.

use std::sync::Arc;

use super::bounded::BoundedSemaphore;
use super::event::Event;
use super::mutex::Mutex;
use super::raw::event::{EventWord, Reset};
use super::raw::permits::{Permits, STRIDE};
use super::semaphore::Semaphore;
use crate::object::{LINE_WORDS, Watched};
use crate::participant::owner::OwnerWord;
use crate::shareable::Shareable;
use crate::sys::notices::ObjectNotices;
use crate::wait::{Extent, Patience, Readiness, Source, Waitable};

/// What a source says if the words that its handle has are not there: they always are.
const NO_WORDS: Readiness<'_> = Readiness::Ready;

/// An event.
struct EventSource {
    watched: Watched,
    place: u64,
    reset: Reset,
}

impl EventSource {
    fn word(&self) -> Option<EventWord<'_>> {
        let word = self.watched.words(self.place, 1).first()?;
        Some(EventWord::new(word, self.reset))
    }
}

impl Source for EventSource {
    fn poll(&self, _sleeps: bool) -> Readiness<'_> {
        let word = || self.word().map_or(NO_WORDS, EventWord::readiness);
        self.watched.decided().unwrap_or_else(word)
    }

    fn check(&self, _extent: Extent<'_>) -> bool {
        self.watched.check_removed()
    }

    fn notices(&self) -> Option<ObjectNotices<'_>> {
        self.watched.notices()
    }

    fn pass_wake_on(&self) {
        if let Some(word) = self.word() {
            word.pass_wake_on();
        }
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Waitable for Event {
    fn source(&self) -> Arc<dyn Source> {
        let (watched, place, reset) = self.watched();
        Arc::new(EventSource { watched, place, reset })
    }
}

/// A semaphore.
struct SemaphoreSource {
    watched: Watched,
    /// Where its line is, and the words of its participants.
    places: [u64; 2],
    patience: Patience,
}

impl SemaphoreSource {
    fn permits(&self) -> Option<Permits<'_>> {
        let [line, slots] = self.places;
        let line = self.watched.words(line, LINE_WORDS).try_into().ok()?;
        let participants = self.watched.object().layout().participants_count as usize;
        Some(Permits::of(line, self.watched.words(slots, participants * STRIDE)))
    }
}

impl Source for SemaphoreSource {
    fn poll(&self, _sleeps: bool) -> Readiness<'_> {
        let permits = || self.permits().map_or(NO_WORDS, |it| it.readiness(&self.patience));
        self.watched.decided().unwrap_or_else(permits)
    }

    fn check(&self, extent: Extent<'_>) -> bool {
        let Some(permits) = self.permits() else { return true };
        extent.each_slot(self.watched.object().layout().participants_count, |slot| {
            let may_hold = permits.may_hold(slot);
            if may_hold {
                permits.reap(slot, || self.watched.reap_slot(slot));
            }
            may_hold
        });
        self.watched.check_removed() || matches!(self.poll(false), Readiness::Ready)
    }

    fn notices(&self) -> Option<ObjectNotices<'_>> {
        self.watched.notices()
    }

    fn pass_wake_on(&self) {
        if let Some(permits) = self.permits() {
            permits.pass_wake_on();
        }
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Waitable for Semaphore {
    fn source(&self) -> Arc<dyn Source> {
        let (watched, places) = self.watched();
        Arc::new(SemaphoreSource { watched, places, patience: Patience::default() })
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Waitable for BoundedSemaphore {
    fn source(&self) -> Arc<dyn Source> {
        (**self).source()
    }
}

/// A mutex.
struct MutexSource {
    watched: Watched,
    place: u64,
    patience: Patience,
}

impl MutexSource {
    fn word(&self) -> Option<OwnerWord<'_>> {
        let [owner, handed] = self.watched.words(self.place, 2) else { return None };
        Some(OwnerWord::of_lock(owner).with_handed(handed))
    }
}

impl Source for MutexSource {
    fn poll(&self, _sleeps: bool) -> Readiness<'_> {
        let word = || self.word().map_or(NO_WORDS, |word| word.readiness(&self.patience));
        self.watched.decided().unwrap_or_else(word)
    }

    fn check(&self, _extent: Extent<'_>) -> bool {
        let Some(word) = self.word() else { return true };
        let has_failed = word.free_dead_holder(self.watched.object());
        self.watched.check_removed() || has_failed || matches!(self.poll(false), Readiness::Ready)
    }

    fn notices(&self) -> Option<ObjectNotices<'_>> {
        self.watched.notices()
    }

    fn pass_wake_on(&self) {
        if let Some(word) = self.word() {
            word.pass_wake_on();
        }
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<T: Shareable> Waitable for Mutex<T> {
    fn source(&self) -> Arc<dyn Source> {
        let (watched, place) = self.watched();
        Arc::new(MutexSource { watched, place, patience: Patience::default() })
    }
}
