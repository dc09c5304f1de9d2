//! Values as text: in the form of Rust's `Debug` output, and as JSON.

use std::borrow::Cow;
use std::fmt::Debug;
use std::str::FromStr;

use super::difference::spelled;
use super::unparsed::{Unparsed, shortened};
use super::{LENGTH, Schema, Shape, items_offset, maybe_offset};
use crate::shareable::layout::Scalar;

impl<'t> Unparsed<'t> {
    /// Parses a value of the type, and writes its bytes to `out`, which is zeroed.
    pub(super) fn put(&mut self, schema: &Schema, out: &mut [u8]) -> Result<(), String> {
        match &schema.shape {
            Shape::Scalar(scalar) => self.put_scalar(*scalar, out),
            Shape::Text { .. } => put_text(&self.quoted('"')?, schema, out),
            Shape::Array { item, len } => {
                let text = self.rest;
                match self.put_items(item, *len, out)? {
                    count if count == *len => Ok(()),
                    count => {
                        let given = shortened(text[..text.len() - self.rest.len()].trim());
                        let spelled = spelled(schema);
                        Err(format!("{given}: expected {len} items for {spelled}, found {count}"))
                    }
                }
            }
            Shape::List { item, capacity } => {
                let (len, places) = out.split_at_mut(items_offset(item) as usize);
                let count = self.put_items(item, *capacity, places)?;
                len[..LENGTH as usize].copy_from_slice(&count.to_le_bytes());
                Ok(())
            }
            Shape::Maybe { item } => self.put_maybe(item, out),
            Shape::Struct { .. } => self.put_fields(schema, out),
            Shape::Enum { variants, .. } => {
                let word = self.word_or_quoted()?;
                let Some(variant) = variants.iter().find(|variant| variant.name == *word) else {
                    let names: Vec<_> = variants.iter().map(|each| each.name.as_str()).collect();
                    return Err(format!(
                        "{:?} is not a variant: the variants are {}",
                        shortened(&word),
                        names.join(", ")
                    ));
                };
                out.copy_from_slice(&variant.value.to_le_bytes()[..out.len()]);
                Ok(())
            }
        }
    }

    fn put_scalar(&mut self, scalar: Scalar, out: &mut [u8]) -> Result<(), String> {
        match scalar {
            Scalar::Char => self.put_char(out)?,
            Scalar::Bool => {
                let word = self.word();
                let value = word.parse::<bool>();
                let wrong = |_| format!("{:?} is neither true nor false", shortened(word));
                out[0] = value.map_err(wrong)?.into();
            }
            Scalar::F32 => {
                let value = float(&self.word_or_quoted()?, scalar, f32::MAX, f32::is_infinite)?;
                out.copy_from_slice(&value.to_le_bytes());
            }
            Scalar::F64 => {
                let value = float(&self.word_or_quoted()?, scalar, f64::MAX, f64::is_infinite)?;
                out.copy_from_slice(&value.to_le_bytes());
            }
            integer => {
                let bits = integer_bits(&self.word_or_quoted()?, integer)?;
                out.copy_from_slice(&bits.to_le_bytes()[..out.len()]);
            }
        }
        Ok(())
    }

    /// Parses `[a, b]`. Returns the number of items.
    fn put_items(&mut self, item: &Schema, limit: u64, out: &mut [u8]) -> Result<u64, String> {
        let text = self.rest;
        if !self.accept('[') {
            let given = shortened(text.trim());
            return Err(format!(
                "{given:?} is not in brackets: write [ITEM, ITEM], or set one item by its number"
            ));
        }
        let mut places = out.chunks_exact_mut(item.size as usize).take(limit as usize);
        let mut count = 0;
        while !self.accept(']') {
            let place = places.next().ok_or_else(|| {
                format!("{}: expected at most {limit} items", shortened(text.trim()))
            })?;
            self.put(item, place)?;
            count += 1;
            if !self.accept(',') {
                self.expect(']')?;
                break;
            }
        }
        Ok(count)
    }

