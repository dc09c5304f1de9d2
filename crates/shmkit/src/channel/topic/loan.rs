//! Filling the next message in place.
//!
//! A large message is filled in a buffer of shared memory, which no process uses but the one that
//! took it: see `ring::buffers`. Subscribers that were overtaken can still copy what was in the
//! buffer before. They are in other processes, or read through another mapping of this one. So for
//! the compiler nothing else in this program uses the bytes of the loan. What these copied, they
//! discard.

#![allow(unsafe_code, reason = "references to a buffer in shared memory")]

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::slice;
use std::time::Duration;

use super::geometry::HasShape;
use super::publisher::{Patience, Publisher};
use crate::channel::message::{Message, check_len};
use crate::error::Result;
use crate::memory::atomic::{Ordering, fence};
use crate::object::LINE;
use crate::shareable::Shareable;
use crate::wait::Until;

/// A message of a [`Topic`](super::Topic) while its publisher fills it in place: see
/// [`Publisher::loan`].
///
/// It dereferences to the message. Dropping it publishes nothing. A process that may write to the
/// object, and does not keep to its rules, can change the bytes meanwhile.
///
/// # If a process dies
///
/// If this process dies before [`send`](Self::send) returns, the message is received whole, or not
/// at all, and the place is used again.
#[must_use = "a loan that is dropped publishes nothing: call `send`"]
pub struct Loan<'a, M: Message + ?Sized> {
    publisher: &'a mut Publisher<M>,
    room: Room<M::Element>,
}

/// Where a message is filled.
enum Room<T> {
    /// In memory of this process, as small messages are.
    Own(Box<[T]>),
    /// In a buffer. INVARIANT: `len` values of the type from `place` on, in a mapping that the
    /// publisher keeps, and that nothing else uses.
    Buffer { buffer: u32, place: NonNull<T>, len: usize },
    /// Nowhere: it was sent.
    Sent,
}

// SAFETY: a loan is the only user of its values, which are `Send`; the publisher is `Send`.
unsafe impl<M: Message + ?Sized> Send for Loan<'_, M> {}
// SAFETY: a shared loan gives shared references to values that are `Sync` only.
unsafe impl<M: Message + ?Sized> Sync for Loan<'_, M> {}

impl<T: Shareable> Publisher<T> {
    /// Returns the place of a message, to fill it there: no copy is made when it is
    /// [sent](Loan::send), if it has more than 4 KiB. A smaller one is filled in memory of this
    /// process, and copied: there [`publish`](Self::publish) is faster.
    ///
    /// The loan contains an older message, or zeros: overwrite all of it. The order of messages is
    /// decided when it is sent, so it delays nobody, however long filling takes.
    ///
    /// The first loan of a publisher maps the object once more. It does not compile for a type of
    /// which zeros are not a value. A type with padding is copied when it is sent, so that its
    /// padding is zeros.
    ///
    /// # If a process dies
    ///
    /// If this process dies, nothing is published, and the place is used again.
    ///
    /// # Errors
    ///
    /// `Full` if all buffers are in use: see
    /// [`Options::spare_buffers`](crate::Options::spare_buffers); `OutOfSpace` if the process has
    /// no room for the mapping; `Closed`, `Forked`, `RoleLost`.
    ///
    /// # Examples
    ///
    /// ```
    /// use shmkit::Topic;
    ///
    /// # fn main() -> shmkit::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let options = Topic::<[u8; 6_220_800]>::options().directory(directory.path());
    /// let frames = options.create("camera/frames")?;
    /// let (mut publisher, mut subscriber) = (frames.publisher()?, frames.subscriber()?);
    ///
    /// let mut frame = publisher.loan()?;
    /// frame.fill(0x80);
    /// frame.send()?;
    ///
    /// let frame = subscriber.recv_sample()?;
    /// assert_eq!(frame[7], 0x80);
    /// # Ok(())
    /// # }
    /// ```
    pub fn loan(&mut self) -> Result<Loan<'_, T>> {
        loan(self, 1)
    }
}

impl<T: Shareable> Publisher<[T]> {
    /// Returns the place of a list of `len` elements, to fill it there. It is as
    /// [`loan`](Publisher::loan) for one value.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the list is longer than the longest; `Full` if all buffers are in use;
    /// `OutOfSpace`, `Closed`, `Forked`, `RoleLost`.
    pub fn loan_len(&mut self, len: usize) -> Result<Loan<'_, [T]>> {
        let most = self.shape.shape().max_len();
        check_len(len, most).map_err(|error| self.publisher.named(error))?;
        loan(self, len)
    }
}

/// What the compiler says about a type for which a buffer is not aligned.
pub(super) const TOO_ALIGNED: &str =
    "the type is aligned to more than 128 bytes, and a buffer is not: use `publish` and `recv`";

