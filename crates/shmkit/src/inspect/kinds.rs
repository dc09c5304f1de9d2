//! The table of kinds: which payload describes a part.

use crate::channel::Latest;
use crate::error::Result;
use crate::object::{Kind, Part, PartState, Payload};
use crate::sync::{
    Barrier, Condvar, Event, Latch, Mutex, NoData, Once, ReentrantMutex, RwLock, Semaphore,
};

/// Returns what a part shows to a process that does not know its types.
pub(super) fn describe(part: &Part<'_>) -> Result<PartState> {
    match part.kind {
        Kind::Latest => Latest::<NoData>::describe(part),
        Kind::Mutex => Mutex::<NoData>::describe(part),
        Kind::ReentrantMutex => ReentrantMutex::<NoData>::describe(part),
        Kind::RwLock => RwLock::<NoData>::describe(part),
        Kind::Condvar => Condvar::describe(part),
        Kind::Semaphore => Semaphore::describe(part),
        Kind::Event => Event::describe(part),
        Kind::Barrier => Barrier::describe(part),
        Kind::Latch => Latch::describe(part),
        Kind::Once => Once::describe(part),
        #[cfg(any(test, feature = "counter-kind"))]
        Kind::Counter => crate::sync::Counter::describe(part),
        Kind::Group => <Box<[Event]>>::describe(part),
    }
}
