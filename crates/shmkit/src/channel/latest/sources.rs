//! Waiting for the next value together with other things.

use std::sync::Arc;

use super::any::AnyChanges;
use super::changes::{Changes, Cursor, Shown};
use super::handle::Handle;
use crate::memory::atomic::Ordering;
use crate::object::Watched;
use crate::shareable::Shareable;
use crate::sys::notices::ObjectNotices;
use crate::wait::{Extent, Readiness, Source, Waitable};

/// A reader of one value after the other.
struct ChangesSource {
    handle: Arc<Handle>,
    watched: Watched,
    shown: Arc<Shown>,
}

impl Source for ChangesSource {
    fn poll(&self, _sleeps: bool) -> Readiness<'_> {
        if let Some(decided) = self.watched.decided() {
            return decided;
        }
        let register = self.handle.register();
        // Before the look.
        let (is_closed, sleep) = register.ticket();
        // ORDERING: Relaxed; the reader's own look decides.
        let seen = self.shown.seen.load(Ordering::Relaxed);
        if is_closed || self.shown.flags.are_set() || register.newest().sequence > seen {
            return Readiness::Ready;
        }
        Readiness::Pending(match self.handle.object.is_writable() {
            true => sleep,
            false => sleep.unmarked(self.handle.object.layout().has_read_only_peers()),
        })
    }

    fn check(&self, _extent: Extent<'_>) -> bool {
        self.watched.check_removed()
            || self.shown.check(&self.handle)
            || matches!(self.poll(false), Readiness::Ready)
    }

    fn notices(&self) -> Option<ObjectNotices<'_>> {
        self.watched.notices()
    }
}

fn source_of(cursor: &Cursor) -> Arc<dyn Source> {
    let handle = cursor.handle.clone();
    let life: Arc<dyn Send + Sync> = cursor.life().clone();
    let watched = Watched::new(&handle.object, None, Arc::downgrade(&life));
    Arc::new(ChangesSource { handle, watched, shown: cursor.shown().clone() })
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<T: Shareable> Waitable for Changes<T> {
    fn source(&self) -> Arc<dyn Source> {
        source_of(self.cursor())
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Waitable for AnyChanges {
    fn source(&self) -> Arc<dyn Source> {
        source_of(self.cursor())
    }
}
