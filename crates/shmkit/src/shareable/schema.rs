//! The description of a type that an object carries: a tree at run time, and its text.
//!
//! Any process can read, print and change an object through its schema, without the program that
//! made it. The text is stored in the object's header.
//!
//! # The text
//!
//! ```text
//! schema  = type
//! type    = scalar | array | text | list | maybe | struct | enum
//! scalar  = integer | "f32" | "f64" | "bool" | "char"
//! integer = "u8" | "u16" | "u32" | "u64" | "u128" | "i8" | "i16" | "i32" | "i64" | "i128"
//! array   = "[" type ";" count "]"
//! text    = "text<" count ">"                          capacity in bytes
//! list    = "list<" type "," count ">"                 capacity in items
//! maybe   = "maybe<" type ">"
//! struct  = [name] "(" size "," align "){" field { "," field } "}"
//! field   = name "@" offset ":" type
//! enum    = [name] "(" integer "){" variant { "," variant } "}"
//! variant = name "=" ["-"] number
//! name    = 1 to 255 bytes of UTF-8: letters, digits and "_" of ASCII; beyond ASCII anything
//!           but control characters (U+0080 to U+009F)
//! size, align, offset, count, number = decimal digits, no leading zero
//! ```
//!
//! There is no white space. `Pose` of the example below is
//! `Pose(24,8){stamp_ns@0:u64,x@8:f64,mode@16:Mode(u8){Parked=0,Driving=1}}`. A type has one text:
//! whoever reads one and writes it again gets the same bytes.
//!
//! # What it means
//!
//! - A scalar has the size of its bits (`bool` 1 byte, `char` 4) and is aligned to its size. It is
//!   little-endian, two's complement, IEEE 754; `bool` is 0 or 1, `char` a Unicode scalar value.
//! - An array is its items, one after the other.
//! - A `text` is a `u64`, the length in bytes; then that many bytes of UTF-8, then zeros up to the
//!   capacity. It is aligned to 8, and its size is a multiple of 8.
//! - A `list` is a `u64`, the number of items; then, at the next multiple of the item's alignment,
//!   the items; then zeros up to the capacity. Alignment (at least 8) and size are those of a C
//!   struct of these.
//! - A `maybe` is one byte, 0 or 1; then, at the item's alignment, the item or zeros. Alignment and
//!   size are those of a C struct of these.
//! - A struct has the size and alignment that are written, and each field at its offset.
//! - An enum is an integer, the value of one of its variants.
//!
//! Bytes between and behind these are padding: zero when written, ignored when read. Fields are in
//! the order of their offsets, variants in the order of their values.
//!
//! # The fingerprint
//!
//! A 64-bit FNV-1a hash of the text with the names of types left out, as in
//! `(24,8){stamp_ns@0:u64,x@8:f64,mode@16:(u8){Parked=0,Driving=1}}`, which is a text too: begin
//! with 0xcbf29ce484222325; for each byte, combine it by exclusive or, then multiply by
//! 0x100000001b3 modulo 2^64.
//!
//! # Limits
//!
//! The text has at most 65,536 bytes, types are nested at most 32 deep, a size is from 1 to
//! 2^63 - 1, an alignment is a power of two up to 2^29, an integer of an enum has at most 64 bits,
//! and a count is at least 1. Names of fields in a struct and of variants in an enum differ.
//! Fields are aligned, inside their struct, and do not overlap. A text that breaks any of this is
//! refused with [`Corrupt`](crate::ErrorKind::Corrupt).

mod difference;
mod parse;
mod set;
mod value;

use std::fmt;

pub use value::Value;

use super::Shareable;
use super::layout::{self, Layout, Scalar, fnv1a};
use crate::Result;

/// The longest schema text, in bytes.
pub const MAX_TEXT: usize = 65_536;

/// How deep types nest: a scalar is 1, a struct of scalars 2.
pub const MAX_DEPTH: usize = 32;

/// The longest name of a type, field or variant, in bytes.
pub const MAX_NAME: usize = 255;

/// The largest size of a type, in bytes.
pub const MAX_SIZE: u64 = i64::MAX as u64;

/// The largest alignment of a type, in bytes.
pub const MAX_ALIGN: u64 = 1 << 29;

