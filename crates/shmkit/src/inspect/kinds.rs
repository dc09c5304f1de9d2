//! The table of kinds: which payload type describes a part, and frees what the dead hold of it.

use crate::channel::{Call, Latest, Pipe, Queue, Topic};
use crate::error::Result;
use crate::object::{Kind, Part, PartState, Payload};
use crate::sync::{
    Barrier, Condvar, Event, Latch, Mutex, NoData, Once, ReentrantMutex, RwLock, Semaphore,
};

/// What a process can do with a part whose types it does not know.
pub(super) struct KindOperations {
    /// Returns what the part shows.
    pub(super) describe: fn(&Part<'_>) -> Result<PartState>,
    /// Frees what dead participants hold of the part.
    pub(super) reap: fn(&Part<'_>) -> Result<()>,
}

impl KindOperations {
    fn of<P: Payload>() -> Self {
        Self { describe: P::describe, reap: P::reap }
    }

    /// Returns what can be done with a part of this kind.
    pub(super) fn of_kind(kind: Kind) -> Self {
        match kind {
            Kind::Latest => Self::of::<Latest<NoData>>(),
            Kind::Queue => Self::of::<Queue<NoData>>(),
            Kind::Mutex => Self::of::<Mutex<NoData>>(),
            Kind::ReentrantMutex => Self::of::<ReentrantMutex<NoData>>(),
            Kind::RwLock => Self::of::<RwLock<NoData>>(),
            Kind::Condvar => Self::of::<Condvar>(),
            Kind::Semaphore => Self::of::<Semaphore>(),
            Kind::Event => Self::of::<Event>(),
            Kind::Barrier => Self::of::<Barrier>(),
            Kind::Latch => Self::of::<Latch>(),
            Kind::Once => Self::of::<Once>(),
            Kind::Topic => Self::of::<Topic<NoData>>(),
            Kind::Call => Self::of::<Call<NoData, NoData>>(),
            Kind::Pipe => Self::of::<Pipe>(),
            #[cfg(any(test, feature = "counter-kind"))]
            Kind::Counter => Self::of::<crate::sync::Counter>(),
            Kind::Group => Self::of::<Box<[Event]>>(),
        }
    }
}
