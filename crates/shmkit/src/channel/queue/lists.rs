//! Receiving lists into memory that the caller has.

#![allow(unsafe_code, reason = "treats values as room for their bytes")]

use std::mem::MaybeUninit;
use std::slice;
use std::time::{Duration, Instant};

use super::received::Received;
use super::receiver::QueueReceiver;
use super::receiving::{InSlot, NotReceived};
use crate::channel::latest::receive;
use crate::error::Result;
use crate::memory::copy::copy_part;
use crate::shareable::{Shareable, check_by_value};
use crate::wait::Until;

/// Receiving into a buffer of the caller's, without an allocation.
impl<T: Shareable> QueueReceiver<[T]> {
    /// Receives the next message into the first elements of `buffer`, and waits until there is one.
    ///
    /// The returned guard dereferences to these elements.
    ///
    /// # Errors
    ///
    /// `BufferTooSmall` if the message is longer than the buffer:
    /// [`needed_len`](crate::Error::needed_len) returns its length. It stays in the queue, at its
    /// place, and this does not count as a delivery. And those of [`recv`](Self::recv); after an
    /// error the buffer may have other elements than before.
    ///
    /// # Examples
    ///
    /// ```
    /// use shmkit::{ErrorKind, Queue};
    ///
    /// # fn main() -> shmkit::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let options = Queue::<[u8]>::options().directory(directory.path());
    /// let lines = options.max_len(1_000).create("lines")?;
    /// let receiver = lines.receiver()?;
    /// lines.sender()?.send(b"a line")?;
    ///
    /// let mut buffer = [0; 4];
    /// let error = receiver.recv_into(&mut buffer).unwrap_err();
    /// assert_eq!((error.kind(), error.needed_len()), (ErrorKind::BufferTooSmall, Some(6)));
    ///
    /// let mut buffer = [0; 100];
    /// let line = receiver.recv_into(&mut buffer)?;
    /// assert_eq!(**line, *b"a line");
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn recv_into<'b>(&self, buffer: &'b mut [T]) -> Result<Received<'_, &'b mut [T]>> {
        self.receive_into(buffer, || Until::Ever)
    }

    /// Receives the next message into the first elements of `buffer`, if there is one.
    ///
    /// # Errors
    ///
    /// Those of [`recv_into`](Self::recv_into).
    #[inline]
    pub fn try_recv_into<'b>(
        &self,
        buffer: &'b mut [T],
    ) -> Result<Option<Received<'_, &'b mut [T]>>> {
        let taken = self.receiving.try_receive(move |message| self.copied_into(message, buffer))?;
        Ok(taken.map(Received::new))
    }

    /// Receives the next message into the first elements of `buffer`, and waits for it up to
    /// `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut`; and those of [`recv_into`](Self::recv_into).
    #[inline]
    pub fn recv_into_timeout<'b>(
        &self,
        buffer: &'b mut [T],
        timeout: Duration,
    ) -> Result<Received<'_, &'b mut [T]>> {
        self.receive_into(buffer, || Until::after(timeout))
    }

    /// Receives the next message into the first elements of `buffer`, and waits for it until
    /// `deadline` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// Those of [`recv_into_timeout`](Self::recv_into_timeout).
    #[inline]
    pub fn recv_into_until<'b>(
        &self,
        buffer: &'b mut [T],
        deadline: Instant,
    ) -> Result<Received<'_, &'b mut [T]>> {
        self.receive_into(buffer, || Until::Deadline(deadline))
    }

    #[inline(always)]
    fn receive_into<'b>(
        &self,
        buffer: &'b mut [T],
        until: impl FnOnce() -> Until,
    ) -> Result<Received<'_, &'b mut [T]>> {
        let taken =
            self.receiving.receive(until, move |message| self.copied_into(message, buffer))?;
        Ok(Received::new(taken))
    }

    fn copied_into<'b>(
        &self,
        message: InSlot<'_>,
        buffer: &'b mut [T],
    ) -> Result<&'b mut [T], NotReceived> {
        const { check_by_value::<T>("larger than 64 KiB: use `recv`") };
        let size = size_of::<T>();
        let (len, room) = (message.len / size, buffer.len());
        let Some(into) = buffer.get_mut(..len) else {
            return Err(self.receiving.does_not_fit(len, room));
        };
        if T::ALWAYS_VALID {
            message.copy_out(bytes_of(into));
            return Ok(into);
        }
        for (element, at) in into.iter_mut().zip((0..).step_by(size)) {
            let copied = receive::attempt::<T>(|bytes| {
                copy_part(message.words(), at, zeroed(bytes));
                true
            });
            *element = copied.ok_or(NotReceived::Invalid)?;
        }
        Ok(into)
    }
}

/// The bytes of elements for which any bytes are a value.
#[inline(always)]
fn bytes_of<T: Shareable>(elements: &mut [T]) -> &mut [MaybeUninit<u8>] {
    debug_assert!(T::ALWAYS_VALID);
    let (first, bytes) = (elements.as_mut_ptr().cast(), size_of_val(elements));
    // SAFETY: they are the bytes of `elements`, borrowed exclusively for as long. The caller writes
    // initialised bytes only, and any of those are values.
    unsafe { slice::from_raw_parts_mut(first, bytes) }
}

/// Fills bytes with zeros: so they are initialised.
#[inline(always)]
fn zeroed(bytes: &mut [MaybeUninit<u8>]) -> &mut [u8] {
    bytes.fill(MaybeUninit::new(0));
    // SAFETY: all of them were just written; a `MaybeUninit<u8>` has the layout of a `u8`.
    unsafe { &mut *(std::ptr::from_mut(bytes) as *mut [u8]) }
}
