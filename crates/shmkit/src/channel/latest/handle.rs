//! An open `Latest` of a type that is known at compile time or at run time: the object and its
//! words.
#![allow(
    unsafe_code,
    reason = "words of a mapping, kept as pointers so that a read costs no check"
)]

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use super::geometry::{BEGUN, FLAG_SHARED_WRITERS, Geometry, HasGeometry, LATEST, OWNER, SLOTS};
use super::register::{PublishError, ReadError, Register};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::AtomicU64;
use crate::object::{OpenObject, RemovalWatch};
use crate::participant::Liveness;
use crate::participant::owner::OwnerWord;
use crate::wait::{WaitLoop, WaitWord};

/// An open `Latest`.
pub(super) struct Handle {
    pub(super) object: Arc<OpenObject>,
    pub(super) removal_watch: RemovalWatch,
    pub(super) geometry: Geometry,
    /// By which shared writers wait for each other.
    pub(super) wait_loop: WaitLoop,
    /// INVARIANT: points to the first word of the payload, which has the control words and the
    /// slots of this geometry, in the mapping that `object` keeps alive.
    payload: NonNull<AtomicU64>,
}

// SAFETY: the pointer is to atomics in a mapping that the handle keeps alive; the rest is `Send`.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// Takes over an object whose values have this geometry.
    pub(super) fn over(object: Arc<OpenObject>, geometry: Geometry) -> Result<Self> {
        // INVARIANT: the payload has the words of the controls and of this geometry's slots.
        let words = object.payload().words(0, SLOTS / size_of::<u64>() + geometry.words())?;
        let payload = NonNull::from(words).cast();
        let (wait_loop, removal_watch) = (object.lock_loop(), RemovalWatch::new());
        Ok(Self { object, removal_watch, geometry, wait_loop, payload })
    }

    pub(super) fn has_shared_writers(&self) -> bool {
        self.object.layout().flags & FLAG_SHARED_WRITERS != 0
    }

    /// The register, with the shape of this handle. If the shape is a constant, every index is a
    /// constant too.
    #[inline(always)]
    pub(super) fn register_of<S: HasGeometry>(&self, shape: S) -> Register<'_, S> {
        debug_assert_eq!(shape.geometry(), self.geometry);
        // SAFETY: the slots are within the payload.
        let slots = unsafe { self.payload.byte_add(SLOTS) };
        let slots = NonNull::slice_from_raw_parts(slots, shape.geometry().words());
        // SAFETY: the shape is for values of the same size, so there are as many words as this
        // handle's geometry has, in the mapping that `object` keeps alive while `self` is borrowed.
        let slots = unsafe { slots.as_ref() };
        Register::new(WaitWord::new(self.word(LATEST)), self.word(BEGUN), slots, shape)
            .expect("the words were counted by the geometry")
    }

    /// The same for the writer, which also wakes readers that cannot mark a word.
    #[inline(always)]
    pub(super) fn register_to_write<S: HasGeometry>(&self, shape: S) -> Register<'_, S> {
        let read_only_peers = self.object.layout().has_read_only_peers();
        self.register_of(shape).with_read_only_peers(read_only_peers)
    }

    /// The control word at `offset`.
    #[inline(always)]
    fn word(&self, offset: usize) -> &AtomicU64 {
        debug_assert!(offset < SLOTS);
        // SAFETY: within the payload.
        let word = unsafe { self.payload.byte_add(offset) };
        // SAFETY: it lies in the mapping that `object` keeps alive while `self` is borrowed.
        unsafe { word.as_ref() }
    }

    pub(super) fn register(&self) -> Register<'_> {
        self.register_of(self.geometry)
    }

    #[inline(always)]
    pub(super) fn owner(&self) -> OwnerWord<'_> {
        OwnerWord::of_role(self.word(OWNER))
    }

    /// If it is time to ask, refuses an object that was removed by other means than this library.
    #[cold]
    pub(super) fn check_removal(&self) -> Result<()> {
        if !self.removal_watch.is_due() {
            return Ok(());
        }
        if self.object.object_is_removed() {
            // The next use asks again: a handle that may only read does not retire the object.
            return Err(self.object.closed());
        }
        self.removal_watch.asks();
        Ok(())
    }

    #[cold]
    pub(super) fn read_error(&self, error: ReadError) -> Error {
        let (kind, why) = match error {
            ReadError::Empty => (ErrorKind::Empty, "no value has been set yet"),
            ReadError::Closed => return self.object.closed(),
            ReadError::Overwritten | ReadError::Busy => {
                (ErrorKind::Busy, "the writer overwrote the value during each attempt to read it")
            }
            ReadError::Corrupt => {
                (ErrorKind::Corrupt, "its slots do not hold the value that is marked as the newest")
            }
        };
        Error::new(kind, why).doing("read").on(self.object.label())
    }

    #[cold]
    pub(super) fn invalid(&self) -> Error {
        let why = "the bytes are not a value of the type: another process wrote something else";
        Error::new(ErrorKind::Corrupt, why).doing("read").on(self.object.label())
    }

    #[cold]
    pub(super) fn timed_out(&self) -> Error {
        let error = Error::new(ErrorKind::TimedOut, "no value was set before the timeout expired");
        error.doing("wait for").on_shared(self.object.label())
    }

    #[cold]
    pub(super) fn publish_error(&self, error: PublishError) -> Error {
        let corrupt = |why| Error::new(ErrorKind::Corrupt, why);
        let error = match error {
            PublishError::Closed => return self.object.closed(),
            PublishError::Corrupt => {
                corrupt("its sequence number is larger than the largest valid one")
            }
            PublishError::RoleLost if !self.owner().look().is_sound() => {
                corrupt("its owner word has a value that no participant writes")
            }
            PublishError::RoleLost => match self.owner().look().holder() {
                Some(holder) if !self.has_shared_writers() => {
                    let why = "took over the role of the writer";
                    Error::new(ErrorKind::RoleLost, why).by_peer(self.object.peer(holder))
                }
                _ => {
                    let why = "this writer lost its slot: the process closed its descriptors";
                    Error::new(ErrorKind::RoleLost, why)
                }
            },
        };
        error.doing("set").on(self.object.label())
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.object.label()).finish()
    }
}
