//! What can be shared: plain data whose every byte means the same in every process.
//!
//! ```text
//!   #[derive(Shareable)]              Layout (a constant)            Schema (a tree at run time)
//!   #[repr(C)]               ----->   names, offsets, types  ----->  text <-> tree
//!   struct Pose { .. }                fingerprint (a u64)            what differs; read; set
//! ```
//!
//! [`Shareable`] is all that the rest of the library asks of a type. It gives three things: the
//! type's [`Layout`], so that two programs know that they mean the same bytes; a check that bytes
//! *are* a value, made before anything from shared memory is handed out; and an encoding that has
//! zeros for padding, so that no stray byte of one process reaches another.
//!
//! Why a value read through this is sound: the bytes are copied out of shared memory first, where
//! nobody else can change them; then [`Shareable::valid`] looks at every byte that could be wrong;
//! only then are they taken for a value. A type gets through the derive only if all its fields are
//! `Shareable`, so there is no pointer in it, nothing to drop and nothing that changes behind `&`.

mod layout;
mod list;
mod maybe;
mod primitives;
pub mod schema;
mod text;

#[doc(hidden)]
pub mod derive;

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
/// primitive `repr`, needs nothing else: no `Copy`, no `Clone`. Fields may be private, and padding
/// between them is fine.
///
/// Shareable are integers up to 128 bits, `f32`, `f64`, `bool`, `char`, arrays, [`FixedString`],
/// [`FixedVec`], [`Maybe`], and structs and enums of your own, generic ones too. The compiler
/// refuses what holds an address, has a destructor, changes behind `&`, has another size on another
/// machine, or has no bytes at all.
///
/// # Safety
///
/// Write no implementation by hand. One is sound if
/// - `LAYOUT` says where each byte of the type is, and no byte is an address or changes behind `&`;
/// - the type needs no drop;
/// - unless `PADDED`, every byte of every value is initialised;
/// - if `ALWAYS_VALID`, any `size_of::<Self>()` initialised bytes are a value;
/// - `valid` is true only for bytes that are a value;
/// - `encode` writes the value's bytes into a zeroed buffer, and nothing where padding is.
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
    label = "not `Shareable`: its bytes would mean nothing, or something else, to another process",
    note = "a struct or enum of your own: give it `#[derive(Shareable)]` and a `repr`",
    note = "`usize`, `isize`: use `u64`, `i64`, which have one size everywhere",
    note = "`String`: use `FixedString<N>`; `Vec<T>`: `FixedVec<T, N>`; `Option<T>`: `Maybe<T>`",
    note = "`&T`, `*const T`, `Box<T>`, `Rc<T>`: an address holds in one process only; share the \
            value itself, or an index",
    note = "`Cell`, atomics, locks: share the plain value; a channel makes the change seen",
    note = "tuples: use a `#[repr(C)]` struct, whose layout is fixed"
)]
#[allow(unsafe_code, reason = "declares what unsafe code elsewhere relies on")]
pub unsafe trait Shareable: Sized + Send + Sync + 'static {
    /// Where each byte of the type is, and what it means.
    const LAYOUT: &'static Layout;

    /// Whether a value has bytes that carry nothing, its fields' fields included.
    const PADDED: bool;

    /// Whether any bytes of the right length are a value.
    const ALWAYS_VALID: bool;

    /// Whether `bytes` are a value of this type. False where the length is not the type's size.
    fn valid(bytes: &[u8]) -> bool;

    /// Writes the value field by field into `out`: `size_of::<Self>()` bytes, all zero.
    ///
    /// Padding stays zero. Where the type is not `PADDED`, [`bytes_of`] does without the copy.
    ///
    /// # Panics
    ///
    /// If `out` is shorter, and maybe if it is longer.
    fn encode(&self, out: &mut [u8]);
}

/// The bytes of a value as they are, where none of them is padding; otherwise nothing.
///
/// Which of the two is known at compile time.
#[inline(always)]
#[allow(unsafe_code, reason = "looks at a value as bytes")]
pub fn bytes_of<T: Shareable>(value: &T) -> Option<&[u8]> {
    if T::PADDED {
        return None;
    }
    // SAFETY: the pointer is that of a reference to `size_of::<T>()` bytes; they are initialised,
    // as a `Shareable` that is not padded promises; they do not change while the reference lives,
    // as no `Shareable` has interior mutability.
    Some(unsafe { std::slice::from_raw_parts((&raw const *value).cast::<u8>(), size_of::<T>()) })
}

/// The value that `bytes` are, or nothing where they are none.
#[inline]
#[allow(unsafe_code, reason = "takes checked bytes for a value")]
pub fn from_bytes<T: Shareable>(bytes: &[u8]) -> Option<T> {
    if bytes.len() != size_of::<T>() || !(T::ALWAYS_VALID || T::valid(bytes)) {
        return None;
    }
    // SAFETY: `bytes` are `size_of::<T>()` initialised bytes, read at any alignment, and a value of
    // `T`, as `ALWAYS_VALID` or `valid` says. `T` needs no drop, so a second copy harms nothing.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// `encode` of a type that is not padded.
#[inline(always)]
fn encode_whole<T: Shareable>(value: &T, out: &mut [u8]) {
    if let Some(bytes) = bytes_of(value) {
        out.copy_from_slice(bytes);
    }
}

/// Whether nothing is in `bytes`: what has no meaning must be zero, so that equal values have equal
/// bytes and nothing hides there. In steps without a branch, for the compiler to make wide.
#[inline]
fn all_zero(bytes: &[u8]) -> bool {
    bytes.chunks(64).all(|chunk| chunk.iter().fold(0, |seen, byte| seen | byte) == 0)
}
