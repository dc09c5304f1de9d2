//! A value whose type is known only at run time.

use std::fmt;

use super::{LENGTH, Schema, Shape, items_offset, maybe_offset};
use crate::shareable::all_zero;
use crate::shareable::layout::Scalar;
use crate::{Error, ErrorKind, Result};

/// A value that [`Schema::read`] decoded from bytes. Its names borrow from the schema.
///
/// It prints like the `Debug` form of the Rust value, and over several lines with `{:#}`.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Value<'s> {
    /// An unsigned integer.
    Unsigned(u128),
    /// A signed integer.
    Signed(i128),
    /// An `f32`.
    F32(f32),
    /// An `f64`.
    F64(f64),
    /// A `bool`.
    Bool(bool),
    /// A `char`.
    Char(char),
    /// A [`FixedString`](crate::FixedString).
    Text(String),
    /// An array or a [`FixedVec`](crate::FixedVec).
    List(Vec<Value<'s>>),
    /// A [`Maybe`](crate::Maybe).
    Maybe(Option<Box<Value<'s>>>),
    /// A struct. The fields of a tuple struct have the names `0`, `1` and so on.
    Struct {
        /// The name of the type; empty if it has none.
        name: &'s str,
        /// Names and values, in the order of the declaration.
        fields: Vec<(&'s str, Value<'s>)>,
    },
    /// An enum.
    Enum {
        /// The variant's name.
        variant: &'s str,
        /// The integer that stands for it.
        value: i128,
    },
}

impl Schema {
    /// Decodes a value from `bytes`.
    ///
    /// The value needs up to 50 times the memory of the bytes.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](ErrorKind::Corrupt), with the field, if the bytes are not a value of this type.
    ///
    /// # Examples
    ///
    /// ```
    /// use shmkit::shareable::Schema;
    ///
    /// let schema = Schema::parse("Goal(8,4){x@0:f32,mode@4:Mode(u8){Slow=0,Fast=1}}")?;
    /// let value = schema.read(&[0, 0, 0xc0, 0x3f, 1, 0, 0, 0])?;
    /// assert_eq!(value.to_string(), "Goal { x: 1.5, mode: Fast }");
    /// # Ok::<(), shmkit::Error>(())
    /// ```
    pub fn read(&self, bytes: &[u8]) -> Result<Value<'_>> {
        self.check_size(bytes)?;
        read(self, bytes).map_err(Flaw::into_error)
    }

    /// Checks that `bytes` are a value of this type, faster than [`read`](Self::read) and without
    /// memory.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](ErrorKind::Corrupt), with the field, if the bytes are not a value of this type.
    ///
    /// # Examples
    ///
    /// ```
    /// # use shmkit::shareable::Schema;
    /// let schema = Schema::parse("[bool;2]")?;
    /// schema.check(&[0, 1])?;
    /// let error = schema.check(&[0, 2]).unwrap_err();
    /// assert_eq!(error.to_string(), "field [1] is 2, which is not a valid bool");
    /// # Ok::<(), shmkit::Error>(())
    /// ```
    pub fn check(&self, bytes: &[u8]) -> Result<()> {
        self.check_size(bytes)?;
        check(self, bytes).map_err(Flaw::into_error)
    }

    fn check_size(&self, bytes: &[u8]) -> Result<()> {
        if bytes.len() as u64 == self.size {
            return Ok(());
        }
        let why = format!("expected a value of {} bytes, found {}", self.size, bytes.len());
        Err(Error::new(ErrorKind::Corrupt, why))
    }
}

/// The reason why bytes are not a value, and where. The path grows at its front while the recursion
/// returns.
struct Flaw {
    path: String,
    why: String,
}

impl Flaw {
    #[cold]
    fn new(why: impl Into<String>) -> Self {
        Self { path: String::new(), why: why.into() }
    }

    /// Puts a step before the path.
    fn under(mut self, step: impl fmt::Display) -> Self {
        self.path = format!("{step}{}", self.path);
        self
    }

