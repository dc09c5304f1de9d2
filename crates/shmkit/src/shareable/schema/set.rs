//! Changing a value whose type is known only at run time, from text.

use super::difference::spelled;
use super::literal::{field, put_text};
use super::unparsed::{Unparsed, shortened};
use super::value::length;
use super::{Schema, Shape, Value, items_offset};
use crate::shareable::room_for;
use crate::{Error, ErrorKind, Result};

impl Schema {
    /// Sets the part of the value `bytes` at `path` to the value in `text`.
    ///
    /// Paths look like `pose.x`, `v[2]`, `joints[0].angle`. The fields of a tuple struct are `0`,
    /// `1` and so on. The empty path means the whole value; if it is not a struct, so does `value`.
    ///
    /// The text has the form of Rust's `Debug` output, which [`read`](Self::read) also gives:
    /// `-1.5`, `Fast`, `"a\tb"`, `[1, 2]`, `Some(3)`, `Point { x: 1.0, y: 2.0 }`. A `FixedString`
    /// or a `char` that is the whole part needs no quotes, unless it begins with one. If the part
    /// is a whole list, its length is set, too.
    ///
    /// JSON is understood, too, as `shm get --json` prints it: `{"x": 1.0, "mode": "Fast"}`. There,
    /// `null` is `None`, a value that is there needs no `Some`, and a number can be in quotes, as
    /// in `"NaN"`. An optional value in an optional value is `{"Some": 3}`.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) if there is no such part or the text does
    /// not fit it; the message says what is possible. [`Corrupt`](ErrorKind::Corrupt) if `bytes`
    /// are not a value, unless an empty path replaces the whole.
    /// [`OutOfSpace`](ErrorKind::OutOfSpace) if there is not enough memory. After an error the
    /// bytes are unchanged.
    ///
    /// # Examples
    ///
    /// ```
    /// use shmkit::shareable::Schema;
    ///
    /// let schema = Schema::parse("Goal(8,4){x@0:f32,mode@4:Mode(u8){Slow=0,Fast=1}}")?;
    /// let mut bytes = schema.zeroed()?;
    /// schema.set(&mut bytes, "x", "3.5")?;
    /// schema.set(&mut bytes, "mode", "Fast")?;
    /// assert_eq!(schema.read(&bytes)?.to_string(), "Goal { x: 3.5, mode: Fast }");
    ///
    /// let error = schema.set(&mut bytes, "mode", "Faster").unwrap_err();
    /// let why = "mode: \"Faster\" is not a variant: the variants are Slow, Fast";
    /// assert_eq!(error.to_string(), why);
    /// # Ok::<(), shmkit::Error>(())
    /// ```
    pub fn set(&self, bytes: &mut [u8], path: &str, text: &str) -> Result<()> {
        if !path.is_empty() || bytes.len() as u64 != self.size {
            self.read(bytes)?;
        }
        let (schema, start) = find(self, Some(bytes), path)?;
        let mut part = room_for(schema.size, 0)?;
        let mut literal = Unparsed { rest: text };
        let wrong = |why: String| {
            let path = if path.is_empty() { "value" } else { path };
            invalid(format!("{path}: {why}"))
        };
        match &schema.shape {
            Shape::Text { .. } if !text.starts_with('"') => {
                literal.rest = "";
                put_text(text, schema, &mut part).map_err(wrong)?;
            }
            _ => literal.put(schema, &mut part).map_err(wrong)?,
        }
        if !literal.rest.trim().is_empty() {
            let rest = shortened(literal.rest.trim());
            return Err(wrong(format!("unexpected {rest:?} after the value")));
        }
        bytes[start..start + part.len()].copy_from_slice(&part);
        Ok(())
    }

    /// Decodes the part of the value `bytes` at `path`, with the same paths as [`set`](Self::set).
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) if there is no such part, with what is
    /// possible; [`Corrupt`](ErrorKind::Corrupt) if `bytes` are not a value.
    ///
    /// # Examples
    ///
    /// ```
    /// use shmkit::shareable::Schema;
    ///
    /// let schema = Schema::parse("Goal(8,4){x@0:f32,at@4:[u16;2]}")?;
    /// let part = schema.read_part(&[0, 0, 0xc0, 0x3f, 7, 0, 8, 0], "at[1]")?;
    /// assert_eq!(part.to_string(), "8");
    /// # Ok::<(), shmkit::Error>(())
    /// ```
    pub fn read_part(&self, bytes: &[u8], path: &str) -> Result<Value<'_>> {
        self.check(bytes)?;
        let (schema, start) = find(self, Some(bytes), path)?;
        schema.read(&bytes[start..start + schema.size as usize])
    }

    /// Returns the type of the part at `path`, with the same paths as [`set`](Self::set).
    ///
    /// Needs no value: a path can name any item up to the capacity of a list.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) if no value has such a part, with what is
    /// possible.
    ///
    /// # Examples
    ///
    /// ```
    /// use shmkit::shareable::Schema;
    ///
    /// let schema = Schema::parse("Goal(8,4){x@0:f32,at@4:[u16;2]}")?;
    /// assert_eq!(schema.part("at[1]")?.to_string(), "u16");
    /// let error = schema.part("y").unwrap_err();
    /// assert_eq!(error.to_string(), "the value has no field y: the fields are x, at");
    /// # Ok::<(), shmkit::Error>(())
    /// ```
    pub fn part(&self, path: &str) -> Result<&Schema> {
        Ok(find(self, None, path)?.0)
    }

    /// Returns the value whose bytes are all zero: numbers are 0, texts and lists are empty.
    ///
    /// First compare [`size`](Self::size) with the size of the object: a hostile text can give any
    /// size.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) if an enum has no variant of value 0;
    /// [`OutOfSpace`](ErrorKind::OutOfSpace) if there is not enough memory.
    pub fn zeroed(&self) -> Result<Vec<u8>> {
        if let Some(name) = enum_without_zero(self) {
            return Err(invalid(format!("enum {name} has no variant of value 0")));
        }
        room_for(self.size, 0)
    }
}

