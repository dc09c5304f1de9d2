//! Types that can be shared: plain data whose bytes mean the same in every process.
//!
//! ```text
//!   #[derive(Shareable)]              Layout (a constant)            Schema (a tree at run time)
//!   #[repr(C)]               ----->   names, offsets, types  ----->  text <-> tree
//!   struct Pose { .. }                fingerprint (a u64)            what differs; read; set
//! ```
//!
//! [`Shareable`] is the only bound that the rest of the library needs. It provides three things:
//!
//! - the [`Layout`] of the type, so that two programs can compare their types;
//! - a check that bytes *are* a value, which runs before a value from shared memory is returned;
//! - an encoding with zeros for padding, so that no other bytes of the process are shared.
//!
//! Why a value read through this is sound: the bytes are first copied to private memory. Then
//! [`Shareable::valid`] checks every byte that can be invalid. Only then do they become a value.
//! The derive accepts a type only if all its fields are `Shareable`, so a value contains no
//! pointer, needs no drop and has no interior mutability.

mod large;
mod layout;
mod limits;
mod list;
mod maybe;
mod primitives;
pub mod schema;
mod text;

#[doc(hidden)]
pub mod derive;

pub use large::{MAX_BY_VALUE, zeroed_box};
pub(crate) use large::{check_by_value, room_for};
pub(crate) use layout::{FNV_OFFSET_BASIS, fnv1a_from};
pub use layout::{Layout, Scalar};
pub use list::FixedVec;
pub use maybe::Maybe;
pub use schema::{Schema, Value};
pub use text::FixedString;

#[cfg(target_endian = "big")]
compile_error!("shmkit shares little-endian bytes, and runs on little-endian machines only");

/// A type whose values can be shared between processes.
///
/// Derive it. A `#[repr(C)]` struct of shareable fields, or an enum without fields and with a
/// primitive `repr`, needs nothing else: no `Copy`, no `Clone`. Fields may be private, and there
/// may be padding between them.
///
/// These types are shareable: integers up to 128 bits, `f32`, `f64`, `bool`, `char`, arrays,
/// [`FixedString`], [`FixedVec`], [`Maybe`], and structs and enums of your own, also generic ones.
/// The compiler refuses a type that contains an address, has a destructor, has interior mutability,
/// has another size on another machine, or has no bytes.
///
/// # Safety
///
/// Derive the trait instead of implementing it. An implementation is sound if
/// - `LAYOUT` describes every byte of the type, no byte is part of an address, and no byte can
///   change through a shared reference;
/// - the type needs no drop;
/// - unless `PADDED`, every byte of every value is initialised;
/// - if `ALWAYS_VALID`, any `size_of::<Self>()` initialised bytes are a value;
/// - if `ZEROS_VALID`, `size_of::<Self>()` zeros are a value;
/// - `valid` returns true only for bytes that are a value;
/// - `encode` writes the bytes of the value to a zeroed buffer, and nothing to the padding.
///
/// # Examples
///
/// ```
/// use shmkit::Shareable;
///
/// #[derive(Shareable)]
/// #[repr(C)]
/// struct Pose {
///     stamp_ns: u64,
///     x: f64,
///     y: f64,
///     mode: Mode,
/// }
///
/// #[derive(Shareable)]
/// #[repr(u8)]
/// enum Mode { Parked, Driving }
///
/// assert!(!Mode::valid(&[7]));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shared between processes",
    label = "not `Shareable`: another process cannot use its bytes",
    note = "a struct or enum of your own: give it `#[derive(Shareable)]` and a `repr`",
    note = "`usize`, `isize`: use `u64`, `i64`, which have one size everywhere",
    note = "`String`: use `FixedString<N>`; `Vec<T>`: `FixedVec<T, N>`; `Option<T>`: `Maybe<T>`",
    note = "`&T`, `*const T`, `Box<T>`, `Rc<T>`: an address is valid in one process only; share \
            the value itself, or an index",
    note = "`Cell`, atomics, locks: share the plain value in a `Latest` or a lock of `shmkit`",
    note = "tuples: use a `#[repr(C)]` struct, whose layout is fixed"
)]
#[allow(unsafe_code, reason = "declares a trait that unsafe code relies on")]
pub unsafe trait Shareable: Sized + Send + Sync + 'static {
    /// The layout of the type.
    const LAYOUT: &'static Layout;

    /// Whether the type or one of its parts has padding.
    const PADDED: bool;

    /// Whether all possible bytes of the right length are a value.
    const ALWAYS_VALID: bool;

    /// Whether zeros are a value. They are, unless an enum of the type has no variant 0.
    const ZEROS_VALID: bool = Self::ALWAYS_VALID;

    /// Returns whether `bytes` are a value of this type. False if the length is not the size of the
    /// type.
    fn valid(bytes: &[u8]) -> bool;

    /// Writes the value field by field into `out`: `size_of::<Self>()` bytes, all zero.
    ///
    /// Padding stays zero. For a type without padding [`bytes_of`] saves the copy.
    ///
    /// # Panics
    ///
    /// If `out` is shorter. May panic if it is longer.
    fn encode(&self, out: &mut [u8]);
}

/// Returns the bytes of a value if none of them is padding, otherwise `None`.
///
/// Which of the two is known at compile time.
#[inline(always)]
#[allow(unsafe_code, reason = "reads a value as bytes")]
pub fn bytes_of<T: Shareable>(value: &T) -> Option<&[u8]> {
    if T::PADDED {
        return None;
    }
    // SAFETY: the pointer comes from a reference to `size_of::<T>()` bytes. They are initialised,
    // as a `Shareable` without padding promises. They do not change while the reference lives,
    // because a `Shareable` has no interior mutability.
    Some(unsafe { std::slice::from_raw_parts((&raw const *value).cast::<u8>(), size_of::<T>()) })
}

/// Returns the value that `bytes` encode, or `None` if they are not a value.
#[inline]
#[allow(unsafe_code, reason = "makes a value of checked bytes")]
pub fn from_bytes<T: Shareable>(bytes: &[u8]) -> Option<T> {
    if bytes.len() != size_of::<T>() || !(T::ALWAYS_VALID || T::valid(bytes)) {
        return None;
    }
    // SAFETY: `bytes` has `size_of::<T>()` initialised bytes, which may be unaligned. They are a
    // value of `T`, by `ALWAYS_VALID` or `valid`. `T` needs no drop, so a second copy is harmless.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// Encodes a value of a type without padding.
#[inline(always)]
fn encode_whole<T: Shareable>(value: &T, out: &mut [u8]) {
    if let Some(bytes) = bytes_of(value) {
        out.copy_from_slice(bytes);
    }
}

/// Returns whether all `bytes` are zero.
///
/// Unused bytes must be zero, so that equal values have equal bytes and no data hides there. The
/// loop has no branches inside a chunk, so that the compiler can vectorise it.
#[inline]
fn all_zero(bytes: &[u8]) -> bool {
    bytes.chunks(64).all(|chunk| chunk.iter().fold(0, |seen, byte| seen | byte) == 0)
}
