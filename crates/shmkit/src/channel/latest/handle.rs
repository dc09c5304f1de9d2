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
    BEGUN, FLAG_PROVED, FLAG_SHARED_WRITERS, FLAG_TIMES, Geometry, HasGeometry, KEPT_AT, LATEST,
    OWNER, SLOTS,
};
use super::proof::Proof;
use super::records::Records;
use super::register::{Begun, LAST, PublishError, ReadError, Register, SHIFT};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::{AtomicPtr, AtomicU64, Ordering};
use crate::object::{OpenObject, RemovalWatch};
use crate::participant::Liveness;
use crate::participant::owner::{self, OwnerWord};
use crate::shareable::room_for;
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
    /// Whether a writer records something of each value: a check, or the time.
    has_records: bool,
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
        let flags = object.layout().flags;
        let words = geometry.payload_words(flags);
        // INVARIANT: the payload has the words of the controls, of this geometry's slots, and of
        // the records that the flags name.
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
            has_records: flags & (FLAG_PROVED | FLAG_TIMES) != 0,
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

    /// Whether a writer records something of each value: a check, or the time.
    #[inline(always)]
    pub(super) fn has_records(&self) -> bool {
        self.has_records
    }

    /// Whether the object was created with this flag.
    pub(super) fn has(&self, flag: u32) -> bool {
        self.object.layout().flags & flag != 0
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
        // ORDERING: Relaxed; pairs with the load in `begin`, by the current writer too.
        self.must_settle.store(0, Ordering::Relaxed);
    }

    /// Publishes a value with its records, and keeps it if that is due. Only the current writer may
    /// call it.
    #[inline(never)]
    pub(super) fn publish_recorded(&self, value: &[u8]) -> Result<u64, PublishError> {
        let begun = self.begin()?;
        self.register_to_write(self.geometry).write(&begun, value);
        self.publish_begun(begun, value)
    }

    /// Begins the next value: from here on its slot belongs to the writer. Only the current writer
    /// may call it.
    pub(super) fn begin(&self) -> Result<Begun, PublishError> {
        // ORDERING: Relaxed; pairs with the store in `settle`. To settle twice changes nothing.
        if self.must_settle.load(Ordering::Relaxed) != 0 {
            self.settle();
        }
        self.register_to_write(self.geometry).begin()
    }

    /// Publishes the value that was begun, whose slot contains `value`. Only the current writer may
    /// call it.
    pub(super) fn publish_begun(&self, begun: Begun, value: &[u8]) -> Result<u64, PublishError> {
        let register = self.register_to_write(self.geometry).with_records(self.records());
        let sequence = register.publish_begun(begun, value)?;
        if let Some(proof) = self.proof() {
            proof.keep(sequence, value, process::unix_time_ns());
        }
        Ok(sequence)
    }

    /// The register with its checks, if the object is on a disk.
    pub(super) fn proof(&self) -> Option<Proof<'_>> {
        if !self.has(FLAG_PROVED) {
            return None;
        }
        let words = self.geometry.all_slots(FLAG_PROVED) * self.geometry.stride_words;
        let slots = self.words(SLOTS, words);
        let register = self.register_to_write(self.geometry);
        Proof::new(register, slots, self.records(), self.word(KEPT_AT))
    }

    /// What a writer records of each value, as far as the object has it.
    pub(super) fn records(&self) -> Records<'_> {
        let flags = self.object.layout().flags;
        let words = |offset| self.words(offset, self.geometry.all_slots(flags));
        let checks = self.has(FLAG_PROVED).then(|| words(self.geometry.checks_offset()));
        let times = self.has(FLAG_TIMES).then(|| words(self.geometry.times_offset(flags)));
        Records::new(checks, times)
    }

    /// When the newest value was set, or on a disk the newest whole one, if times are recorded.
    pub(super) fn newest_time(&self) -> Result<Option<u64>, ReadError> {
        match self.proof().filter(|_| self.must_prove()) {
            Some(proof) => proof.newest_time(),
            None => self.register().with_records(self.records()).newest_time(),
        }
    }

    /// `count` words of the payload, within those that its flags say that it has.
    fn words(&self, offset: usize, count: usize) -> &[AtomicU64] {
        let all = self.geometry.payload_words(self.object.layout().flags);
        debug_assert!(offset / size_of::<u64>() + count <= all);
        // SAFETY: within the payload, up to its last record.
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

    /// Copies the bytes of the newest value from byte `offset` on, as many as `into` has. While
    /// that may have to prove itself, which a value does as a whole, it copies all of it first.
    pub(super) fn read_part(&self, offset: usize, into: &mut [u8]) -> Result<()> {
        if !self.must_prove() {
            let read = self.register().read_part(offset, into);
            return read.map(|_| ()).map_err(|error| self.read_error(error));
        }
        let mut whole = self.room_for_value()?;
        self.read_newest(&mut whole).map_err(|error| self.read_error(error))?;
        let part = &whole[offset..][..into.len()];
        // SAFETY: `read_newest` has written all bytes.
        into.copy_from_slice(unsafe { part.assume_init_ref() });
        Ok(())
    }

    /// Allocates room for a value, whose size another process may have chosen.
    pub(super) fn room_for_value(&self) -> Result<Vec<MaybeUninit<u8>>> {
        let room = room_for(self.geometry.value_bytes as u64, MaybeUninit::uninit());
        room.map_err(|error| error.doing("read").on(self.object.label()))
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
        self.has(FLAG_SHARED_WRITERS)
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
    #[inline(always)]
    pub(super) fn check_use(&self) -> Result<()> {
        // Not due also says that this is not a forked child.
        if self.removal_watch.is_due() { self.ask() } else { Ok(()) }
    }

    /// The same for a use that found that it is time to ask.
    #[cold]
    pub(super) fn ask(&self) -> Result<()> {
        self.object.check_not_forked()?;
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
            PublishError::RoleLost if !self.owner().look().is_sound() => corrupt(owner::GARBAGE),
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