/// Returns the name of an enum that has no variant of value 0.
fn enum_without_zero(schema: &Schema) -> Option<&str> {
    match &schema.shape {
        Shape::Enum { variants, .. } => {
            variants.iter().all(|variant| variant.value != 0).then_some(&schema.name)
        }
        Shape::Array { item, .. } => enum_without_zero(item),
        Shape::Struct { fields } => {
            fields.iter().find_map(|field| enum_without_zero(&field.schema))
        }
        Shape::Scalar(_) | Shape::Text { .. } | Shape::List { .. } | Shape::Maybe { .. } => None,
    }
}

/// Returns the type of the part at `path`, and its offset in `bytes`, which are a value. Without
/// bytes a list has as many items as its capacity.
fn find<'s>(schema: &'s Schema, bytes: Option<&[u8]>, path: &str) -> Result<(&'s Schema, usize)> {
    let whole = path.is_empty() || path == "value";
    if whole && !matches!(schema.shape, Shape::Struct { .. }) {
        return Ok((schema, 0));
    }
    let (mut schema, mut start, mut rest) = (schema, 0, path);
    while !rest.is_empty() {
        let known = &path[..path.len() - rest.len()];
        let here = if known.is_empty() { "the value" } else { known };
        let part = bytes.map(|bytes| &bytes[start as usize..][..schema.size as usize]);
        let (step, behind) = step(rest, known.is_empty())
            .ok_or_else(|| invalid(format!("{path} is not a path such as pose.x or v[2]")))?;
        let found = match (&schema.shape, step) {
            (Shape::Maybe { .. }, _) => Err(not_divisible(schema, known)),
            (_, Step::Field(name)) => field(schema, name),
            (_, Step::Item(index)) => item(schema, part, index),
        };
        let (found, offset) = found.map_err(|why| invalid(format!("{here} {why}")))?;
        (schema, start, rest) = (found, start + offset, behind);
    }
    Ok((schema, start as usize))
}

enum Step<'p> {
    Field(&'p str),
    Item(&'p str),
}

/// Splits a path into its first step and the rest.
fn step(path: &str, first: bool) -> Option<(Step<'_>, &str)> {
    if let Some(index) = path.strip_prefix('[') {
        let (index, behind) = index.split_once(']')?;
        return Some((Step::Item(index), behind));
    }
    let name = if first { path } else { path.strip_prefix('.')? };
    let (name, behind) = name.split_at(name.find(['.', '[']).unwrap_or(name.len()));
    Some((Step::Field(name), behind))
}

/// Returns the error for a path into a `Maybe`, whose item can be missing.
fn not_divisible(schema: &Schema, path: &str) -> String {
    let path = if path.is_empty() { "value" } else { path };
    let spelled = spelled(schema);
    format!(
        "is {spelled}, which can only be read and set as a whole: {path}=Some(...) or {path}=None"
    )
}

fn item<'s>(
    schema: &'s Schema,
    bytes: Option<&[u8]>,
    index: &str,
) -> Result<(&'s Schema, u64), String> {
    let (item, start, len) = match &schema.shape {
        Shape::Array { item, len } => (item, 0, *len),
        Shape::List { item, capacity } => {
            (item, items_offset(item), bytes.map_or(*capacity, length))
        }
        _ => return Err(format!("is {}, which has no items", spelled(schema))),
    };
    match index.parse::<u64>() {
        Ok(index) if index < len => Ok((item, start + index * item.size)),
        _ if bytes.is_none() && matches!(schema.shape, Shape::List { .. }) => {
            Err(format!("has at most {len} items, counted from 0: there is no [{index}]"))
        }
        _ => Err(format!("has {len} items, counted from 0: there is no [{index}]")),
    }
}

#[cold]
fn invalid(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, why.into())
}