/// The description of a type: what [`Shareable::LAYOUT`] says, as a tree that can come from another
/// process too. Its text is what `Display` prints.
///
/// # Examples
///
/// ```
/// use shmkit::Shareable;
/// use shmkit::shareable::Schema;
///
/// #[derive(Shareable)]
/// #[repr(C)]
/// struct Point { x: f32, y: f32 }
///
/// let schema = Schema::of::<Point>();
/// assert_eq!(schema.to_string(), "Point(8,4){x@0:f32,y@4:f32}");
/// ```
// INVARIANT: it keeps the limits of the module's docs, as it is made only by `parse`, which checks
// them, and from a `Layout`, which the compiler checked. So parts lie inside the whole, and sums of
// sizes do not overflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) align: u64,
    pub(super) shape: Shape,
}

/// What a type is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// A number, a `bool` or a `char`.
    Scalar(Scalar),
    /// A fixed number of items, one after the other.
    Array {
        /// The type of each.
        item: Box<Schema>,
        /// How many.
        len: u64,
    },
    /// A [`FixedString`](crate::FixedString).
    Text {
        /// The most bytes it holds.
        capacity: u64,
    },
    /// A [`FixedVec`](crate::FixedVec).
    List {
        /// The type of each item.
        item: Box<Schema>,
        /// The most items it holds.
        capacity: u64,
    },
    /// A [`Maybe`](crate::Maybe).
    Maybe {
        /// The type of what is there, or not.
        item: Box<Schema>,
    },
    /// A struct. A tuple struct has `0`, `1` and so on for names.
    Struct {
        /// Its fields, in the order of their offsets.
        fields: Vec<Field>,
    },
    /// An enum without fields.
    Enum {
        /// The integer that holds it.
        repr: Scalar,
        /// Its variants, in the order of their values.
        variants: Vec<Variant>,
    },
}

/// A field of a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Where it starts, in bytes from the start of the struct.
    pub offset: u64,
    /// Its type.
    pub schema: Schema,
}

/// A variant of an enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// The integer that stands for it.
    pub value: i128,
}

impl Schema {
    /// The description of `T`.
    pub fn of<T: Shareable>() -> Self {
        Self::from(T::LAYOUT)
    }

    /// Reads the text that `Display` prints, as it stands in an object.
    ///
    /// The text may be hostile: reading it is bounded in time and memory.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt), with the place, where the text breaks the grammar or
    /// a limit.
    pub fn parse(text: &str) -> Result<Self> {
        parse::parse(text)
    }

    /// The type's own name, without its path; empty where it has none, as an array.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The size in bytes, at least 1.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The alignment in bytes, a power of two.
    pub fn align(&self) -> u64 {
        self.align
    }

    /// What the type is made of.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The same number as [`Layout::fingerprint`] of the type that this describes.
    pub fn fingerprint(&self) -> u64 {
        fnv1a(&Text { schema: self, with_type_names: false }.to_string())
    }
}

/// The types that are not spelled out: their size follows from their parts. Nothing where it is
/// over `MAX_SIZE`.
impl Schema {
    /// A struct of these fields: names, offsets and types, in the order of their offsets.
    ///
    /// INVARIANT: the caller keeps the limits of the module's docs.
    pub(crate) fn of_parts(
        name: &str,
        size: u64,
        align: u64,
        fields: Vec<(String, u64, Self)>,
    ) -> Self {
        let field = |(name, offset, schema)| Field { name, offset, schema };
        let fields = fields.into_iter().map(field).collect();
        Self { name: name.replace(' ', "_"), size, align, shape: Shape::Struct { fields } }
    }

    /// So many `u64`s, one after the other.
    pub(crate) fn words(count: u64) -> Self {
        Self::array(Self::scalar(Scalar::U64), count).expect("a part of an object")
    }

    fn scalar(scalar: Scalar) -> Self {
        let size = scalar.size() as u64;
        Self { name: scalar.name().into(), size, align: size, shape: Shape::Scalar(scalar) }
    }

    fn array(item: Self, len: u64) -> Option<Self> {
        let (size, align) = (item.size.checked_mul(len)?, item.align);
        Self::sized("", size, align, Shape::Array { item: Box::new(item), len })
    }

