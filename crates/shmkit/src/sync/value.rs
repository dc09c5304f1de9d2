//! The value that a lock guards, in place.

#![allow(unsafe_code, reason = "references into shared memory, while a lock is held")]

use std::ptr::NonNull;
use std::slice;

use super::membership::Line;
use super::parts::{Builder, Planner, Room};
use crate::error::Result;
use crate::shareable::{Schema, Shareable};

/// A value in the payload, behind the `BEHIND` bytes that its lock has in its line.
///
/// Whoever holds the lock has references to it: others change it by breaking the protocol alone.
#[derive(Debug)]
pub(crate) struct Value<T, const BEHIND: u64> {
    /// INVARIANT: room for a `T`, aligned, in a mapping that the lock keeps.
    at: NonNull<T>,
}

// SAFETY: the pointer leads to shared memory, and a `Shareable` goes from thread to thread.
unsafe impl<T: Shareable, const BEHIND: u64> Send for Value<T, BEHIND> {}
// SAFETY: as above; who may touch the value is the lock's to say.
unsafe impl<T: Shareable, const BEHIND: u64> Sync for Value<T, BEHIND> {}

impl<T: Shareable, const BEHIND: u64> Value<T, BEHIND> {
    const ROOM: Room = Room::of(T::LAYOUT, BEHIND);

    /// Takes its place behind the line at `line`, and puts what it begins with there.
    pub(crate) fn plan(planner: &mut Planner, line: u64, initial: Option<&T>) {
        let place = match Self::ROOM {
            Room::Line(offset) => line + offset,
            Room::Data => planner.data(size_of::<T>() as u64),
        };
        planner.field("value", place, Schema::of::<T>());
        if let Some(initial) = initial {
            let mut bytes = vec![0; size_of::<T>()];
            initial.encode(&mut bytes);
            planner.write(place, &bytes);
        }
    }

    /// Takes its place in an open object.
    pub(crate) fn build(builder: &mut Builder, line: &Line) -> Result<Self> {
        let at = match Self::ROOM {
            Room::Line(offset) => line.at(offset as usize),
            // The words go, their place stays: the line keeps the mapping, too.
            Room::Data => builder.words(size_of::<T>().div_ceil(8))?.at(0),
        };
        Ok(Self { at })
    }

    /// Whether the bytes are a value of the type.
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

    /// The value.
    ///
    /// # Safety
    ///
    /// The caller holds the lock, and found the bytes to be a value.
    #[inline(always)]
    pub(crate) unsafe fn get(&self) -> &T {
        // SAFETY: aligned bytes of the mapping which are a value, as the caller found; nobody
        // changes them while the lock is held.
        unsafe { self.at.as_ref() }
    }

    /// The value, to be changed.
    ///
    /// # Safety
    ///
    /// As [`get`](Self::get); the lock excludes everybody, and the caller makes no other reference
    /// as long as this one lives.
    #[inline(always)]
    #[expect(clippy::mut_from_ref, reason = "the lock says who may")]
    pub(crate) unsafe fn get_mut(&self) -> &mut T {
        let mut at = self.at;
        // SAFETY: as in `get`, and this is the only reference.
        unsafe { at.as_mut() }
    }

    /// A copy of the value.
    ///
    /// # Safety
    ///
    /// As [`get`](Self::get).
    pub(crate) unsafe fn copy(&self) -> T {
        // SAFETY: as in `get`; a `Shareable` needs no drop, so a second one harms nothing.
        unsafe { self.at.read() }
    }

    /// Overwrites whatever bytes are there.
    ///
    /// # Safety
    ///
    /// The caller holds the lock, which excludes everybody.
    pub(crate) unsafe fn set(&self, value: T) {
        if !T::PADDED {
            // SAFETY: aligned bytes of the mapping, which nobody else touches.
            unsafe { self.at.write(value) };
            return;
        }
        let bytes = self.at.as_ptr().cast();
        // SAFETY: initialised bytes of the mapping, which nobody else touches.
        let bytes: &mut [u8] = unsafe { slice::from_raw_parts_mut(bytes, size_of::<T>()) };
        bytes.fill(0);
        value.encode(bytes);
    }
}

/// The value of a lock that guards nothing but what its users agree on.
#[derive(shmkit_derive::Shareable, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct NoData {
    reserved: u8,
}
