//! Changing a value whose type is known only at run time, from text.

use std::fmt::Debug;
use std::str::FromStr;

use super::difference::spelled;
use super::value::length;
use super::{LENGTH, Schema, Shape, Value, items_offset, maybe_offset};
use crate::shareable::layout::Scalar;
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
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) if there is no such part or the text does
    /// not fit it; the message says what is possible. [`Corrupt`](ErrorKind::Corrupt) if `bytes`
    /// are not a value, unless an empty path replaces the whole. After an error the bytes are
    /// unchanged.
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
    /// assert_eq!(error.to_string(), "mode: Faster is not a variant: the variants are Slow, Fast");
    /// # Ok::<(), shmkit::Error>(())
    /// ```
    pub fn set(&self, bytes: &mut [u8], path: &str, text: &str) -> Result<()> {
        if !path.is_empty() || bytes.len() as u64 != self.size {
            self.read(bytes)?;
        }
        let (schema, start) = find(self, Some(bytes), path)?;
        let mut part = vec![0; schema.size as usize];
        let mut literal = Literal { rest: text };
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
            return Err(wrong(format!("unexpected {} after the value", literal.rest.trim())));
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
        let mut bytes = Vec::new();
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        if bytes.try_reserve_exact(size).is_err() {
            let why = format!("no memory for a value of {} bytes", self.size);
            return Err(Error::new(ErrorKind::OutOfSpace, why));
        }
        bytes.resize(size, 0);
        Ok(bytes)
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

fn field<'s>(schema: &'s Schema, name: &str) -> Result<(&'s Schema, u64), String> {
    let Shape::Struct { fields } = &schema.shape else {
        return Err(format!("is {}, which has no fields", spelled(schema)));
    };
    match fields.iter().find(|field| field.name == name) {
        Some(field) => Ok((&field.schema, field.offset)),
        None => {
            let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
            Err(format!("has no field {name}: the fields are {}", names.join(", ")))
        }
    }
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

/// The rest of the text of a value.
struct Literal<'t> {
    rest: &'t str,
}

impl<'t> Literal<'t> {
    /// Parses a value of the type, and writes its bytes to `out`, which is zeroed.
    fn put(&mut self, schema: &Schema, out: &mut [u8]) -> Result<(), String> {
        match &schema.shape {
            Shape::Scalar(Scalar::Char) => self.put_char(out),
            Shape::Scalar(scalar) => put_number(*scalar, self.word(), out),
            Shape::Text { .. } => put_text(&self.quoted('"')?, schema, out),
            Shape::Array { item, len } => match self.put_items(item, *len, out)? {
                count if count == *len => Ok(()),
                count => {
                    Err(format!("expected {len} items for {}, found {count}", spelled(schema)))
                }
            },
            Shape::List { item, capacity } => {
                let (len, places) = out.split_at_mut(items_offset(item) as usize);
                let count = self.put_items(item, *capacity, places)?;
                len[..LENGTH as usize].copy_from_slice(&count.to_le_bytes());
                Ok(())
            }
            Shape::Maybe { item } => match self.word() {
                "None" => Ok(()),
                "Some" => {
                    self.expect('(')?;
                    out[0] = 1;
                    self.put(item, &mut out[maybe_offset(item) as usize..][..item.size as usize])?;
                    self.accept(',');
                    self.expect(')')
                }
                word => Err(format!("{word} is neither None nor Some(...)")),
            },
            Shape::Struct { .. } => self.put_fields(schema, out),
            Shape::Enum { variants, .. } => {
                let word = self.word();
                let Some(variant) = variants.iter().find(|variant| variant.name == word) else {
                    let names: Vec<_> = variants.iter().map(|each| each.name.as_str()).collect();
                    return Err(format!(
                        "{word} is not a variant: the variants are {}",
                        names.join(", ")
                    ));
                };
                out.copy_from_slice(&variant.value.to_le_bytes()[..out.len()]);
                Ok(())
            }
        }
    }

    /// Parses `[a, b]`. Returns the number of items.
    fn put_items(&mut self, item: &Schema, limit: u64, out: &mut [u8]) -> Result<u64, String> {
        self.expect('[')?;
        let mut places = out.chunks_exact_mut(item.size as usize).take(limit as usize);
        let mut count = 0;
        while !self.accept(']') {
            let place = places.next().ok_or_else(|| format!("expected at most {limit} items"))?;
            self.put(item, place)?;
            count += 1;
            if !self.accept(',') {
                self.expect(']')?;
                break;
            }
        }
        Ok(count)
    }

    /// Parses `Point { x: 1, y: 2 }` or `Point(1, 2)`, with or without the name, each field once.
    fn put_fields(&mut self, schema: &Schema, out: &mut [u8]) -> Result<(), String> {
        let Shape::Struct { fields } = &schema.shape else { return Ok(()) };
        self.word();
        let tuple = self.accept('(');
        if !tuple {
            self.expect('{')?;
        }
        let mut missing: Vec<_> = fields.iter().collect();
        while let Some(first) = missing.first() {
            let name = if tuple { &first.name } else { self.word() };
            if !tuple {
                self.expect(':')?;
            }
            let (schema, offset) =
                field(schema, name).map_err(|why| format!("{} {why}", spelled(schema)))?;
            let place = missing.iter().position(|field| field.name == *name);
            missing.remove(place.ok_or_else(|| format!("field {name} is given twice"))?);
            self.put(schema, &mut out[offset as usize..][..schema.size as usize])?;
            if !self.accept(',') {
                break;
            }
        }
        match missing.first() {
            Some(field) => Err(format!("field {} is missing", field.name)),
            None => self.expect(if tuple { ')' } else { '}' }),
        }
    }

