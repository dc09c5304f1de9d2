//! What every handle on a `Latest` shares, whatever it knows of the type: the object, its words.
//!
//! ```text
//! payload   0      8        128      256
//!           latest begun .. owner .. slots
//! ```

#![allow(
    unsafe_code,
    reason = "words of a mapping, kept as pointers so that a read costs no check"
)]

use std::fmt;
use std::mem::offset_of;
use std::ptr::NonNull;

use super::register::{Geometry, Of, PublishError, Published, ReadError, Register, Shape};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::AtomicU64;
use crate::object::{
    Kind, Name, NewObject, ObjectLayout, OpenMode, OpenObject, Options, WAIT_WORD_STRIDE,
    check_kind, same_option,
};
use crate::shareable::{Layout, Schema, Shareable};
use crate::sync::owner::{Liveness, OwnerWord, ParticipantId};
use crate::sync::sleepers::Sleepers;
use crate::sync::spin::Spin;

/// `flags`: every participant writes in turn, and nobody alone.
pub(super) const FLAG_SHARED_WRITERS: u32 = 1 << 16;
/// How many writers there is room for, unless the program chooses.
const WRITERS: u32 = 16;
/// The words that can be waited on: `latest` and `owner`.
const WAIT_WORDS: u32 = 2;
pub(super) const LATEST: usize = offset_of!(Controls, latest);
pub(super) const BEGUN: usize = offset_of!(Controls, begun);
pub(super) const OWNER: usize = offset_of!(Controls, owner);
pub(super) const SLOTS: usize = size_of::<Controls>();

/// The first bytes of the payload. The slots follow.
#[repr(C)]
struct Controls {
    /// The newest value's sequence number, from bit 2 on; bit 1: someone sleeps; bit 0: closed.
    latest: u64,
    /// The stamp, when complete, of the value that was begun last.
    begun: u64,
    /// Zeros.
    reserved: [u64; 14],
    /// Who may write.
    owner: u64,
    /// Zeros.
    reserved_line: [u64; 15],
}

const _: () = {
    assert!(size_of::<Controls>() == 256);
    assert!(offset_of!(Controls, owner) as u64 == WAIT_WORD_STRIDE);
};

/// An open `Latest`.
pub(super) struct Handle {
    pub(super) object: OpenObject,
    geometry: Geometry,
    /// How long writers in turn look for the turn.
    pub(super) spin: Spin,
    /// INVARIANT: the first word of the payload: `Controls`, and the slots of this geometry, in the
    /// mapping that `object` keeps.
    payload: NonNull<AtomicU64>,
}

// SAFETY: the pointer leads to atomics in a mapping that the handle keeps; the rest is `Send`.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

/// What a handle is asked to be.
pub(super) struct Asked<'a> {
    pub(super) options: &'a Options,
    pub(super) shared_writers: Option<bool>,
}

/// What an object for values of this type has in it.
pub(super) fn contents(
    schema: String,
    fingerprint: u64,
    size: usize,
    shared: bool,
) -> Result<NewObject> {
    let too_large =
        || Error::new(ErrorKind::InvalidArgument, format!("a value of {size} bytes is too large"));
    let geometry = Geometry::of(size).ok_or_else(too_large)?;
    Ok(NewObject {
        kind: Kind::Latest,
        flags: if shared { FLAG_SHARED_WRITERS } else { 0 },
        fingerprint,
        schema,
        payload_size: payload_size(geometry),
        participants: WRITERS,
        payload: Vec::new(),
        wait_words: WAIT_WORDS,
        parameters: parameters(geometry),
    })
}

fn payload_size(geometry: Geometry) -> u64 {
    (SLOTS + geometry.words() * size_of::<u64>()) as u64
}

fn parameters(geometry: Geometry) -> [u64; 4] {
    let stride = geometry.words() / geometry.slots() * size_of::<u64>();
    [geometry.value_bytes() as u64, geometry.slots() as u64, stride as u64, 0]
}

