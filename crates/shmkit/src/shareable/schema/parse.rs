//! From text to tree. The text can come from a hostile process. A text that breaks the grammar or a
//! limit is `Corrupt`; `MAX_DEPTH` bounds the recursion, and `MAX_OBJECT_TEXT` the memory.

use std::collections::HashSet;

use super::{Field, Schema, Shape, VALUE, Variant};
use crate::shareable::layout::Scalar;
use crate::shareable::limits::{MAX_ALIGN, MAX_DEPTH, MAX_NAME, MAX_OBJECT_TEXT, MAX_SIZE};
use crate::{Error, ErrorKind, Result};

impl Schema {
    /// Parses the text that `Display` prints and an object stores.
    ///
    /// The text may be hostile: parsing it is bounded in time and memory.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt), with the place, if the text breaks the grammar or a
    /// limit.
    pub fn parse(text: &str) -> Result<Self> {
        let mut parser = Parser { text, at: 0, in_value: false };
        if text.len() > MAX_OBJECT_TEXT {
            let why = format!("it has {} bytes, more than {MAX_OBJECT_TEXT}", text.len());
            return Err(parser.corrupt(&why));
        }
        let schema = parser.schema(1)?;
        if parser.at < text.len() {
            return Err(parser.corrupt("expected the end"));
        }
        Ok(schema)
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// Whether this is inside a type with the role `value`, which has no roles inside.
    in_value: bool,
}

impl<'a> Parser<'a> {
    fn schema(&mut self, depth: usize) -> Result<Schema> {
        if depth > MAX_DEPTH {
            return Err(self.corrupt(&format!("types are nested deeper than {MAX_DEPTH}")));
        }
        if self.accept("[") {
            return self.array(depth);
        }
        let name = self.name_or_nothing()?;
        if self.accept("(") {
            return match self.peek() {
                Some(b'0'..=b'9') => self.structure(name, depth),
                _ => self.enumeration(name),
            };
        }
        if self.accept("<") {
            return self.builtin(name, depth);
        }
        match Scalar::ALL.into_iter().find(|scalar| scalar.name() == name) {
            Some(scalar) => Ok(Schema::scalar(scalar)),
            None => Err(self.corrupt("expected a type")),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Schema> {
        let item = self.schema(depth + 1)?;
        self.expect(";")?;
        let len = self.count()?;
        self.expect("]")?;
        Schema::array(item, len).ok_or_else(|| self.too_large())
    }

    fn builtin(&mut self, name: &str, depth: usize) -> Result<Schema> {
        let schema = match name {
            "text" => Schema::text(self.count()?),
            "list" => {
                let item = self.schema(depth + 1)?;
                self.expect(",")?;
                Schema::list(item, self.count()?)
            }
            "maybe" => Schema::maybe(self.schema(depth + 1)?),
            _ => return Err(self.corrupt("expected text, list or maybe before <")),
        };
        self.expect(">")?;
        schema.ok_or_else(|| self.too_large())
    }

    fn structure(&mut self, name: &str, depth: usize) -> Result<Schema> {
        let size = self.count()?;
        self.expect(",")?;
        let align = self.count()?;
        self.expect("){")?;
        if size > MAX_SIZE || align > MAX_ALIGN || !align.is_power_of_two() || size % align != 0 {
            return Err(self.corrupt(&format!("size {size} and alignment {align} are invalid")));
        }
        let mut fields: Vec<Field> = Vec::new();
        let mut names = HashSet::new();
        let mut end = 0;
        loop {
            let name = self.name()?;
            self.expect("@")?;
            let offset = self.number()?;
            self.expect(":")?;
            let (role, schema) = self.part(depth)?;
            if !names.insert(name) {
                return Err(self.corrupt(&format!("two fields have the name {name}")));
            }
            if offset < end {
                return Err(self.corrupt(&format!("field {name} overlaps the field before")));
            }
            // A value in a slot is copied: it need not be aligned there.
            if role != VALUE && (schema.align > align || offset % schema.align != 0) {
                return Err(self.corrupt(&format!("field {name} is not aligned")));
            }
            end = offset.saturating_add(schema.size);
            if end > size {
                return Err(self.corrupt(&format!("field {name} ends outside its struct")));
            }
            fields.push(Field { name: name.into(), offset, role: role.into(), schema });
            if !self.accept(",") {
                break;
            }
        }
        self.expect("}")?;
        Ok(Schema { name: name.into(), size, align, shape: Shape::Struct { fields } })
    }

    /// The role, empty where there is none, and the type of a field.
    fn part(&mut self, depth: usize) -> Result<(&'a str, Schema)> {
        let start = self.at;
        let role = self.name_or_nothing()?;
        if role.is_empty() || !self.accept("#") {
            self.at = start;
            return Ok(("", self.schema(depth + 1)?));
        }
        if self.in_value {
            return Err(self.corrupt("a part of a value has a role"));
        }
        self.in_value = role == VALUE;
        let schema = self.schema(if self.in_value { 1 } else { depth + 1 })?;
        self.in_value = false;
        Ok((role, schema))
    }

    fn enumeration(&mut self, name: &str) -> Result<Schema> {
        let word = self.name_or_nothing()?;
        let repr = Scalar::ALL.into_iter().find(|scalar| scalar.name() == word);
        let repr = repr.filter(|scalar| scalar.size() <= 8);
        let Some((repr, (min, max))) = repr.and_then(|repr| Some((repr, repr.bounds()?))) else {
            return Err(self.corrupt("expected a size, or an integer of up to 64 bits"));
        };
        self.expect("){")?;
        let mut variants: Vec<Variant> = Vec::new();
        let mut names = HashSet::new();
        loop {
            let name = self.name()?;
            self.expect("=")?;
            let value = self.integer()?;
            if !names.insert(name) {
                return Err(self.corrupt(&format!("two variants have the name {name}")));
            }
            if value < min || value > max as i128 {
                return Err(self
                    .corrupt(&format!("variant {name} is {value}, outside the range of {word}")));
            }
            if variants.last().is_some_and(|last| last.value >= value) {
                return Err(
                    self.corrupt(&format!("variant {name} is not above the variant before"))
                );
            }
            variants.push(Variant { name: name.into(), value });
            if !self.accept(",") {
                break;
            }
        }
        self.expect("}")?;
        let Schema { size, align, .. } = Schema::scalar(repr);
        Ok(Schema { name: name.into(), size, align, shape: Shape::Enum { repr, variants } })
    }

    fn name(&mut self) -> Result<&'a str> {
        match self.name_or_nothing()? {
            "" => Err(self.corrupt("expected a name")),
            name => Ok(name),
        }
    }

    fn name_or_nothing(&mut self) -> Result<&'a str> {
        let rest = &self.text[self.at..];
        let end = rest
            .find(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let name = &rest[..end];
        if name.len() > MAX_NAME {
            return Err(self.corrupt(&format!("a name is longer than {MAX_NAME} bytes")));
        }
        if name.chars().any(char::is_control) {
            return Err(self.corrupt("a name contains a control character"));
        }
        self.at += end;
        Ok(name)
    }

    fn count(&mut self) -> Result<u64> {
        match self.number()? {
            0 => Err(self.corrupt("expected a number above 0")),
            count => Ok(count),
        }
    }

    fn integer(&mut self) -> Result<i128> {
        let negative = self.accept("-");
        match i128::from(if negative { self.count()? } else { self.number()? }) {
            value if negative => Ok(-value),
            value => Ok(value),
        }
    }

    fn number(&mut self) -> Result<u64> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let digits = &rest[..end];
        let number = digits.parse().ok().filter(|_| digits == "0" || !digits.starts_with('0'));
        let number = number.ok_or_else(|| self.corrupt("expected a number"))?;
        self.at += end;
        Ok(number)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn accept(&mut self, token: &str) -> bool {
        let found = self.text[self.at..].starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &str) -> Result<()> {
        if self.accept(token) { Ok(()) } else { Err(self.corrupt(&format!("expected {token}"))) }
    }

    fn too_large(&self) -> Error {
        self.corrupt(&format!("a type is larger than {MAX_SIZE} bytes"))
    }

    #[cold]
    fn corrupt(&self, why: &str) -> Error {
        let at = self.at;
        Error::new(ErrorKind::Corrupt, format!("the schema text is wrong at byte {at}: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_text_is_parsed_and_printed_the_same() {
        for text in [
            "u8",
            "char",
            "[[i128;3];4]",
            "text<1>",
            "list<(16,16){x@0:u128},3>",
            "maybe<f32>",
            "Größe_2(u8){Klein=0,Groß=255}",
            "(i64){a=-9223372036854775808,b=9223372036854775807}",
            "Pose(24,8){stamp_ns@0:u64,x@8:f64,mode@16:Mode(u8){Parked=0,Driving=1}}",
            "text(8,8){list@0:maybe(4,4){0@0:bool(u8){u8=1}},f32@4:u8}",
            "mutex(128,128){word@0:wait#u64,value@8:value#[(4,4){x@0:u32};2]}",
        ] {
            assert_eq!(Schema::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_text_that_breaks_the_grammar_or_a_limit_is_corrupt() {
        for (text, why) in [
            ("", "byte 0: expected a type"),
            ("usize", "byte 5: expected a type"),
            ("u8 ", "byte 2: expected the end"),
            ("[u8;0]", "expected a number above 0"),
            ("[u8;01]", "expected a number"),
            ("[u8;18446744073709551616]", "expected a number"),
            ("[u8;18446744073709551615]", "larger than"),
            ("[[u8;4294967296];4294967296]", "larger than"),
            ("text<9223372036854775807>", "larger than"),
            ("list<u8,18446744073709551615>", "larger than"),
            ("maybe<[u8;9223372036854775807]>", "larger than"),
            ("some<u8>", "expected text, list or maybe"),
            ("P(8,8){}", "expected a name"),
            ("P(8,8){x@0:u8,}", "expected a name"),
            ("P(0,1){x@0:u8}", "expected a number above 0"),
            ("P(8,3){x@0:u8}", "are invalid"),
            ("P(9,8){x@0:u8}", "are invalid"),
            ("P(9223372036854775808,8){x@0:u8}", "are invalid"),
            ("P(1073741824,1073741824){x@0:u8}", "are invalid"),
            ("P(8,8){x@8:u8}", "field x ends outside"),
            ("P(8,8){x@18446744073709551615:u8}", "field x ends outside"),
            ("P(8,8){x@0:u32,y@3:u8}", "field y overlaps"),
            ("P(8,8){x@4:u32,y@0:u8}", "field y overlaps"),
            ("P(8,4){x@0:u64}", "field x is not aligned"),
            ("P(8,4){x@2:u32}", "field x is not aligned"),
            ("P(8,8){x@0:u8,x@1:u8}", "two fields have the name x"),
            ("E(u8){}", "expected a name"),
            ("E(f32){a=0}", "integer of up to 64 bits"),
            ("E(u128){a=0}", "integer of up to 64 bits"),
            ("E(u8){a=256}", "outside the range of u8"),
            ("E(u8){a=-1}", "outside the range of u8"),
            ("E(i8){a=-0}", "expected a number above 0"),
            ("E(u8){a=1,b=1}", "variant b is not above"),
            ("E(u8){a=1,a=2}", "two variants have the name a"),
            ("P(1,1){\u{85}@0:u8}", "control character"),
        ] {
            let error = Schema::parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn length_depth_and_names_are_bounded() {
        let nested = |depth| format!("{}u8{}", "maybe<".repeat(depth), ">".repeat(depth));
        assert!(Schema::parse(&nested(MAX_DEPTH - 1)).is_ok());
        assert!(Schema::parse(&nested(MAX_DEPTH)).is_err());
        assert!(Schema::parse(&"[".repeat(MAX_OBJECT_TEXT)).is_err());
        assert!(Schema::parse(&"x".repeat(MAX_OBJECT_TEXT + 1)).is_err());
        let named = |len| format!("P(1,1){{{}@0:u8}}", "n".repeat(len));
        assert!(Schema::parse(&named(MAX_NAME)).is_ok());
        assert!(Schema::parse(&named(MAX_NAME + 1)).is_err());
    }
}
