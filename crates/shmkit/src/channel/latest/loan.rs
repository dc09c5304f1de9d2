//! Filling the next value in place.
//!
//! ```text
//!  loan      begin: the slot of the next value is in writing, and no reader returns it
//!  filled    by the caller, through one more mapping of the payload
//!  publish   records, stamp "complete", `latest`: as for each value
//! ```
//!
//! # Why a reference into the slot is sound
//!
//! No process changes the slot of the next value but the writer that has the right to write, and it
//! has this one loan. But others may still read the slot: a reader that a writer overtakes copies
//! words of it, until it finds that the stamp has changed. Such a reader is in another process, or
//! it reads through another mapping of this process. So for the compiler nothing else in this
//! program uses the bytes of the loan. What the reader copied is discarded by the stamps, as it is
//! when the writer copies a value.

#![allow(unsafe_code, reason = "a reference to the slot of the next value")]

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::slice;

use super::geometry::{SLOTS, WORD};
use super::register::Begun;
use super::writing::{LatestWriter, Turn, UntypedWriter, encoded};
use crate::error::{Error, Result};
use crate::memory::atomic::{Ordering, fence};
use crate::shareable::{Shareable, bytes_of};
use crate::sys::mapping::PartMapping;

/// The next value of a [`Latest`](crate::Latest) while its writer fills it in place: see
/// [`LatestWriter::loan`].
///
/// Dropping it publishes nothing: readers keep the previous value.
#[must_use = "a loan that is dropped publishes nothing: call `publish`"]
pub struct LatestLoan<'a, T: Shareable> {
    writer: &'a UntypedWriter,
    /// None once it is published.
    begun: Option<Begun>,
    /// INVARIANT: points to a value of the type, in the slot of the value that was begun, in a
    /// mapping that lives as long as the writer is borrowed and that nothing else uses.
    place: NonNull<T>,
    encoded: &'a mut [u8],
    // Dropped last: it ends the right to write.
    turn: Option<Turn<'a>>,
}

impl<T: Shareable> LatestWriter<T> {
    /// Returns the place of the next value in shared memory, to fill it there: no copy is made when
    /// it is [published](LatestLoan::publish).
    ///
    /// The loan contains an older value, or zeros: overwrite all of it. Until it is published,
    /// readers get the value before it, so a loan can take as long as filling takes. If writers are
    /// shared, the others wait meanwhile, up to 1 s: then it must be short, and no other writer of
    /// this thread may set a value.
    ///
    /// The first loan of a writer maps the object once more. It does not compile for a type that is
    /// aligned to more than 8 bytes, nor for one of which zeros are not a value. A type with
    /// padding is copied when it is published, so that its padding is zeros. On a disk, publishing
    /// also computes a checksum of the value, and once in a minute it copies the value.
    ///
    /// A loan of shared writers that is forgotten (`mem::forget`) keeps the right to write until
    /// its writer is dropped.
    ///
    /// # If a process dies
    ///
    /// If this process dies, readers keep the previous value, and the next writer begins the same
    /// value again.
    ///
    /// # Errors
    ///
    /// Those of [`set`](Self::set); `OutOfSpace` if the process has no room for the mapping.
    ///
    /// # Examples
    ///
    /// ```
    /// use shmkit::Latest;
    ///
    /// # fn main() -> shmkit::Result<()> {
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let options = Latest::<[u8; 6_220_800]>::options().directory(directory.path());
    /// let frames = options.open_or_create("camera/frame")?;
    /// let mut writer = frames.writer()?;
    /// let mut frame = writer.loan()?;
    /// frame.fill(0x80);
    /// frame.publish()?;
    /// assert_eq!(frames.get_boxed()?[7], 0x80);
    /// # Ok(())
    /// # }
    /// ```
    pub fn loan(&mut self) -> Result<LatestLoan<'_, T>> {
        const {
            let aligned = "the type is aligned to more than 8 bytes, and a slot is not: use `set`";
            assert!(align_of::<T>() <= WORD, "{}", aligned);
            let zeros = "zeros are not a value of this type, so a loan has no value to begin with: \
                         give its enums a variant 0, or use `set`";
            assert!(T::ZEROS_VALID, "{}", zeros);
        }
        let Self { writer, encoded, in_place, .. } = self;
        let writer = &*writer;
        let payload = match in_place {
            Some(payload) => payload,
            None => in_place.insert(map_payload(writer)?),
        };
        let turn = writer.begin_turn(None)?;
        let begun = writer.handle.begin();
        let begun = begun.map_err(|error| writer.handle.publish_error(error))?;
        // ORDERING: AcqRel; as the Release fence in `begin`, also for the plain stores of the
        // caller, none of which may precede it.
        fence(Ordering::AcqRel);
        let offset = SLOTS + writer.handle.register().offset_of(&begun);
        assert!(offset + size_of::<T>() <= payload.len(), "a slot within the payload");
        // SAFETY: within the mapping.
        let bytes = unsafe { payload.as_ptr().add(offset) };
        // SAFETY: bytes of the mapping, which only this loan uses: the writer is borrowed, and has
        // the right to write.
        let value = unsafe { slice::from_raw_parts_mut(bytes, size_of::<T>()) };
        if !T::ALWAYS_VALID && !T::valid(value) {
            value.fill(0);
        }
        // INVARIANT: the bytes are a value, at a multiple of 8, which the alignment of the type
        // divides.
        let place = NonNull::from(value).cast();
        Ok(LatestLoan { writer, begun: Some(begun), place, encoded, turn })
    }
}