/// The one geometry that an object's values can have, compared with what its header says.
pub(super) fn geometry_in(object_layout: &ObjectLayout) -> Result<Geometry> {
    let geometry = usize::try_from(object_layout.parameters[0]).ok().and_then(Geometry::of);
    let fits = geometry.filter(|&it| {
        (parameters(it), payload_size(it), WAIT_WORDS)
            == (object_layout.parameters, object_layout.payload_size, object_layout.wait_words)
    });
    fits.ok_or_else(|| {
        let [size, slots, stride, _] = object_layout.parameters;
        let why =
            format!("{slots} slots of {stride} bytes for values of {size} do not fit the format");
        Error::new(ErrorKind::Corrupt, why)
    })
}

impl Handle {
    pub(super) fn create(name: &Name, asked: &Asked<'_>, contents: &NewObject) -> Result<Self> {
        Self::over(OpenObject::create(name, asked.options, contents)?)
    }

    pub(super) fn open(name: &Name, asked: &Asked<'_>, want: OpenMode) -> Result<Self> {
        let object = OpenObject::open(name, asked.options, want)?;
        Self::checked(object, asked)
    }

    pub(super) fn open_or_create(
        name: &Name,
        asked: &Asked<'_>,
        contents: &NewObject,
    ) -> Result<Self> {
        let (object, made) = OpenObject::open_or_create(name, asked.options, contents)?;
        if made { Self::over(object) } else { Self::checked(object, asked) }
    }

    fn checked(object: OpenObject, asked: &Asked<'_>) -> Result<Self> {
        check_kind(object.layout().kind, Kind::Latest)?;
        let handle = Self::over(object)?;
        let shared = handle.has_shared_writers();
        same_option("shared writers", asked.shared_writers, shared, |it| {
            if it { "on".into() } else { "off".into() }
        })?;
        Ok(handle)
    }

    fn over(object: OpenObject) -> Result<Self> {
        let geometry = geometry_in(object.layout())?;
        // INVARIANT: as many words as the controls and the slots of this geometry have.
        let words = object.payload().words(0, SLOTS / size_of::<u64>() + geometry.words())?;
        let payload = NonNull::from(words).cast();
        Ok(Self { object, geometry, spin: Spin::default(), payload })
    }

    /// The shape of this object's values, if they are of the type: for this handle alone.
    pub(super) fn shape_of<T: Shareable>(&self) -> Result<Of<T>> {
        self.check_type(T::LAYOUT)?;
        // SAFETY: the values have the layout of the type, thus its size.
        Ok(unsafe { Of::compared() })
    }

    /// Refuses an object that holds other values than those of the layout.
    fn check_type(&self, layout: &Layout) -> Result<()> {
        let object_layout = self.object.layout();
        if object_layout.fingerprint == layout.fingerprint() {
            let size = layout.size();
            if self.value_bytes() != size {
                let found = self.value_bytes();
                let why = format!("values of {found} bytes, whose type has {size}");
                return Err(Error::new(ErrorKind::Corrupt, why));
            }
            return Ok(());
        }
        let (ours, theirs) = (Schema::from(layout), self.schema()?);
        let why = ours.first_difference(&theirs);
        let why = why.unwrap_or_else(|| "the types' fingerprints differ".into());
        Err(Error::new(ErrorKind::WrongType, why))
    }

    /// The description that the object carries.
    pub(super) fn schema(&self) -> Result<Schema> {
        let object_layout = self.object.layout();
        let schema = Schema::parse(&object_layout.schema)?;
        if schema.size() != self.geometry.value_bytes() as u64
            || schema.fingerprint() != object_layout.fingerprint
        {
            let why = format!("its description is not of values of {} bytes", self.value_bytes());
            return Err(Error::new(ErrorKind::Corrupt, why));
        }
        Ok(schema)
    }

    pub(super) fn geometry(&self) -> Geometry {
        self.geometry
    }

    pub(super) fn value_bytes(&self) -> usize {
        self.geometry.value_bytes()
    }

    pub(super) fn slots(&self) -> u64 {
        self.geometry.slots() as u64
    }

    pub(super) fn has_shared_writers(&self) -> bool {
        self.object.layout().flags & FLAG_SHARED_WRITERS != 0
    }