    fn text(capacity: u64) -> Option<Self> {
        let size = capacity.checked_add(LENGTH)?;
        Self::sized("FixedString", size, LENGTH, Shape::Text { capacity })
    }

    fn list(item: Self, capacity: u64) -> Option<Self> {
        let size = item.size.checked_mul(capacity)?.checked_add(items_offset(&item))?;
        let align = item.align.max(LENGTH);
        Self::sized("FixedVec", size, align, Shape::List { item: Box::new(item), capacity })
    }

    fn maybe(item: Self) -> Option<Self> {
        let (size, align) = (item.size.checked_add(maybe_offset(&item))?, item.align);
        Self::sized("Maybe", size, align, Shape::Maybe { item: Box::new(item) })
    }

    fn sized(name: &str, size: u64, align: u64, shape: Shape) -> Option<Self> {
        let size = size.checked_next_multiple_of(align).filter(|size| *size <= MAX_SIZE)?;
        Some(Self { name: name.into(), size, align, shape })
    }
}

/// The bytes that hold the length of a text or a list.
pub(super) const LENGTH: u64 = 8;

/// Where a list's items start.
pub(super) fn items_offset(item: &Schema) -> u64 {
    LENGTH.next_multiple_of(item.align)
}

/// Where a maybe's item is: behind one byte.
pub(super) fn maybe_offset(item: &Schema) -> u64 {
    item.align
}

impl From<&Layout> for Schema {
    fn from(layout: &Layout) -> Self {
        let boxed = |item: &Layout| Box::new(Self::from(item));
        let shape = match &layout.shape {
            layout::Shape::Scalar(scalar) => Shape::Scalar(*scalar),
            layout::Shape::Array { item, len } => {
                Shape::Array { item: boxed(item), len: *len as u64 }
            }
            layout::Shape::Text { capacity } => Shape::Text { capacity: *capacity as u64 },
            layout::Shape::List { item, capacity } => {
                Shape::List { item: boxed(item), capacity: *capacity as u64 }
            }
            layout::Shape::Maybe { item } => Shape::Maybe { item: boxed(item) },
            layout::Shape::Struct { fields } => Shape::Struct {
                fields: fields
                    .iter()
                    .map(|field| Field {
                        name: field.name.into(),
                        offset: field.offset as u64,
                        schema: Self::from(field.layout),
                    })
                    .collect(),
            },
            layout::Shape::Enum { repr, variants } => Shape::Enum {
                repr: *repr,
                variants: variants
                    .iter()
                    .map(|variant| Variant { name: variant.name.into(), value: variant.value })
                    .collect(),
            },
        };
        let (size, align) = (layout.size as u64, layout.align as u64);
        Self { name: layout.name.into(), size, align, shape }
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Text { schema: self, with_type_names: true }.fmt(f)
    }
}

/// The text of a schema, with or without the names of its types.
struct Text<'a> {
    schema: &'a Schema,
    with_type_names: bool,
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schema, with_type_names } = *self;
        let text = |schema| Text { schema, with_type_names };
        let name = if with_type_names { schema.name.as_str() } else { "" };
        match &schema.shape {
            Shape::Scalar(scalar) => f.write_str(scalar.name()),
            Shape::Array { item, len } => write!(f, "[{};{len}]", text(item)),
            Shape::Text { capacity } => write!(f, "text<{capacity}>"),
            Shape::List { item, capacity } => write!(f, "list<{},{capacity}>", text(item)),
            Shape::Maybe { item } => write!(f, "maybe<{}>", text(item)),
            Shape::Struct { fields } => {
                write!(f, "{name}({},{}){{", schema.size, schema.align)?;
                for (index, Field { name, offset, schema }) in fields.iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    write!(f, "{comma}{name}@{offset}:{}", text(schema))?;
                }
                f.write_str("}")
            }
            Shape::Enum { repr, variants } => {
                write!(f, "{name}({}){{", repr.name())?;
                for (index, Variant { name, value }) in variants.iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    write!(f, "{comma}{name}={value}")?;
                }
                f.write_str("}")
            }
        }
    }
}
