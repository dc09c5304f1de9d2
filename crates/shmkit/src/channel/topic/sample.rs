//! Borrowing a message instead of copying it.

#![allow(unsafe_code, reason = "references to a buffer in shared memory")]

use std::fmt;
use std::ops::Deref;
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::borrower::Borrower;
use super::geometry::HasShape;
use super::loan::TOO_ALIGNED;
use super::ring::Borrowing;
use super::subscriber::Subscriber;
use crate::channel::message::{Message, receive_list};
use crate::error::{ErrorKind, Result};
use crate::object::LINE;
use crate::shareable::Shareable;
use crate::wait::Until;

/// A message of a [`Topic`](super::Topic) that was borrowed, not copied: see
/// [`Subscriber::recv_sample`].
///
/// It dereferences to the message. It can be held for any time, and by any thread: that delays
/// nobody. It stays valid when its subscriber is dropped.
///
/// # If a process dies
///
/// The death of the publisher changes nothing. When a process that holds samples dies, their places
/// are used again.
///
/// # Trust
///
/// The bytes were checked when the message was received, and are in shared memory. A process that
/// may write to the object, and does not keep to its rules, can change them later: also to bytes
/// that are no value of the type. To use messages of processes that are not trusted, copy them:
/// [`Subscriber::recv`] and the calls beside it.
pub struct Sample<M: Message + ?Sized> {
    held: Held<M::Element>,
    sequence: u64,
}

enum Held<T> {
    /// A copy, as a small message is.
    Own(Box<[T]>),
    /// INVARIANT: `len` values of the type from `place` on, in a buffer of the mapping that the
    /// borrower keeps. By the sample's mark, no process that keeps to the rules fills it.
    Buffer { borrower: Arc<Borrower>, sample: usize, place: NonNull<T>, len: usize },
}

// SAFETY: a sample gives shared references to values that are `Send` and `Sync` only.
unsafe impl<M: Message + ?Sized> Send for Sample<M> {}
// SAFETY: as above.
unsafe impl<M: Message + ?Sized> Sync for Sample<M> {}

impl<M: Message + ?Sized> Sample<M> {
    /// Returns the sequence number of the message.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    fn elements(&self) -> &[M::Element] {
        match &self.held {
            Held::Own(elements) => elements,
            // SAFETY: by the invariant, values that nobody changes.
            Held::Buffer { place, len, .. } => unsafe {
                slice::from_raw_parts(place.as_ptr(), *len)
            },
        }
    }
}

impl<M: Message + ?Sized> Drop for Sample<M> {
    fn drop(&mut self) {
        if let Held::Buffer { borrower, sample, .. } = &self.held {
            borrower.give_back(*sample);
        }
    }
}

impl<M: Message + ?Sized> Deref for Sample<M> {
    type Target = M;

    #[inline]
    fn deref(&self) -> &M {
        M::of(self.elements())
    }
}

impl<M: Message<Element: fmt::Debug> + ?Sized> fmt::Debug for Sample<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sample").field(&self.elements()).finish()
    }
}

impl<M: Message + ?Sized> Subscriber<M> {
    /// Waits for the next message, and borrows it: no copy is made, if the messages of the topic
    /// have more than 4 KiB. A smaller one is copied to the heap: there [`recv`](Self::recv) is
    /// faster.
    ///
    /// The message stays until the sample is dropped. Meanwhile publishers use other buffers:
    /// see [`Options::spare_buffers`](crate::Options::spare_buffers). A subscriber can hold 8
    /// samples.
    ///
    /// # If a process dies
    ///
    /// The samples of a dead process no longer count for a publisher that needs a buffer.
    ///
    /// # Errors
    ///
    /// `Full` if this subscriber holds 8 samples: drop one, and receive the message then; and those
    /// of [`recv`](Self::recv).
    pub fn recv_sample(&mut self) -> Result<Sample<M>> {
        self.receive_sample(Until::Ever)
    }

    /// The same, but waits up to `timeout` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and those of [`recv_sample`](Self::recv_sample).
    pub fn recv_sample_timeout(&mut self, timeout: Duration) -> Result<Sample<M>> {
        self.receive_sample(Until::after(timeout))
    }

    /// The same, but waits until `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`recv_sample_timeout`](Self::recv_sample_timeout).
    pub fn recv_sample_until(&mut self, deadline: Instant) -> Result<Sample<M>> {
        self.receive_sample(Until::Deadline(deadline))
    }

    /// Borrows the next message if it was already published, without waiting.
    ///
    /// # Errors
    ///
    /// Those of [`recv_sample`](Self::recv_sample).
    pub fn try_recv_sample(&mut self) -> Result<Option<Sample<M>>> {
        match self.receive_sample(Until::Now) {
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(None),
            answer => answer.map(Some),
        }
    }

    fn receive_sample(&mut self, until: Until) -> Result<Sample<M>> {
        const { assert!(align_of::<M::Element>() <= LINE as usize, "{}", TOO_ALIGNED) };
        let Self { handle, subscriber, shape } = self;
        let invalid = || handle.invalid();
        if !shape.shape().is_buffered() {
            let mut elements = Vec::new();
            receive_list(&mut elements, |to| subscriber.receive(*shape, to, until), invalid)?;
            let held = Held::Own(elements.into_boxed_slice());
            return Ok(Sample { held, sequence: subscriber.sequence() });
        }
        subscriber.check_use()?;
        let borrower = subscriber.borrower().clone();
        let sample = borrower.take()?;
        let slot = borrower.slot();
        let mut borrowing = Borrowing { slot, sample, borrowed: None };
        let received = subscriber.receive(*shape, &mut borrowing, until);
        let borrowed = match (received, borrowing.borrowed) {
            (Ok(()), Some(borrowed)) => borrowed,
            (received, _) => {
                borrower.give_back(sample);
                return Err(received.err().unwrap_or_else(invalid));
            }
        };
        let words = handle.ring(*shape).buffer(borrowed.buffer);
        let (place, each) = (NonNull::from(words).cast::<M::Element>(), size_of::<M::Element>());
        let len = borrowed.bytes / each;
        let held = Held::Buffer { borrower, sample, place, len };
        // Returned by its drop, if the bytes are no values.
        let sample = Sample { held, sequence: subscriber.sequence() };
        if !M::Element::ALWAYS_VALID {
            let bytes = place.as_ptr().cast::<u8>();
            // SAFETY: bytes of the buffer, which nobody changes while the sample lives.
            let bytes: &[u8] = unsafe { slice::from_raw_parts(bytes, borrowed.bytes) };
            if !bytes.chunks_exact(each).all(M::Element::valid) {
                return Err(invalid());
            }
        }
        Ok(sample)
    }
}