    /// The register, of the shape that this handle gave; where that is a constant, so is every
    /// index.
    #[inline(always)]
    pub(super) fn register_of<S: Shape>(&self, shape: S) -> Register<'_, S> {
        debug_assert_eq!(shape.geometry(), self.geometry);
        // SAFETY: the slots are within the payload.
        let slots = unsafe { self.payload.byte_add(SLOTS) };
        let slots = NonNull::slice_from_raw_parts(slots, shape.geometry().words());
        // SAFETY: they have the words of this geometry, being of the same value, in the mapping
        // that `object` keeps for as long as `self` is borrowed.
        let slots = unsafe { slots.as_ref() };
        Register::new(self.word(LATEST), self.word(BEGUN), slots, shape)
            .expect("the words were counted by the geometry")
    }

    /// The word at `offset` of the controls.
    #[inline(always)]
    fn word(&self, offset: usize) -> &AtomicU64 {
        debug_assert!(offset < SLOTS);
        // SAFETY: within the payload.
        let word = unsafe { self.payload.byte_add(offset) };
        // SAFETY: it lies in the mapping that `object` keeps for as long as `self` is borrowed.
        unsafe { word.as_ref() }
    }

    pub(super) fn register(&self) -> Register<'_> {
        self.register_of(self.geometry)
    }

    #[inline(always)]
    pub(super) fn owner(&self) -> OwnerWord<'_> {
        OwnerWord::role(self.word(OWNER))
    }

    #[inline(always)]
    pub(super) fn sleepers(&self) -> Sleepers<'_> {
        Sleepers::new(self.word(LATEST))
    }

    /// Wakes those who wait for what was published.
    #[inline]
    pub(super) fn wake(&self, published: Published) {
        if published.asleep || self.object.layout().admits_read_only_peers() {
            self.sleepers().wake(published.replaced());
        }
    }

    /// How messages call a holder: by what it said of itself, and its slot.
    pub(super) fn shown(&self, holder: ParticipantId) -> String {
        self.object.shown(holder)
    }

    #[cold]
    pub(super) fn missed(&self, miss: ReadError) -> Error {
        let name = self.object.name();
        let error = match miss {
            ReadError::Empty => Error::new(ErrorKind::Empty, "no value has been set yet"),
            ReadError::Closed => return self.object.closed(),
            ReadError::Overwritten | ReadError::Busy => {
                let why = "the writer was faster than this reader in every try";
                Error::new(ErrorKind::Busy, why)
            }
            ReadError::Corrupt => {
                let why = "it names a newest value that its slots do not hold";
                Error::new(ErrorKind::Corrupt, why)
            }
        };
        error.doing("read").on(name)
    }

    #[cold]
    pub(super) fn invalid(&self) -> Error {
        let why = "the bytes are no value of the type: another process wrote something else";
        Error::new(ErrorKind::Corrupt, why).doing("read").on(self.object.name())
    }

    #[cold]
    pub(super) fn timed_out(&self) -> Error {
        let error = Error::new(ErrorKind::TimedOut, "nothing was set in the time given");
        error.doing("wait for").on(self.object.name())
    }

    #[cold]
    pub(super) fn refused(&self, refusal: PublishError) -> Error {
        let error = match refusal {
            PublishError::Closed => return self.object.closed(),
            PublishError::RoleLost if !self.owner().look().is_sound() => {
                Error::new(ErrorKind::Corrupt, "its owner word is garbage")
            }
            PublishError::RoleLost => {
                let why = match self.owner().look().holder() {
                    Some(holder) => format!("{} took the role over", self.shown(holder)),
                    None => "this writer's place was given away".into(),
                };
                Error::new(ErrorKind::RoleLost, why)
            }
            PublishError::Corrupt => {
                Error::new(ErrorKind::Corrupt, "its sequence number is beyond all that can be")
            }
        };
        error.doing("set").on(self.object.name())
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.object.name().as_str()).finish()
    }
}

impl Liveness for Handle {
    fn is_dead(&self, holder: ParticipantId) -> bool {
        self.object.is_dead(holder)
    }
}