fn map_payload(writer: &UntypedWriter) -> Result<PartMapping> {
    let object = &writer.handle.object;
    object.check_not_forked()?;
    object.map_payload().map_err(|error: Error| error.doing("map").on(object.label()))
}

impl<T: Shareable> LatestLoan<'_, T> {
    /// Publishes the value, wakes the readers that wait for it, and returns its sequence number.
    ///
    /// # If a process dies
    ///
    /// If this process dies during the call, readers keep the previous value, or get this one
    /// whole.
    ///
    /// # Errors
    ///
    /// Those of [`LatestWriter::set`], except `Busy`. After an error the value is not set, except
    /// that readers may have seen it before a `Closed`.
    pub fn publish(mut self) -> Result<u64> {
        let writer = self.writer;
        writer.handle.object.check_not_forked()?;
        writer.check_role()?;
        let begun = self.begun.take().expect("only this takes it");
        // SAFETY: by the invariant, a value that nothing else changes.
        let value = unsafe { self.place.as_ref() };
        let bytes = match bytes_of(value) {
            Some(bytes) => bytes,
            None => {
                // ORDERING: Release; the partner is the same bytes in the other mapping. The caller
                // stored plainly in this one, `write` stores in that one, and the compiler sees no
                // connection: a store of the caller that came later would bring padding back.
                fence(Ordering::Release);
                let bytes = encoded(value, self.encoded);
                writer.handle.register().write(&begun, bytes);
                bytes
            }
        };
        let published = writer.handle.publish_begun(begun, bytes);
        published.map_err(|error| writer.handle.publish_error(error))
    }
}

impl<T: Shareable> Drop for LatestLoan<'_, T> {
    fn drop(&mut self) {
        if !self.writer.membership.is_mine() {
            // The right to write is the parent's.
            std::mem::forget(self.turn.take());
            return;
        }
        if let Some(begun) = self.begun.take().filter(|_| self.writer.has_role()) {
            self.writer.handle.register().give_up(begun);
        }
    }
}

impl<T: Shareable> Deref for LatestLoan<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: by the invariant, a value that nothing else changes.
        unsafe { self.place.as_ref() }
    }
}

impl<T: Shareable> DerefMut for LatestLoan<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: by the invariant, a value that nothing else uses; `self` is borrowed mutably.
        unsafe { self.place.as_mut() }
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for LatestLoan<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
