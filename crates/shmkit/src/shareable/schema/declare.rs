//! From a declaration, as a person writes it, to a tree with the layout of `repr(C)`.

use super::unparsed::{Unparsed, shortened};
use super::{Field, Schema, Shape, Variant};
use crate::shareable::layout::Scalar;
use crate::shareable::limits::{MAX_DEPTH, MAX_SIZE};
use crate::{Error, ErrorKind, Result};

impl Schema {
    /// Returns the type that a text declares: `x: f64, y: f64`.
    ///
    /// It is the type of the struct with these fields and `#[repr(C)]`, so a program that has that
    /// struct can open the object. A declaration consists of
    /// - scalars: `f64`, `u8`, `bool`, `char` and so on;
    /// - `[T; N]`, `FixedString<N>`, `FixedVec<T, N>`, `Maybe<T>`;
    /// - structs: `Point { x: f32, y: f32 }`, with or without a name; the outermost one needs no
    ///   braces;
    /// - enums: `Mode(u8) { Parked = 0, Driving }`, with or without a name. A variant without a
    ///   number has the one after the variant before, and the first one 0.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument), with what was expected and where, or with
    /// the limit of a type that the text breaks.
    ///
    /// # Examples
    ///
    /// ```
    /// use shmkit::Shareable;
    /// use shmkit::shareable::Schema;
    ///
    /// #[derive(Shareable)]
    /// #[repr(C)]
    /// struct Point { id: u8, x: f64, y: f64 }
    ///
    /// let declared = Schema::declare("id: u8, x: f64, y: f64")?;
    /// assert_eq!(declared.fingerprint(), Schema::of::<Point>().fingerprint());
    /// # Ok::<(), shmkit::Error>(())
    /// ```
    pub fn declare(text: &str) -> Result<Self> {
        let mut declaration = Unparsed { rest: text };
        let schema = match declaration.begins_with_field() {
            true => declaration.fields("", None, 1),
            false => declaration.schema(1),
        };
        let schema = schema.and_then(|schema| match declaration.rest.trim() {
            "" => Ok(schema),
            rest => Err(format!("unexpected {:?}", shortened(rest))),
        });
        let wrong = |why: String| {
            let why = format!("{text:?} does not declare a type: {why}");
            Error::new(ErrorKind::InvalidArgument, why)
        };
        let schema = schema.map_err(wrong)?;
        // All other limits are those of a schema that another process wrote.
        Self::parse(&schema.to_string()).map_err(|error| wrong(error.reason()))
    }
}

impl<'t> Unparsed<'t> {
    fn begins_with_field(&self) -> bool {
        let mut ahead = *self;
        !ahead.identifier().is_empty() && ahead.accept(':')
    }

    fn schema(&mut self, depth: usize) -> Result<Schema, String> {
        if depth > MAX_DEPTH {
            return Err(format!("types are nested deeper than {MAX_DEPTH}"));
        }
        if self.accept('[') {
            let item = self.schema(depth + 1)?;
            self.expect(';')?;
            let len = self.count()?;
            self.expect(']')?;
            return Schema::array(item, len).ok_or_else(too_large);
        }
        let before = self.rest.trim();
        let name = self.identifier();
        if self.accept('{') {
            return self.fields(name, Some('}'), depth);
        }
        if self.accept('(') {
            return self.enumeration(name);
        }
        if let Some(scalar) = scalar(name) {
            return Ok(Schema::scalar(scalar));
        }
        if !["FixedString", "FixedVec", "Maybe"].contains(&name) {
            let known = "f64, u8, bool, [f64; 3], FixedString<16>, FixedVec<u8, 4>, Maybe<f64>, \
                         { x: f64 }";
            let before = shortened(before);
            return Err(format!("expected a type such as {known} before {before:?}"));
        }
        self.expect('<')?;
        let schema = match name {
            "FixedString" => Schema::text(self.count()?),
            "FixedVec" => {
                let item = self.schema(depth + 1)?;
                self.expect(',')?;
                Schema::list(item, self.count()?)
            }
            _ => Schema::maybe(self.schema(depth + 1)?),
        };
        self.expect('>')?;
        schema.ok_or_else(too_large)
    }

    /// Parses the fields of a struct up to `end`, each at the next offset that its type allows.
    fn fields(&mut self, name: &str, end: Option<char>, depth: usize) -> Result<Schema, String> {
        let (mut fields, mut size, mut align) = (Vec::new(), 0_u64, 1);
        loop {
            let field = self.name("a field")?;
            self.expect(':')?;
            let schema = self.schema(depth + 1)?;
            let offset = size.checked_next_multiple_of(schema.align).ok_or_else(too_large)?;
            size = offset.checked_add(schema.size).ok_or_else(too_large)?;
            align = align.max(schema.align);
            fields.push(Field { name: field.into(), offset, role: String::new(), schema });
            if !self.accept(',') || self.is_at(end) {
                break;
            }
        }
        if let Some(end) = end {
            self.expect(end)?;
        }
        Schema::sized(name, size, align, Shape::Struct { fields }).ok_or_else(too_large)
    }

