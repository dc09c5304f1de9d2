//! The schema of a type: a tree at run time, and a text that an object stores.
//!
//! Any process can read, print and change an object through its schema, without the program that
//! created it. The header of the object stores the text.
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
//! field   = name "@" offset ":" [role "#"] type
//! role    = name
//! enum    = [name] "(" integer "){" variant { "," variant } "}"
//! variant = name "=" ["-"] number
//! name    = 1 to 255 bytes of UTF-8: letters, digits and "_" of ASCII; all characters beyond
//!           ASCII, except control characters (U+0080 to U+009F)
//! size, align, offset, count, number = decimal digits, no leading zero
//! ```
//!
//! There is no white space. `Pose` of the example below is
//! `Pose(24,8){stamp_ns@0:u64,x@8:f64,mode@16:Mode(u8){Parked=0,Driving=1}}`. A type has one text:
//! to parse a text and print the schema gives the same bytes.
//!
//! # Meaning
//!
//! - A scalar has the size of its bits (`bool` 1 byte, `char` 4) and is aligned to its size. It is
//!   little-endian, two's complement, IEEE 754; `bool` is 0 or 1, `char` a Unicode scalar value.
//! - An array consists of its items, one after the other.
//! - A `text` is a `u64` with the length in bytes, then that many bytes of UTF-8, then zeros up to
//!   the capacity. It is aligned to 8, and its size is a multiple of 8.
//! - A `list` is a `u64` with the number of items, then the items from the next multiple of the
//!   item's alignment on, then zeros up to the capacity. Alignment (at least 8) and size are those
//!   of a C struct of these parts.
//! - A `maybe` is one byte, 0 or 1, and then, at the item's alignment, the item or zeros. Alignment
//!   and size are those of a C struct of these parts.
//! - A struct has the size and alignment in the text, and each field at its offset.
//! - An enum is an integer, the value of one of its variants.
//! - A role says what a part of an object is for; types that programs define have none. The type of
//!   a part with the role `value` is one that a program defined: no role follows inside it.
//!
//! All other bytes are padding: zeros when written, ignored when read. Fields are in the order of
//! their offsets, variants in the order of their values.
//!
//! # The fingerprint
//!
//! A 64-bit FNV-1a hash of the text without the names of types, as in
//! `(24,8){stamp_ns@0:u64,x@8:f64,mode@16:(u8){Parked=0,Driving=1}}`. (This is a valid text too.)
//! The hash begins with 0xcbf29ce484222325. For each byte it takes the exclusive or with the byte,
//! then multiplies by 0x100000001b3 modulo 2^64. In the text of an object, each type with the role
//! `value` is written as `#` and the 16 hexadecimal digits of its own fingerprint.
//!
//! # Limits
//!
//! - The text of a type has at most 65,536 bytes, that of an object at most 131,072.
//! - Types are nested at most 32 deep. The count begins again in a part with the role `value`.
//! - A size is from 1 to 2^63 - 1, an alignment is a power of two up to 2^29, a count is at least
//!   1.
//! - The integer of an enum has at most 64 bits.
//! - The fields of a struct have different names, and so have the variants of an enum.
//! - Fields are inside their struct and do not overlap. All but those with the role `value` are
//!   aligned.
//!
//! A text that breaks a limit is refused with [`Corrupt`](crate::ErrorKind::Corrupt).

mod declare;
mod difference;
mod literal;
mod padding;
mod parse;
mod set;
mod unparsed;
mod value;

use std::fmt;

pub use value::Value;

use super::Shareable;
use super::layout::{self, Layout, Scalar, fnv1a};
pub use super::limits::{MAX_ALIGN, MAX_DEPTH, MAX_NAME, MAX_OBJECT_TEXT, MAX_SIZE, MAX_TEXT};

/// A tree that describes a type: the type of a [`Shareable::LAYOUT`], or a type of another process.
/// `Display` prints its text.
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
// INVARIANT: a schema keeps the limits in the module's documentation. It comes only from `parse`,
// which checks them, and from a `Layout`, for which the compiler has checked them. So parts are
// inside the whole, and sums of sizes do not overflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) align: u64,
    pub(super) shape: Shape,
}

/// The parts of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// A number, a `bool` or a `char`.
    Scalar(Scalar),
    /// A fixed number of items, one after the other.
    Array {
        /// The type of each item.
        item: Box<Schema>,
        /// The number of items.
        len: u64,
    },
    /// A [`FixedString`](crate::FixedString).
    Text {
        /// The largest number of bytes.
        capacity: u64,
    },
    /// A [`FixedVec`](crate::FixedVec).
    List {
        /// The type of each item.
        item: Box<Schema>,
        /// The largest number of items.
        capacity: u64,
    },
    /// A [`Maybe`](crate::Maybe).
    Maybe {
        /// The type of the value, if there is one.
        item: Box<Schema>,
    },
    /// A struct. The fields of a tuple struct have the names `0`, `1` and so on.
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
    /// Its offset in bytes from the start of the struct.
    pub offset: u64,
    /// What it is for, where the struct describes parts of an object. Otherwise empty.
    pub role: String,
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
    /// Returns the schema of `T`.
    pub fn of<T: Shareable>() -> Self {
        Self::from(T::LAYOUT)
    }

    /// Returns the name of the type without its path. It is empty for an array.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the size in bytes, at least 1.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the alignment in bytes, a power of two.
    pub fn align(&self) -> u64 {
        self.align
    }

    /// Returns the parts of the type.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Returns the type of the value in an object: of its first part with the role `value`, at any
    /// depth.
    pub fn value(&self) -> Option<&Self> {
        match &self.shape {
            Shape::Array { item, .. } => item.value(),
            Shape::Struct { fields } => fields.iter().find_map(|field| match field.role.as_str() {
                VALUE => Some(&field.schema),
                _ => field.schema.value(),
            }),
            _ => None,
        }
    }

    /// Returns the type of `count` values of this type, one after the other. `None` if there is no
    /// such type.
    pub(crate) fn repeated(self, count: u64) -> Option<Self> {
        if count == 0 { None } else { Self::array(self, count) }
    }

    /// Returns the same number as [`Layout::fingerprint`] of the described type.
    pub fn fingerprint(&self) -> u64 {
        fnv1a(&Text { schema: self, with_type_names: false }.to_string())
    }
}

/// Constructors for types whose size follows from their parts. They return `None` if the size
/// exceeds `MAX_SIZE`.
impl Schema {
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

/// Returns the offset of the items in a list.
pub(super) fn items_offset(item: &Schema) -> u64 {
    LENGTH.next_multiple_of(item.align)
}

/// Returns the offset of the item in a maybe, after the byte that tells whether it is there.
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
                        role: String::new(),
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

/// The role of a part of an object whose type a program defined.
pub(crate) const VALUE: &str = "value";

/// How the fingerprint of an object stands for the type of a value.
pub(crate) fn write_fingerprint(f: &mut impl fmt::Write, fingerprint: u64) -> fmt::Result {
    write!(f, "#{fingerprint:016x}")
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
                for (index, Field { name, offset, role, schema }) in fields.iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    write!(f, "{comma}{name}@{offset}:")?;
                    if !role.is_empty() {
                        write!(f, "{role}#")?;
                    }
                    match with_type_names || role != VALUE {
                        true => text(schema).fmt(f)?,
                        false => write_fingerprint(f, schema.fingerprint())?,
                    }
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