fn loan<M: Message + ?Sized>(publisher: &mut Publisher<M>, len: usize) -> Result<Loan<'_, M>> {
    const {
        let zeros = "zeros are not a value of this type, so a loan has no value to begin with: \
                     give its enums a variant 0, or use `publish`";
        assert!(M::Element::ZEROS_VALID, "{}", zeros);
        assert!(align_of::<M::Element>() <= LINE as usize, "{}", TOO_ALIGNED);
    }
    publisher.publisher.check_use()?;
    if !publisher.shape.shape().is_buffered() {
        let zeros = Box::<[M::Element]>::new_zeroed_slice(len);
        // SAFETY: every byte is zero, and `ZEROS_VALID` says that this is a value.
        let room = Room::Own(unsafe { zeros.assume_init() });
        return Ok(Loan { publisher, room });
    }
    let payload = publisher.publisher.map_payload()?;
    let buffer = publisher.publisher.obtain_buffer()?;
    // ORDERING: AcqRel; as the full fence in `take_buffer`, also for the plain stores of the caller
    // to the other mapping, none of which may precede it.
    fence(Ordering::AcqRel);
    let offset = publisher.publisher.handle.buffer_at(buffer);
    // SAFETY: within the mapping of the payload, which has the buffers.
    let place = unsafe { payload.add(offset) };
    // SAFETY: bytes of a buffer in the mapping, which only this loan uses.
    let bytes = unsafe { slice::from_raw_parts_mut(place, len * size_of::<M::Element>()) };
    let each = size_of::<M::Element>();
    if !M::Element::ALWAYS_VALID && !bytes.chunks_exact(each).all(M::Element::valid) {
        bytes.fill(0);
    }
    // INVARIANT: the bytes are values, at a multiple of 128.
    let room = Room::Buffer { buffer, place: NonNull::from(bytes).cast(), len };
    Ok(Loan { publisher, room })
}

impl<M: Message + ?Sized> Loan<'_, M> {
    /// Publishes the message, as [`Publisher::publish`] does, and returns how many subscribers it
    /// reaches.
    ///
    /// # If a process dies
    ///
    /// If this process dies during the call, the message is received whole, or not at all.
    ///
    /// # Errors
    ///
    /// Those of [`Publisher::publish`]. After an error no subscriber gets the message.
    pub fn send(self) -> Result<u32> {
        self.send_with(Patience::AsTopic)
    }

    /// Publishes the message, and waits up to `timeout` for room, whatever the topic says.
    ///
    /// # Errors
    ///
    /// Those of [`Publisher::publish_timeout`].
    pub fn send_timeout(self, timeout: Duration) -> Result<u32> {
        self.send_with(Patience::Until(Until::after(timeout)))
    }

    fn send_with(mut self, patience: Patience) -> Result<u32> {
        match std::mem::replace(&mut self.room, Room::Sent) {
            Room::Own(elements) => self.publisher.publish_with(M::of(&elements), patience),
            Room::Sent => Ok(0),
            Room::Buffer { buffer, place, len } => {
                // SAFETY: by the invariant, values that nothing else uses.
                let elements = unsafe { slice::from_raw_parts(place.as_ptr(), len) };
                let Publisher { publisher, encoded, shape } = &mut *self.publisher;
                if M::Element::PADDED {
                    // ORDERING: Release; the partner is the same bytes in the other mapping. The
                    // caller stored plainly in this one, `fill` stores in that one, and the
                    // compiler sees no connection.
                    fence(Ordering::Release);
                    let bytes = M::of(elements).bytes(encoded);
                    publisher.handle.ring(*shape).fill(buffer, bytes);
                }
                publisher.send_buffer(*shape, buffer, size_of_val(elements), patience)
            }
        }
    }

    fn elements(&self) -> &[M::Element] {
        match &self.room {
            Room::Own(elements) => elements,
            // SAFETY: by the invariant, values that nothing else uses.
            Room::Buffer { place, len, .. } => unsafe {
                slice::from_raw_parts(place.as_ptr(), *len)
            },
            Room::Sent => &[],
        }
    }
}

impl<M: Message + ?Sized> Drop for Loan<'_, M> {
    fn drop(&mut self) {
        if let Room::Buffer { buffer, .. } = self.room {
            self.publisher.publisher.keep_buffer(buffer);
        }
    }
}

impl<M: Message + ?Sized> Deref for Loan<'_, M> {
    type Target = M;

    #[inline]
    fn deref(&self) -> &M {
        M::of(self.elements())
    }
}

impl<M: Message + ?Sized> DerefMut for Loan<'_, M> {
    #[inline]
    fn deref_mut(&mut self) -> &mut M {
        M::of_mut(match &mut self.room {
            Room::Own(elements) => elements,
            // SAFETY: by the invariant, values that nothing else uses; `self` is borrowed mutably.
            Room::Buffer { place, len, .. } => unsafe {
                slice::from_raw_parts_mut(place.as_ptr(), *len)
            },
            Room::Sent => &mut [],
        })
    }
}

impl<M: Message<Element: fmt::Debug> + ?Sized> fmt::Debug for Loan<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Loan").field(&self.elements()).finish()
    }
}