    /// Parses `None`, `Some(3)`, or as JSON `null`, `3`. As JSON, a value that can be missing in
    /// itself is `{"Some": 3}`, since `null` would not say which of the two is missing.
    fn put_maybe(&mut self, item: &Schema, out: &mut [u8]) -> Result<(), String> {
        let place = maybe_offset(item) as usize;
        let before = self.rest;
        let end = match self.word() {
            "None" | "null" => return Ok(()),
            "Some" => {
                self.expect('(')?;
                Some(')')
            }
            _ => {
                self.rest = before;
                let is_nested = matches!(item.shape, Shape::Maybe { .. });
                match is_nested {
                    true => self.expect_key("Some").map(|()| Some('}'))?,
                    false => None,
                }
            }
        };
        out[0] = 1;
        let put = self.put(item, &mut out[place..][..item.size as usize]);
        let Some(end) = end else {
            return put.map_err(|why| format!("{why}; None and Some(...) are possible, too"));
        };
        put?;
        self.accept(',');
        self.expect(end)
    }

    /// Parses `{"key":`.
    fn expect_key(&mut self, key: &str) -> Result<(), String> {
        let shown = shortened(self.rest.trim());
        let found = self.accept('{')
            && self.word_or_quoted().is_ok_and(|word| word == key)
            && self.accept(':');
        found.then_some(()).ok_or_else(|| format!("{shown:?} is neither None nor Some(...)"))
    }

    /// Parses `Point { x: 1, y: 2 }` or `Point(1, 2)`, with or without the name, each field once;
    /// or as JSON `{"x": 1, "y": 2}`.
    fn put_fields(&mut self, schema: &Schema, out: &mut [u8]) -> Result<(), String> {
        let Shape::Struct { fields } = &schema.shape else { return Ok(()) };
        self.word();
        let tuple = self.accept('(');
        if !tuple {
            self.expect('{')?;
        }
        let mut missing: Vec<_> = fields.iter().collect();
        while let Some(first) = missing.first() {
            if !tuple && self.rest.trim_start().starts_with('}') {
                break;
            }
            let name = match tuple {
                true => Cow::from(&first.name),
                false => self.word_or_quoted()?,
            };
            if !tuple {
                self.expect(':')?;
            }
            let (schema, offset) =
                field(schema, &name).map_err(|why| format!("{} {why}", spelled(schema)))?;
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

    /// Parses `'a'` or `"a"`, or a single character.
    fn put_char(&mut self, out: &mut [u8]) -> Result<(), String> {
        let mut alone = self.rest.chars();
        let c = match (alone.next(), alone.as_str()) {
            (Some(c), "") => {
                self.rest = "";
                c
            }
            _ => {
                let is_json = self.rest.trim_start().starts_with('"');
                let text = self.quoted(if is_json { '"' } else { '\'' })?;
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) => c,
                    _ => return Err(format!("'{}' is not one character", shortened(&text))),
                }
            }
        };
        out.copy_from_slice(&u32::from(c).to_le_bytes());
        Ok(())
    }

    /// Parses a word, or a text in double quotes.
    fn word_or_quoted(&mut self) -> Result<Cow<'t, str>, String> {
        match self.rest.trim_start().starts_with('"') {
            true => self.quoted('"').map(Cow::from),
            false => Ok(self.word().into()),
        }
    }

    /// Parses the text between two `quote`s, with the escapes of Rust and of JSON.
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
        self.take_until(|c| c.is_whitespace() || ",:()[]{}\"'".contains(c))
    }
}