    /// Parses `'a'`, or a single character.
    fn put_char(&mut self, out: &mut [u8]) -> Result<(), String> {
        let mut alone = self.rest.chars();
        let c = match (alone.next(), alone.as_str()) {
            (Some(c), "") => {
                self.rest = "";
                c
            }
            _ => {
                let text = self.quoted('\'')?;
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) => c,
                    _ => return Err(format!("'{text}' is not one character")),
                }
            }
        };
        out.copy_from_slice(&u32::from(c).to_le_bytes());
        Ok(())
    }

    /// Parses the text between two `quote`s, with Rust's escapes.
    fn quoted(&mut self, quote: char) -> Result<String, String> {
        self.expect(quote)?;
        let mut text = String::new();
        let mut chars = self.rest.chars();
        while let Some(c) = chars.next() {
            if c == quote {
                self.rest = chars.as_str();
                return Ok(text);
            }
            text.push(if c == '\\' { unescape(&mut chars)? } else { c });
        }
        Err(format!("expected {quote} at the end"))
    }

    /// Parses a word, which ends at white space or punctuation.
    fn word(&mut self) -> &'t str {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| c.is_whitespace() || ",:()[]{}\"'".contains(c));
        let (word, rest) = rest.split_at(end.unwrap_or(rest.len()));
        self.rest = rest;
        word
    }

    fn accept(&mut self, c: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, c: char) -> Result<(), String> {
        match self.rest.trim() {
            _ if self.accept(c) => Ok(()),
            "" => Err(format!("expected {c} at the end")),
            rest => Err(format!("expected {c} before {rest}")),
        }
    }
}

/// Parses the part of an escape after the `\`, and returns the character.
fn unescape(chars: &mut std::str::Chars<'_>) -> Result<char, String> {
    Ok(match chars.next() {
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('0') => '\0',
        Some(c @ ('\\' | '\'' | '"')) => c,
        Some('u') => {
            let code = chars.as_str().strip_prefix('{').and_then(|rest| rest.split_once('}'));
            let (digits, rest) = code.ok_or("expected {...} after \\u")?;
            *chars = rest.chars();
            let code = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
            code.ok_or_else(|| format!("\\u{{{digits}}} is not a character"))?
        }
        _ => return Err("\\ must be followed by n, r, t, 0, \\, ', \" or u{...}".into()),
    })
}

fn put_text(text: &str, schema: &Schema, out: &mut [u8]) -> Result<(), String> {
    let (length, places) = out.split_at_mut(LENGTH as usize);
    match &schema.shape {
        Shape::Text { capacity } if text.len() as u64 <= *capacity => {
            length.copy_from_slice(&(text.len() as u64).to_le_bytes());
            places[..text.len()].copy_from_slice(text.as_bytes());
            Ok(())
        }
        _ => Err(format!("{} bytes of text do not fit in {}", text.len(), spelled(schema))),
    }
}

fn put_number(scalar: Scalar, word: &str, out: &mut [u8]) -> Result<(), String> {
    let name = scalar.name();
    if let Some((min, max)) = scalar.bounds() {
        let negative = word.parse().ok().filter(|value| (min..=0).contains(value));
        let positive = word.parse().ok().filter(|value| *value <= max);
        let bits = positive.or(negative.map(|value: i128| value as u128));
        let bits = bits
            .ok_or_else(|| format!("{word} is not a valid {name}: the range is {min} to {max}"))?;
        out.copy_from_slice(&bits.to_le_bytes()[..out.len()]);
        return Ok(());
    }
    match scalar {
        Scalar::F32 => {
            let value = float(word, name, f32::MAX, f32::is_infinite)?;
            out.copy_from_slice(&value.to_le_bytes());
        }
        Scalar::F64 => {
            let value = float(word, name, f64::MAX, f64::is_infinite)?;
            out.copy_from_slice(&value.to_le_bytes());
        }
        _ => {
            out[0] = word
                .parse::<bool>()
                .map_err(|_| format!("{word} is neither true nor false"))?
                .into()
        }
    }
    Ok(())
}

/// Parses a number. Refuses one that is too large for its type, unless the text asks for infinity.
fn float<F: FromStr + Debug + Copy>(
    word: &str,
    name: &str,
    max: F,
    is_infinite: fn(F) -> bool,
) -> Result<F, String> {
    let value = word.parse().map_err(|_| format!("{word} is not a valid {name}"))?;
    if is_infinite(value) && !word.contains("inf") {
        return Err(format!("{word} is not a valid {name}: the largest is {max:?}"));
    }
    Ok(value)
}

#[cold]
fn invalid(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, why.into())
}