    /// Parses an enum from its integer on: `u8) { Parked = 0, Driving }`.
    fn enumeration(&mut self, name: &str) -> Result<Schema, String> {
        let word = self.identifier();
        let repr = scalar(word).filter(|scalar| scalar.bounds().is_some());
        let repr = repr.ok_or_else(|| format!("{word:?} is not the integer of an enum"))?;
        self.expect(')')?;
        self.expect('{')?;
        let (mut variants, mut next) = (Vec::new(), 0_i128);
        loop {
            let name = self.name("a variant")?;
            let value = if self.accept('=') { self.integer()? } else { next };
            next = value.saturating_add(1);
            variants.push(Variant { name: name.into(), value });
            if !self.accept(',') || self.is_at(Some('}')) {
                break;
            }
        }
        self.expect('}')?;
        variants.sort_by_key(|variant| variant.value);
        let Schema { size, align, .. } = Schema::scalar(repr);
        Ok(Schema { name: name.into(), size, align, shape: Shape::Enum { repr, variants } })
    }

    fn name(&mut self, of: &str) -> Result<&'t str, String> {
        let before = self.rest.trim();
        match self.identifier() {
            "" => Err(format!("expected the name of {of} before {:?}", shortened(before))),
            name => Ok(name),
        }
    }

    fn count(&mut self) -> Result<u64, String> {
        let word = self.identifier();
        let count = word.parse().ok().filter(|count| *count > 0);
        count.ok_or_else(|| format!("{:?} is not a number above 0", shortened(word)))
    }

    fn integer(&mut self) -> Result<i128, String> {
        let sign = if self.accept('-') { "-" } else { "" };
        let digits = self.identifier();
        let number = format!("{sign}{digits}");
        number.parse().map_err(|_| format!("{number:?} is not an integer"))
    }

    /// Takes the next identifier or number. It is empty before punctuation.
    fn identifier(&mut self) -> &'t str {
        self.take_until(|c| !(c.is_alphanumeric() || c == '_'))
    }

    /// Whether the text is at this end, after a comma that separates nothing.
    fn is_at(&self, end: Option<char>) -> bool {
        let rest = self.rest.trim_start();
        end.map_or(rest.is_empty(), |end| rest.starts_with(end))
    }
}

fn scalar(name: &str) -> Option<Scalar> {
    Scalar::ALL.into_iter().find(|scalar| scalar.name() == name)
}

fn too_large() -> String {
    format!("a type is larger than {MAX_SIZE} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_has_the_layout_of_a_c_struct() {
        for (text, schema) in [
            ("f64", "f64"),
            ("x: f64, y: f64", "(16,8){x@0:f64,y@8:f64}"),
            (" x : f64 , y : u8 , ", "(16,8){x@0:f64,y@8:u8}"),
            ("Point { id: u8, x: f32, }", "Point(8,4){id@0:u8,x@4:f32}"),
            ("[{ a: u8, b: u16 }; 3]", "[(4,2){a@0:u8,b@2:u16};3]"),
            ("a: FixedString<5>, b: FixedVec<u16, 3>", "(32,8){a@0:text<5>,b@16:list<u16,3>}"),
            ("a: Maybe<Maybe<u32>>", "(12,4){a@0:maybe<maybe<u32>>}"),
            ("Mode(u8) { Parked, Driving }", "Mode(u8){Parked=0,Driving=1}"),
            ("m: (i8) { B = 5, C, A = -2 }", "(1,1){m@0:(i8){A=-2,B=5,C=6}}"),
            ("0: f32, 1: char", "(8,4){0@0:f32,1@4:char}"),
        ] {
            let declared = Schema::declare(text).map(|it| it.to_string());
            assert_eq!(declared.ok().as_deref(), Some(schema), "{text}");
        }
    }

    #[test]
    fn what_declares_no_type_is_refused_with_the_reason() {
        let deep = format!("{}u8{}", "Maybe<".repeat(40), ">".repeat(40));
        for (text, why) in [
            ("", "expected a type such as"),
            ("usize", "before \"usize\""),
            ("x: f64 y: f64", "unexpected \"y: f64\""),
            ("x: f64, y", "expected : at the end"),
            ("x: f64, x: f64", "two fields have the name x"),
            ("{ x: f64", "expected } at the end"),
            ("[u8; 0]", "\"0\" is not a number above 0"),
            ("[u8; -1]", "\"\" is not a number above 0"),
            ("[u64; 9223372036854775807]", "larger than"),
            ("FixedString", "expected < at the end"),
            ("M(f64) { A }", "\"f64\" is not the integer of an enum"),
            ("M(u8) { A = 256 }", "outside the range of u8"),
            ("M(u8) { A = 1, B = 1 }", "variant B is not above the variant before"),
            ("M(u8) { A = x }", "\"x\" is not an integer"),
            (&deep, "nested deeper than 32"),
        ] {
            let error = Schema::declare(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains(why), "{error}\nmust contain: {why}");
        }
    }
}