/// Parses the part of an escape after the `\`, and returns the character.
fn unescape(chars: &mut std::str::Chars<'_>) -> Result<char, String> {
    Ok(match chars.next() {
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('0') => '\0',
        Some(c @ ('\\' | '\'' | '"' | '/')) => c,
        Some('u') if chars.as_str().starts_with('{') => {
            let (digits, rest) =
                chars.as_str()[1..].split_once('}').ok_or("expected } after \\u{")?;
            *chars = rest.chars();
            let code = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
            code.ok_or_else(|| format!("\\u{{{}}} is not a character", shortened(digits)))?
        }
        Some('u') => {
            // JSON: one unit of UTF-16, or two.
            let first = utf16_unit(chars)?;
            let is_first_of_two = (0xd800..0xdc00).contains(&first);
            let second = match chars.as_str().strip_prefix("\\u") {
                Some(rest) if is_first_of_two => {
                    *chars = rest.chars();
                    Some(utf16_unit(chars)?)
                }
                _ => None,
            };
            let units = [first].into_iter().chain(second);
            match char::decode_utf16(units).next() {
                Some(Ok(c)) => c,
                _ => return Err(format!("\\u{first:04x} is only a half of a character")),
            }
        }
        _ => {
            let known = "n, r, t, b, f, 0, \\, /, ', \", u{...} or u and 4 hexadecimal digits";
            return Err(format!("\\ must be followed by {known}"));
        }
    })
}

/// Parses the four digits after `\u`.
fn utf16_unit(chars: &mut std::str::Chars<'_>) -> Result<u16, String> {
    let text = chars.as_str();
    let digits = text.get(..4).filter(|it| it.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
    let unit = unit.ok_or("expected {...} or 4 hexadecimal digits after \\u")?;
    *chars = text[4..].chars();
    Ok(unit)
}

/// Writes a text to `out`, which is zeroed.
pub(super) fn put_text(text: &str, schema: &Schema, out: &mut [u8]) -> Result<(), String> {
    let (length, places) = out.split_at_mut(LENGTH as usize);
    match &schema.shape {
        Shape::Text { capacity } if text.len() as u64 <= *capacity => {
            length.copy_from_slice(&(text.len() as u64).to_le_bytes());
            places[..text.len()].copy_from_slice(text.as_bytes());
            Ok(())
        }
        _ => {
            let (shown, len) = (shortened(text), text.len());
            Err(format!("{shown:?}: {len} bytes of text do not fit in {}", spelled(schema)))
        }
    }
}

/// Parses an integer. Returns its bits.
fn integer_bits(word: &str, scalar: Scalar) -> Result<u128, String> {
    let (min, max) = scalar.bounds().unwrap_or_default();
    let negative = word.parse().ok().filter(|value| (min..=0).contains(value));
    let positive = word.parse().ok().filter(|value| *value <= max);
    positive.or(negative.map(|value: i128| value as u128)).ok_or_else(|| {
        let (word, name) = (shortened(word), scalar.name());
        match word.contains('.') && word.parse::<f64>().is_ok() {
            true => format!("{word:?} is not a valid {name}: it is not a whole number"),
            false => format!("{word:?} is not a valid {name}: the range is {min} to {max}"),
        }
    })
}

/// Parses a number. Refuses one that is too large for its type, unless the text asks for infinity.
fn float<F: FromStr + Debug + Copy>(
    word: &str,
    scalar: Scalar,
    max: F,
    is_infinite: fn(F) -> bool,
) -> Result<F, String> {
    let wrong = || format!("{:?} is not a valid {}", shortened(word), scalar.name());
    let value = word.parse().map_err(|_| wrong())?;
    if is_infinite(value) && !word.contains("inf") {
        return Err(format!("{}: the largest is {max:?}", wrong()));
    }
    Ok(value)
}

/// Returns the field of a struct, with its offset.
pub(super) fn field<'s>(schema: &'s Schema, name: &str) -> Result<(&'s Schema, u64), String> {
    let Shape::Struct { fields } = &schema.shape else {
        let items = match &schema.shape {
            Shape::Array { len: 1, .. } => ": its item is [0]".into(),
            Shape::Array { len, .. } => format!(": its items are [0] to [{}]", len - 1),
            Shape::List { .. } => ": its items are [0], [1], ...".into(),
            _ => String::new(),
        };
        return Err(format!("is {}, which has no fields{items}", spelled(schema)));
    };
    match fields.iter().find(|field| field.name == name) {
        Some(field) => Ok((&field.schema, field.offset)),
        None => {
            let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
            Err(format!("has no field {name}: the fields are {}", names.join(", ")))
        }
    }
}
