//! The limits of types and of their schema texts.

/// The longest schema text, in bytes.
pub const MAX_TEXT: usize = 65_536;
/// The longest schema text of an object, in bytes.
pub const MAX_OBJECT_TEXT: usize = 131_072;

/// How deep types nest: a scalar is 1, a struct of scalars 2.
pub const MAX_DEPTH: usize = 32;

/// The longest name of a type, field or variant, in bytes.
pub const MAX_NAME: usize = 255;

/// The largest size of a type, in bytes.
pub const MAX_SIZE: u64 = i64::MAX as u64;

/// The largest alignment of a type, in bytes.
pub const MAX_ALIGN: u64 = 1 << 29;
