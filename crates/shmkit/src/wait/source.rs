//! What a thread can wait for together with others: one object, or one side of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::checks::SLICE;
use super::extent::Extent;
use super::waiter::SleepTicket;
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::sys::notices::ObjectNotices;
use crate::sys::process::milliseconds;

/// What a look at a [`Source`] found.
#[derive(Debug)]
pub(crate) enum Readiness<'a> {
    /// A call that waits for it would return now: with a result, or with an error.
    Ready,
    /// Nothing yet. This is the word to sleep on.
    Pending(SleepTicket<'a>),
    /// It will never be ready: its handle was dropped.
    Never,
}

/// Something that can be waited for together with others. It only says whether it is ready, and
/// takes nothing.
///
/// A call that attempts what the source is for must succeed, or fail, or make the source not ready
/// any more: otherwise a program that waits and attempts in turn never sleeps.
pub(crate) trait Source: Send + Sync {
    /// Looks. It `sleeps` if the thread goes to sleep on the word in the answer: then a protocol in
    /// which a waiter marks its word before its last look does so.
    fn poll(&self, sleeps: bool) -> Readiness<'_>;

    /// The slow check: repairs what dead participants left, as far as the extent says, and returns
    /// whether it is ready now.
    fn check(&self, extent: Extent<'_>) -> bool;

    /// The death notices of its object.
    fn notices(&self) -> Option<ObjectNotices<'_>>;

    /// After a sleep of this thread, which can have received a wake that was for one waiter, and
    /// does not use it: marks the word for the other sleepers, and wakes one if there is something
    /// for it.
    fn pass_wake_on(&self) {}
}

/// How long a source leaves a word to others that is reserved for them.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// When the word was found reserved, in milliseconds of this process. 0: it was not.
    since_ms: AtomicU64,
}

impl Patience {
    /// How long to sleep at most before the next look.
    pub(crate) const LIMIT: Duration = SLICE;

    /// The word is reserved. Returns whether that has lasted for a slice: once for each.
    pub(crate) fn is_over(&self) -> bool {
        let now_ms = milliseconds(Instant::now()).max(1);
        // ORDERING: Relaxed; only the time counts.
        let since_ms = self.since_ms.load(Ordering::Relaxed);
        let is_over =
            since_ms != 0 && u128::from(now_ms.wrapping_sub(since_ms)) >= SLICE.as_millis();
        if since_ms == 0 || is_over {
            // ORDERING: Relaxed; as above.
            self.since_ms.store(now_ms, Ordering::Relaxed);
        }
        is_over
    }

    /// The word is not reserved.
    pub(crate) fn forget(&self) {
        // ORDERING: Relaxed; as above.
        self.since_ms.store(0, Ordering::Relaxed);
    }
}

/// What a [`WaitSet`](crate::WaitSet) can wait for.
///
/// | handle | it is ready when |
/// |---|---|
/// | [`Changes`](crate::Changes) | there is a value that it has not returned |
/// | [`Subscriber`](crate::Subscriber) | there is a message that it has not received |
/// | [`Publisher`](crate::Publisher) | there is room for a message |
/// | [`QueueReceiver`](crate::QueueReceiver) | there is a message |
/// | [`QueueSender`](crate::QueueSender) | there is a free slot |
/// | [`Pending`](crate::Pending) | there is a response, or none follows |
/// | [`CallServer`](crate::CallServer) | there is a request that no server has begun |
/// | [`Request`](crate::Request) | there is room for another response |
/// | [`CallClient`](crate::CallClient) | there is a free place for a request |
/// | [`PipeReader`](crate::PipeReader) | there are bytes, or it is the end of the stream |
/// | [`PipeWriter`](crate::PipeWriter) | no other writer has the turn, and there is room |
/// | [`Event`](crate::sync::Event) | it is set |
/// | [`Semaphore`](crate::sync::Semaphore) | a permit is available |
/// | [`Mutex`](crate::sync::Mutex) | no thread holds it |
///
/// The handles of objects whose type is known only at run time, such as `AnySubscriber`, are ready
/// as those of the same kind. The room of a pipe is 4 KiB, or half of a smaller capacity.
///
/// Each is ready, too, when a call that waits for it would return an error: a death that was not
/// reported yet, the removal of the object, a handle that a forked child inherited.
///
/// It is implemented by this library only.
#[allow(private_interfaces, reason = "it is implemented by this library only")]
pub trait Waitable {
    /// What is looked at. It lives as long as it is waited for, also after the handle is dropped.
    #[doc(hidden)]
    fn source(&self) -> Arc<dyn Source>;
}
