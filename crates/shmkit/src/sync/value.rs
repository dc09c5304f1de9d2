//! The value that a lock guards, in place.
#![allow(unsafe_code, reason = "references into shared memory, while a lock is held")]

use std::ptr::{self, NonNull};
use std::slice;

use crate::error::Result;
use crate::object::{Builder, Line, Planner, Room, ValueType};
use crate::shareable::{Shareable, bytes_of};

/// A value in the payload, after the `USED` bytes that its lock has in its line.
///
/// The holder of the lock has references to it. A process that changes it without the lock breaks
/// the protocol.
#[derive(Debug)]
pub(crate) struct Value<T, const USED: u64> {
    /// INVARIANT: room for a `T`, aligned, in a mapping that the lock keeps alive.
    at: NonNull<T>,
}

// SAFETY: the pointer leads to shared memory, and a `Shareable` can be used by any thread.
unsafe impl<T: Shareable, const USED: u64> Send for Value<T, USED> {}
// SAFETY: as above; the lock decides which thread may use the value.
unsafe impl<T: Shareable, const USED: u64> Sync for Value<T, USED> {}

impl<T: Shareable, const USED: u64> Value<T, USED> {
    const ROOM: Room = Room::of(size_of::<T>() as u64, align_of::<T>() as u64, USED);

    /// Plans the value, after the words of its lock.
    pub(crate) fn plan(planner: &mut Planner<'_>, initial: Option<&T>) {
        let place = planner.value(ValueType::Layout(T::LAYOUT), USED);
        let Some(initial) = initial else { return };
        match bytes_of(initial) {
            Some(bytes) => planner.write_at(place, bytes),
            None => {
                let mut bytes = vec![0; size_of::<T>()];
                initial.encode(&mut bytes);
                planner.write_at(place, &bytes);
            }
        }
    }

    /// Finds the value in an open object.
    pub(crate) fn build(builder: &mut Builder, line: &Line) -> Result<Self> {
        // INVARIANT: the builder gives room of this size at this alignment.
        Ok(Self { at: builder.value(line, Self::ROOM)? })
    }

    /// Returns whether the bytes are a value of the type.
    ///
    /// # Safety
    ///
    /// The caller holds the lock.
    #[inline(always)]
    pub(crate) unsafe fn is_valid(&self) -> bool {
        if T::ALWAYS_VALID {
            return true;
        }
        let bytes = self.at.as_ptr().cast();
        // SAFETY: initialised bytes of the mapping, which do not change while the lock is held.
        T::valid(unsafe { slice::from_raw_parts(bytes, size_of::<T>()) })
    }

    /// Returns the value.
    ///
    /// # Safety
    ///
    /// The caller holds the lock, and has checked that the bytes are a value.
    #[inline(always)]
    pub(crate) unsafe fn get(&self) -> &T {
        // SAFETY: aligned bytes of the mapping which are a value, as the caller checked; they do
        // not change while the lock is held.
        unsafe { self.at.as_ref() }
    }

    /// Returns the value, to change it.
    ///
    /// # Safety
    ///
    /// As for [`get`](Self::get); the lock is exclusive, and the caller makes no other reference as
    /// long as this one lives.
    #[inline(always)]
    #[expect(clippy::mut_from_ref, reason = "the lock excludes other references")]
    pub(crate) unsafe fn get_mut(&self) -> &mut T {
        let mut at = self.at;
        // SAFETY: as in `get`, and this is the only reference.
        unsafe { at.as_mut() }
    }

    /// Returns a copy of the value.
    ///
    /// # Safety
    ///
    /// As for [`get`](Self::get).
    pub(crate) unsafe fn read(&self) -> T {
        // SAFETY: as in `get`; a `Shareable` needs no drop, so a second one does no harm.
        unsafe { self.at.read() }
    }

    /// Returns a copy of the value on the heap.
    ///
    /// # Safety
    ///
    /// As for [`get`](Self::get).
    pub(crate) unsafe fn read_boxed(&self) -> Box<T> {
        let mut copy = Box::<T>::new_uninit();
        // SAFETY: as in `get`, the bytes are a value; those of the box belong to this function, and
        // a `Shareable` needs no drop, so a second one does no harm.
        unsafe { ptr::copy_nonoverlapping(self.at.as_ptr(), copy.as_mut_ptr(), 1) };
        // SAFETY: it was just written.
        unsafe { copy.assume_init() }
    }

    /// Overwrites whatever bytes are there.
    ///
    /// # Safety
    ///
    /// The caller holds the lock exclusively.
    pub(crate) unsafe fn set(&self, value: &T) {
        let bytes = self.at.as_ptr().cast();
        // SAFETY: initialised bytes of the mapping, which no other thread touches.
        let bytes: &mut [u8] = unsafe { slice::from_raw_parts_mut(bytes, size_of::<T>()) };
        match bytes_of(value) {
            Some(value) => bytes.copy_from_slice(value),
            None => {
                bytes.fill(0);
                value.encode(bytes);
            }
        }
    }
}

/// The value of a lock without a value: it guards what its users agree on.
#[derive(shmkit_derive::Shareable, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct NoData {
    reserved: u8,
}
