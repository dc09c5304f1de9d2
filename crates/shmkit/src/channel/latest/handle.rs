//! An open `Latest` of a type that is known at compile time or at run time: the object and its
//! words.
#![allow(
    unsafe_code,
    reason = "words of a mapping, kept as pointers so that a read costs no check"
)]

use std::fmt;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::Arc;

use super::geometry::{
    BEGUN, FLAG_PROVED, FLAG_SHARED_WRITERS, Geometry, HasGeometry, KEPT_AT, LATEST, OWNER, SLOTS,
};
use super::proof::Proof;
use super::register::{LAST, PublishError, ReadError, Register, SHIFT};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::{AtomicPtr, AtomicU64, Ordering};
use crate::object::{OpenObject, RemovalWatch};
use crate::participant::Liveness;
use crate::participant::owner::OwnerWord;
use crate::sys::process;
use crate::wait::{Stop, WaitLoop, WaitWord};

/// A `latest` that names a value with a sequence beyond the largest one.
const NO_VALUE: u64 = (u64::MAX >> SHIFT) << SHIFT;

/// An open `Latest`.
pub(super) struct Handle {
    pub(super) object: Arc<OpenObject>,
    pub(super) removal_watch: RemovalWatch,
    pub(super) geometry: Geometry,
    /// By which shared writers wait for each other.
    pub(super) wait_loop: WaitLoop,
    /// The last value of which there was a trace when the object was opened on a disk: values up
    /// to this one must prove themselves. 0 in memory.
    pub(super) unproved_until: u64,
    /// The word from which the first attempt of `get` reads the sequence: `latest`. While the
    /// newest value may have to prove itself it is `no_value`, for which this attempt fails.
    ///
    /// INVARIANT: points to a word that lives as long as the handle.
    newest: AtomicPtr<AtomicU64>,
    /// Names a value that no slot has.
    no_value: Option<Arc<AtomicU64>>,
    /// 1 while a writer must first continue behind the last value of which there is a trace.
    must_settle: AtomicU64,
    is_proved: bool,
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
        let is_proved = object.layout().flags & FLAG_PROVED != 0;
        let words = match is_proved {
            true => geometry.checks_offset() / size_of::<u64>() + geometry.checks(),
            false => SLOTS / size_of::<u64>() + geometry.words(),
        };
        // INVARIANT: the payload has the words of the controls, of this geometry's slots, and on a
        // disk of the checks.
        let payload: NonNull<AtomicU64> = NonNull::from(object.payload().words(0, words)?).cast();
        let mut handle = Self {
            wait_loop: object.lock_loop(),
            removal_watch: object.removal_watch(),
            object,
            geometry,
            unproved_until: 0,
            newest: AtomicPtr::new(payload.as_ptr()),
            no_value: None,
            must_settle: AtomicU64::new(0),
            is_proved,
            payload,
        };
        handle.unproved_until = handle.proof().map_or(0, Proof::last).min(LAST);
        if handle.unproved_until > 0 {
            let no_value = handle.no_value.insert(Arc::new(AtomicU64::new(NO_VALUE)));
            handle.newest = AtomicPtr::new(Arc::as_ptr(no_value).cast_mut());
            handle.must_settle = AtomicU64::new(1);
        }
        Ok(handle)
    }

    /// Whether its values prove themselves: the object is on a disk.
    #[inline(always)]
    pub(super) fn is_proved(&self) -> bool {
        self.is_proved
    }

    /// Whether the newest value may be one that must prove itself.
    fn must_prove(&self) -> bool {
        // ORDERING: Relaxed; a late look only costs another proof.
        self.newest.load(Ordering::Relaxed) != self.payload.as_ptr()
    }

    /// The register for a first attempt to read the newest value.
    #[inline(always)]
    pub(super) fn register_to_get<S: HasGeometry>(&self, shape: S) -> Register<'_, S> {
        // ORDERING: Relaxed; both words were there before the pointer to them.
        let newest = self.newest.load(Ordering::Relaxed);
        // SAFETY: by the invariant, it points to a word that lives while `self` is borrowed.
        let newest = unsafe { &*newest };
        self.register_by(newest, shape)
    }

    /// Continues behind the last value of which there is a trace, on a disk. Only the current
    /// writer may call it.
    #[cold]
    pub(super) fn settle(&self) {
        if let Some(proof) = self.proof() {
            proof.settle();
        }
        // ORDERING: Relaxed; as in `publish_proved`.
        self.must_settle.store(0, Ordering::Relaxed);
    }

    /// Publishes a value with its check, and keeps it if that is due. Only the current writer may
    /// call it, on a disk.
    #[inline(never)]
    pub(super) fn publish_proved(&self, value: &[u8]) -> Result<u64, PublishError> {
        // ORDERING: Relaxed; to settle twice changes nothing.
        if self.must_settle.load(Ordering::Relaxed) != 0 {
            self.settle();
        }
        let register = self.register_to_write(self.geometry).with_checks(self.checks());
        let sequence = register.publish(value)?;
        if let Some(proof) = self.proof() {
            proof.keep(sequence, value, process::unix_time_ns());
        }
        Ok(sequence)
    }

    /// The register with its checks, if the object is on a disk.
    pub(super) fn proof(&self) -> Option<Proof<'_>> {
        if !self.is_proved {
            return None;
        }
        let slots = self.words(SLOTS, self.geometry.proved_words());
        Proof::new(self.register(), slots, self.checks()?, self.word(KEPT_AT))
    }

    /// The checks of the slots, if the object is on a disk.
    fn checks(&self) -> Option<&[AtomicU64]> {
        let checks = || self.words(self.geometry.checks_offset(), self.geometry.checks());
        self.is_proved.then(checks)
    }

    /// `count` words of the payload of an object on a disk.
    fn words(&self, offset: usize, count: usize) -> &[AtomicU64] {
        debug_assert!(self.is_proved);
        // SAFETY: within the payload, up to its checks.
        let words = unsafe { self.payload.byte_add(offset) };
        // SAFETY: they lie in the mapping that `object` keeps alive while `self` is borrowed.
        unsafe { NonNull::slice_from_raw_parts(words, count).as_ref() }
    }

    /// Copies the newest value, or on a disk the newest whole one.
    pub(super) fn read_newest(&self, into: &mut [MaybeUninit<u8>]) -> Result<(), ReadError> {
        let Some(proof) = self.proof().filter(|_| self.must_prove()) else {
            return self.register().read_newest(into).map(|_| ());
        };
        if proof.read_newest(self.unproved_until, into)? {
            // INVARIANT: the first word of the payload.
            // ORDERING: Relaxed; as in `must_prove`.
            self.newest.store(self.payload.as_ptr(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// The sequence number of the newest value, be it whole or not: the next one follows it.
    pub(super) fn sequence(&self) -> u64 {
        let newest = self.register().newest().sequence;
        // A forked child finds zeros.
        match newest < self.unproved_until && self.object.check_not_forked().is_ok() {
            true => self.unproved_until,
            false => newest,
        }
    }

    /// The sequence number of the newest whole value.
    pub(super) fn newest_whole(&self) -> u64 {
        match self.proof().filter(|_| self.must_prove()) {
            Some(proof) => proof.newest_whole(),
            None => self.sequence(),
        }
    }

    pub(super) fn has_shared_writers(&self) -> bool {
        self.object.layout().flags & FLAG_SHARED_WRITERS != 0
    }

    /// The register, with the shape of this handle. If the shape is a constant, every index is a
    /// constant too.
    #[inline(always)]
    pub(super) fn register_of<S: HasGeometry>(&self, shape: S) -> Register<'_, S> {
        self.register_by(self.word(LATEST), shape)
    }

    #[inline(always)]
    fn register_by<'a, S: HasGeometry>(
        &'a self,
        latest: &'a AtomicU64,
        shape: S,
    ) -> Register<'a, S> {
        debug_assert_eq!(shape.geometry(), self.geometry);
        // SAFETY: the slots are within the payload.
        let slots = unsafe { self.payload.byte_add(SLOTS) };
        let slots = NonNull::slice_from_raw_parts(slots, shape.geometry().words());
        // SAFETY: the shape is for values of the same size, so there are as many words as this
        // handle's geometry has, in the mapping that `object` keeps alive while `self` is borrowed.
        let slots = unsafe { slots.as_ref() };
        Register::new(WaitWord::new(latest), self.word(BEGUN), slots, shape)
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

    /// Refuses a forked child and, if it is time to ask, an object that was removed by other means
    /// than this library.
    #[cold]
    pub(super) fn check_use(&self) -> Result<()> {
        self.object.check_not_forked()?;
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
            ReadError::Torn => (
                ErrorKind::Corrupt,
                "none of its values is whole: the file was copied while values were set, or the \
                 power failed; set a value",
            ),
        };
        Error::new(kind, why).doing("read").on(self.object.label())
    }

    #[cold]
    pub(super) fn invalid(&self) -> Error {
        let why = "the bytes are not a value of the type: another process wrote something else";
        Error::new(ErrorKind::Corrupt, why).doing("read").on(self.object.label())
    }

    #[cold]
    pub(super) fn not_in_time(&self, stopped: Option<Stop>) -> Error {
        let why = "no value was set before the timeout expired";
        let error = stopped.map_or_else(|| Error::new(ErrorKind::TimedOut, why), Stop::error);
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