    fn into_error(self) -> Error {
        let what = match self.path.trim_start_matches('.') {
            "" => "the value".into(),
            path => format!("field {path}"),
        };
        Error::new(ErrorKind::Corrupt, format!("{what} {}", self.why))
    }
}

/// Checks the bytes of a value. Decodes only small parts.
fn check(schema: &Schema, bytes: &[u8]) -> Result<(), Flaw> {
    if takes_any_bytes(schema) {
        return Ok(());
    }
    match &schema.shape {
        Shape::Array { item, .. } => check_items(item, bytes),
        Shape::List { item, capacity } => {
            let start = items_offset(item);
            let (items, rest) = split_at_length(bytes, start, *capacity, item.size)?;
            check_zeros(rest)?;
            check_items(item, items)
        }
        Shape::Struct { fields } => fields.iter().try_for_each(|field| {
            let bytes = &bytes[field.offset as usize..][..field.schema.size as usize];
            check(&field.schema, bytes).map_err(|flaw| flaw.under(format_args!(".{}", field.name)))
        }),
        Shape::Scalar(_) | Shape::Text { .. } | Shape::Maybe { .. } | Shape::Enum { .. } => {
            read(schema, bytes).map(|_| ())
        }
    }
}

fn check_items(item: &Schema, bytes: &[u8]) -> Result<(), Flaw> {
    if takes_any_bytes(item) {
        return Ok(());
    }
    bytes.chunks_exact(item.size as usize).enumerate().try_for_each(|(index, bytes)| {
        check(item, bytes).map_err(|flaw| flaw.under(format_args!("[{index}]")))
    })
}

/// Returns whether any bytes are a value of the type.
fn takes_any_bytes(schema: &Schema) -> bool {
    match &schema.shape {
        Shape::Scalar(scalar) => !matches!(scalar, Scalar::Bool | Scalar::Char),
        Shape::Array { item, .. } => takes_any_bytes(item),
        Shape::Struct { fields } => fields.iter().all(|field| takes_any_bytes(&field.schema)),
        Shape::Text { .. } | Shape::List { .. } | Shape::Maybe { .. } | Shape::Enum { .. } => false,
    }
}

/// Decodes a value. `bytes` has the size of the type, and its parts are inside it (INVARIANT), so
/// slicing cannot fail.
fn read<'s>(schema: &'s Schema, bytes: &[u8]) -> Result<Value<'s>, Flaw> {
    match &schema.shape {
        Shape::Scalar(scalar) => read_scalar(*scalar, bytes),
        Shape::Array { item, .. } => read_items(item, bytes),
        Shape::Text { capacity } => {
            let (text, rest) = split_at_length(bytes, LENGTH, *capacity, 1)?;
            let text = std::str::from_utf8(text).map_err(|_| Flaw::new("is not UTF-8"))?;
            check_zeros(rest)?;
            Ok(Value::Text(text.into()))
        }
        Shape::List { item, capacity } => {
            let start = items_offset(item);
            let (items, rest) = split_at_length(bytes, start, *capacity, item.size)?;
            check_zeros(rest)?;
            read_items(item, items)
        }
        Shape::Maybe { item } => {
            let value = &bytes[maybe_offset(item) as usize..][..item.size as usize];
            match bytes[0] {
                0 => check_zeros(value).map(|()| Value::Maybe(None)),
                1 => Ok(Value::Maybe(Some(Box::new(read(item, value)?)))),
                tag => Err(Flaw::new(format!("begins with {tag}, not 0 or 1"))),
            }
        }
        Shape::Struct { fields } => {
            let fields = fields.iter().map(|field| {
                let bytes = &bytes[field.offset as usize..][..field.schema.size as usize];
                let value = read(&field.schema, bytes)
                    .map_err(|flaw| flaw.under(format_args!(".{}", field.name)))?;
                Ok((field.name.as_str(), value))
            });
            Ok(Value::Struct { name: &schema.name, fields: fields.collect::<Result<_, _>>()? })
        }
        Shape::Enum { repr, variants } => {
            let value = match read_scalar(*repr, bytes)? {
                Value::Signed(value) => value,
                Value::Unsigned(value) => value as i128,
                _ => return Err(Flaw::new("is an enum without an integer type")),
            };
            match variants.binary_search_by_key(&value, |variant| variant.value) {
                Ok(index) => Ok(Value::Enum { variant: &variants[index].name, value }),
                Err(_) => Err(Flaw::new(format!("is {value}, which is not a valid variant"))),
            }
        }
    }
}

