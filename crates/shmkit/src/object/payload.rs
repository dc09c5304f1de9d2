//! What a kind of object is: one implementation of [`Payload`].
//!
//! ```text
//!  Payload::plan ──> Plan: size, schema, first bytes ──> a new object
//!                         fingerprint, size          ──> compared with an object that is opened
//!  Payload::build <── Builder: the same parts, in the same order, in an open object
//! ```
//!
//! `plan` and `build` name the same parts in the same order; so two programs that have the same
//! types and the same number of participants agree on where every byte is.

use super::builder::Builder;
use super::choices::KindFlags;
use super::kind::Kind;
use super::part::{Part, PartState};
use super::planner::Planner;
use crate::error::{Error, ErrorKind, Result};
use crate::participant::Role;

/// What can be in an object: a [`Latest`](crate::Latest), a primitive of [`sync`](crate::sync), or
/// several primitives as a tuple, an array or a boxed slice.
///
/// It is implemented by this library only.
#[allow(private_interfaces, reason = "it is implemented by this library only")]
pub trait Payload: Sized {
    /// What a new object begins with.
    type Initial;

    /// What kind of object holds this payload.
    #[doc(hidden)]
    const KIND: Kind;

    /// The role in which each open object takes part. None if opening it takes no slot.
    #[doc(hidden)]
    const ROLE: Option<Role> = Some(Role::User);

    /// The largest number of participants, unless the options say another.
    #[doc(hidden)]
    const PARTICIPANTS: u32 = 64;

    /// The most elements of an item whose length varies, unless the options say another; 0 if its
    /// type decides.
    #[doc(hidden)]
    const ITEM_LENGTH: u64 = 0;

    /// The most elements of an item, if the options say this.
    #[doc(hidden)]
    fn item_length(chosen: Option<u64>) -> u64 {
        chosen.unwrap_or(Self::ITEM_LENGTH)
    }

    /// The number of items, unless the options or what it begins with say another.
    #[doc(hidden)]
    const ITEMS: u32 = 0;

    /// The number of items of this length, unless the options or what it begins with say another.
    #[doc(hidden)]
    fn default_items(_item_length: u64) -> u32 {
        Self::ITEMS
    }

    /// Whether it has a run-time number of items, above 0.
    #[doc(hidden)]
    const HAS_ITEMS: bool = false;

    /// Whether zeros are a value of `Initial` once `complete_zeros` has run: unsafe code relies on
    /// it.
    #[doc(hidden)]
    const ZEROS_ARE_INITIAL: bool = false;

    /// Makes zeros a value of `Initial`, if `ZEROS_ARE_INITIAL`.
    ///
    /// # Safety
    ///
    /// `zeros` is valid for writes of an `Initial`, and all its bytes are zero.
    #[doc(hidden)]
    #[allow(unsafe_code, reason = "the contract of the function")]
    unsafe fn complete_zeros(_zeros: *mut Self::Initial) {}

    /// The kind's own flags of an object that is on a disk.
    #[doc(hidden)]
    const DISK_FLAGS: u32 = 0;

    /// Names the parts and their first bytes. Without `initial`, those of any object of the type.
    #[doc(hidden)]
    fn plan(planner: &mut Planner<'_>, initial: Option<&Self::Initial>);

    /// Builds the payload over its parts in an open object.
    #[doc(hidden)]
    fn build(builder: &mut Builder) -> Result<Self>;

    /// Returns what a process that does not know the types can say of a part of this kind. The
    /// parts of a group describe themselves.
    #[doc(hidden)]
    fn describe(part: &Part<'_>) -> Result<PartState> {
        let why = format!("a {} cannot be a part of an object", part.kind.as_str());
        Err(Error::new(ErrorKind::Corrupt, why))
    }

    /// Frees what dead participants hold of a part of this kind, as the next process that needs it
    /// would. For a process that does not know the types, and takes no part. The members of a group
    /// are reaped one by one.
    ///
    /// CRASH: dying anywhere in it leaves the rest to that process, or to the next call.
    #[doc(hidden)]
    fn reap(_part: &Part<'_>) -> Result<()> {
        Ok(())
    }

    /// Returns the run-time number of items, if the type does not decide it.
    #[doc(hidden)]
    fn items(_initial: &Self::Initial) -> Result<u32> {
        Ok(0)
    }

    /// Refuses an initial state that no object can have.
    #[doc(hidden)]
    fn check_initial(_: &Self::Initial) -> Result<()> {
        Ok(())
    }

    /// Refuses an existing object that cannot have begun with this initial state.
    #[doc(hidden)]
    fn check_begun_with(&self, _: &Self::Initial) -> Result<()> {
        Ok(())
    }

    /// Refuses an object whose items have a length of their own, or the other way round, before its
    /// type is compared field by field.
    #[doc(hidden)]
    fn check_item_length(_found: u64) -> Result<()> {
        Ok(())
    }

    /// Refuses an object whose flags of this kind differ from those that were asked for.
    #[doc(hidden)]
    fn check_flags(_asked: KindFlags, _found: u32) -> Result<()> {
        Ok(())
    }
}

/// A payload that can be one of several in an object.
pub trait Primitive: Payload {}

/// What an [`Object`](crate::Object) can hold: a [`Primitive`], or a boxed slice of primitives.
///
/// It is implemented by this library only.
pub trait Contents: Payload {}

impl<P: Primitive> Contents for P {}
impl<P: Primitive> Contents for Box<[P]> {}