fn read_items<'s>(item: &'s Schema, bytes: &[u8]) -> Result<Value<'s>, Flaw> {
    let items = bytes.chunks_exact(item.size as usize).enumerate();
    items
        .map(|(index, bytes)| {
            read(item, bytes).map_err(|flaw| flaw.under(format_args!("[{index}]")))
        })
        .collect::<Result<_, _>>()
        .map(Value::List)
}

fn read_scalar(scalar: Scalar, bytes: &[u8]) -> Result<Value<'static>, Flaw> {
    let bits = little_endian(bytes);
    Ok(match scalar {
        Scalar::U8 | Scalar::U16 | Scalar::U32 | Scalar::U64 | Scalar::U128 => {
            Value::Unsigned(bits)
        }
        Scalar::I8 | Scalar::I16 | Scalar::I32 | Scalar::I64 | Scalar::I128 => {
            let unused = 128 - 8 * scalar.size();
            Value::Signed((bits << unused) as i128 >> unused)
        }
        Scalar::F32 => Value::F32(f32::from_bits(bits as u32)),
        Scalar::F64 => Value::F64(f64::from_bits(bits as u64)),
        Scalar::Bool if bits <= 1 => Value::Bool(bits == 1),
        Scalar::Bool => return Err(Flaw::new(format!("is {bits}, which is not a valid bool"))),
        Scalar::Char => match char::from_u32(bits as u32) {
            Some(c) => Value::Char(c),
            None => return Err(Flaw::new(format!("is {bits:#x}, which is not a valid char"))),
        },
    })
}

/// Splits the places of a text or list, which begin at `start`, into the used and the unused bytes.
fn split_at_length(
    bytes: &[u8],
    start: u64,
    capacity: u64,
    item_size: u64,
) -> Result<(&[u8], &[u8]), Flaw> {
    let len = length(bytes);
    if len > capacity {
        return Err(Flaw::new(format!("has length {len}, more than its capacity of {capacity}")));
    }
    let places = &bytes[start as usize..][..(capacity * item_size) as usize];
    Ok(places.split_at((len * item_size) as usize))
}

fn check_zeros(bytes: &[u8]) -> Result<(), Flaw> {
    if all_zero(bytes) { Ok(()) } else { Err(Flaw::new("has bytes other than 0 after its end")) }
}

/// Returns the length at the start of a text or a list.
pub(super) fn length(bytes: &[u8]) -> u64 {
    little_endian(&bytes[..LENGTH as usize]) as u64
}

fn little_endian(bytes: &[u8]) -> u128 {
    bytes.iter().rev().fold(0, |bits, byte| bits << 8 | u128::from(*byte))
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Unsigned(value) => value.fmt(f),
            Value::Signed(value) => value.fmt(f),
            Value::F32(value) => value.fmt(f),
            Value::F64(value) => value.fmt(f),
            Value::Bool(value) => value.fmt(f),
            Value::Char(value) => value.fmt(f),
            Value::Text(value) => value.fmt(f),
            Value::List(items) => items.fmt(f),
            Value::Maybe(value) => value.fmt(f),
            Value::Struct { name, fields } => {
                let name = if name.is_empty() { "_" } else { name };
                if fields.first().is_some_and(|(name, _)| *name == "0") {
                    let mut tuple = f.debug_tuple(name);
                    fields.iter().for_each(|(_, value)| _ = tuple.field(value));
                    return tuple.finish();
                }
                let mut structure = f.debug_struct(name);
                fields.iter().for_each(|(name, value)| _ = structure.field(name, value));
                structure.finish()
            }
            Value::Enum { variant, .. } => f.write_str(variant),
        }
    }
}
