//! The layout of a type, known at compile time, and its fingerprint.
//!
//! A [`Layout`] is a tree of constants, the value of
//! [`Shareable::LAYOUT`](super::Shareable::LAYOUT). The compiler computes its
//! [`fingerprint`](Layout::fingerprint), so opening an object compares two numbers. For other
//! languages, and to show it to people, the tree becomes a [`Schema`](super::Schema) with a text.
//! The fingerprint is the FNV-1a hash of that text without the names of types.
//!
//! The compiler checks the limits too: a type that no reader could accept (nested too deep, a text
//! too long) does not compile.

use super::limits::{MAX_DEPTH, MAX_NAME, MAX_TEXT};

/// The layout of a [`Shareable`](super::Shareable) type: its name, size, alignment, and parts.
///
/// It is a constant that the derive makes. [`Schema::of`](super::Schema::of) converts it into a
/// tree that can be traversed, printed, compared and stored.
#[derive(Debug)]
pub struct Layout {
    pub(crate) name: &'static str,
    pub(crate) size: usize,
    pub(crate) align: usize,
    pub(crate) shape: Shape,
    depth: usize,
    fingerprint: u64,
}

/// The parts of a type.
#[derive(Debug)]
pub(crate) enum Shape {
    Scalar(Scalar),
    Array { item: &'static Layout, len: usize },
    Text { capacity: usize },
    List { item: &'static Layout, capacity: usize },
    Maybe { item: &'static Layout },
    Struct { fields: &'static [Field] },
    Enum { repr: Scalar, variants: &'static [Variant] },
}

/// One field of a struct.
#[derive(Debug)]
pub struct Field {
    #[doc(hidden)]
    pub name: &'static str,
    #[doc(hidden)]
    pub offset: usize,
    #[doc(hidden)]
    pub layout: &'static Layout,
}

/// One variant of an enum.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    #[doc(hidden)]
    pub name: &'static str,
    #[doc(hidden)]
    pub value: i128,
}

/// A type without parts. Its alignment is its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the Rust type of that name")]
pub enum Scalar {
    U8,
    U16,
    U32,
    U64,
    U128,
    I8,
    I16,
    I32,
    I64,
    I128,
    F32,
    F64,
    Bool,
    Char,
}

impl Scalar {
    pub(crate) const ALL: [Self; 14] = [
        Self::U8,
        Self::U16,
        Self::U32,
        Self::U64,
        Self::U128,
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::I128,
        Self::F32,
        Self::F64,
        Self::Bool,
        Self::Char,
    ];

    /// Returns the name in Rust and in the schema text, such as `u32`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::U128 => "u128",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::I128 => "i128",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Bool => "bool",
            Self::Char => "char",
        }
    }

    /// Returns the least and the greatest value of an integer.
    pub(crate) const fn bounds(self) -> Option<(i128, u128)> {
        let unused = 128 - 8 * self.size() as u32;
        match self {
            Self::U8 | Self::U16 | Self::U32 | Self::U64 | Self::U128 => {
                Some((0, u128::MAX >> unused))
            }
            Self::I8 | Self::I16 | Self::I32 | Self::I64 | Self::I128 => {
                Some((i128::MIN >> unused, (i128::MAX >> unused) as u128))
            }
            Self::F32 | Self::F64 | Self::Bool | Self::Char => None,
        }
    }

    /// Returns the size in bytes, which is also the alignment.
    pub const fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 | Self::Char => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
            Self::U128 | Self::I128 => 16,
        }
    }
}

impl Layout {
    /// Makes the layout of `T`, whose parts are `shape`.
    pub(crate) const fn new<T>(name: &'static str, shape: Shape) -> Self {
        let (size, align) = (size_of::<T>(), align_of::<T>());
        assert!(size > 0, "a type of size 0 cannot be shared: it has no bytes");
        let depth = 1 + shape.depth_below();
        assert!(depth <= MAX_DEPTH, "the type is nested too deep to be shared");
        let mut layout = Self { name, size, align, shape, depth, fingerprint: 0 };
        let mut hasher = TextHasher { hash: FNV_OFFSET_BASIS, written: 0, type_names: 0 };
        hasher.layout(&layout);
        assert!(
            hasher.written + hasher.type_names <= MAX_TEXT,
            "the type has too many fields to be shared: its schema text is longer than 64 KiB"
        );
        layout.fingerprint = hasher.hash;
        layout
    }

    /// Returns the name of the type without its path. It is only shown to people, and never
    /// compared.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether values of the type can be the elements of a list.
    pub(crate) const fn is_element(&self) -> bool {
        self.depth < MAX_DEPTH
    }

    /// Returns the size in bytes.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Returns the alignment in bytes.
    pub const fn align(&self) -> usize {
        self.align
    }

    /// Returns a hash of the layout: two types can share memory soundly if their fingerprints are
    /// equal.
    ///
    /// It covers sizes, alignments, the names, offsets and types of fields, and the names and
    /// values of variants, nested types included, but not the names of types.
    ///
    /// It is FNV-1a, 64 bit, by Fowler, Noll and Vo (<http://www.isthe.com/chongo/tech/comp/fnv/>),
    /// of the bytes of the [schema text](super::schema) without the names of types.
    pub const fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

impl Shape {
    const fn depth_below(&self) -> usize {
        match self {
            Self::Scalar(_) | Self::Text { .. } | Self::Enum { .. } => 0,
            Self::Array { item, .. } | Self::List { item, .. } | Self::Maybe { item } => item.depth,
            Self::Struct { fields } => {
                let (mut deepest, mut i) = (0, 0);
                while i < fields.len() {
                    if fields[i].layout.depth > deepest {
                        deepest = fields[i].layout.depth;
                    }
                    i += 1;
                }
                deepest
            }
        }
    }
}

pub(crate) const FNV_OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// Returns the FNV-1a hash of `text`.
pub(crate) const fn fnv1a(text: &str) -> u64 {
    fnv1a_from(FNV_OFFSET_BASIS, text)
}

/// Returns the FNV-1a hash of a text that begins with the hash `hash` and ends with `text`.
pub(crate) const fn fnv1a_from(hash: u64, text: &str) -> u64 {
    let mut hasher = TextHasher { hash, written: 0, type_names: 0 };
    hasher.text(text);
    hasher.hash
}

/// Hashes the schema text without the names of types, and counts the lengths of both.
struct TextHasher {
    hash: u64,
    written: usize,
    type_names: usize,
}

impl TextHasher {
    const fn layout(&mut self, layout: &Layout) {
        match &layout.shape {
            Shape::Scalar(scalar) => self.text(scalar.name()),
            Shape::Array { item, len } => {
                self.text("[");
                self.layout(item);
                self.text(";");
                self.number(*len as i128);
                self.text("]");
            }
            Shape::Text { capacity } => {
                self.text("text<");
                self.number(*capacity as i128);
                self.text(">");
            }
            Shape::List { item, capacity } => {
                self.text("list<");
                self.layout(item);
                self.text(",");
                self.number(*capacity as i128);
                self.text(">");
            }
            Shape::Maybe { item } => {
                self.text("maybe<");
                self.layout(item);
                self.text(">");
            }
            Shape::Struct { fields } => self.structure(layout, fields),
            Shape::Enum { repr, variants } => self.enumeration(layout.name, *repr, variants),
        }
    }

    const fn structure(&mut self, layout: &Layout, fields: &[Field]) {
        self.type_name(layout.name);
        self.text("(");
        self.number(layout.size as i128);
        self.text(",");
        self.number(layout.align as i128);
        self.text("){");
        let mut i = 0;
        while i < fields.len() {
            if i > 0 {
                self.text(",");
            }
            self.name(fields[i].name);
            self.text("@");
            self.number(fields[i].offset as i128);
            self.text(":");
            self.layout(fields[i].layout);
            i += 1;
        }
        self.text("}");
    }

    const fn enumeration(&mut self, name: &str, repr: Scalar, variants: &[Variant]) {
        self.type_name(name);
        self.text("(");
        self.text(repr.name());
        self.text("){");
        let mut i = 0;
        while i < variants.len() {
            if i > 0 {
                self.text(",");
            }
            self.name(variants[i].name);
            self.text("=");
            self.number(variants[i].value);
            i += 1;
        }
        self.text("}");
    }

    const fn type_name(&mut self, name: &str) {
        assert!(name.len() <= MAX_NAME, "the type's name is too long to be shared");
        self.type_names += name.len();
    }

    const fn name(&mut self, name: &str) {
        assert!(name.len() <= MAX_NAME, "a field's or variant's name is too long to be shared");
        self.text(name);
    }

    const fn number(&mut self, number: i128) {
        if number < 0 {
            self.byte(b'-');
        }
        let number = number.unsigned_abs();
        let mut unit = 1;
        while number / unit >= 10 {
            unit *= 10;
        }
        while unit > 0 {
            self.byte(b'0' + (number / unit % 10) as u8);
            unit /= 10;
        }
    }

    const fn text(&mut self, text: &str) {
        let mut i = 0;
        while i < text.len() {
            self.byte(text.as_bytes()[i]);
            i += 1;
        }
    }

    const fn byte(&mut self, byte: u8) {
        self.hash = (self.hash ^ byte as u64).wrapping_mul(FNV_PRIME);
        self.written += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shareable::Shareable;

    /// Evaluates the layout of an array at run time, so that a test can see it panic.
    fn array<T: Shareable, const N: usize>() -> Layout {
        Layout::new::<[T; N]>("", Shape::Array { item: T::LAYOUT, len: N })
    }

    #[test]
    fn the_hash_is_fnv1a() {
        // From the test vectors of the authors' reference code.
        assert_eq!(fnv1a(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn the_fingerprint_is_the_hash_of_the_text_without_names_of_types() {
        let fields: &[Field] = &[
            Field { name: "a", offset: 0, layout: u32::LAYOUT },
            Field { name: "b", offset: 4, layout: char::LAYOUT },
        ];
        let layout = Layout::new::<u64>("Name", Shape::Struct { fields });
        assert_eq!(layout.fingerprint(), fnv1a("(8,8){a@0:u32,b@4:char}"));
        assert_eq!(array::<u64, 1203>().fingerprint(), fnv1a("[u64;1203]"));
        assert_eq!(<[i128; 7]>::LAYOUT.fingerprint(), fnv1a("[i128;7]"));
    }

    #[test]
    #[should_panic(expected = "size 0")]
    fn a_type_without_bytes_cannot_be_shared() {
        array::<u64, 0>();
    }

    #[test]
    #[should_panic(expected = "nested too deep")]
    fn a_type_that_is_nested_too_deep_cannot_be_shared() {
        let mut layout = u8::LAYOUT;
        loop {
            layout = Box::leak(Box::new(Layout::new::<u8>("", Shape::Maybe { item: layout })));
            assert!(layout.depth <= MAX_DEPTH);
        }
    }

    #[test]
    #[should_panic(expected = "longer than 64 KiB")]
    fn a_type_whose_text_is_too_long_cannot_be_shared() {
        let field = |offset| Field { name: "a_field", offset, layout: u8::LAYOUT };
        let fields: Vec<_> = (0..MAX_TEXT / 8).map(field).collect();
        Layout::new::<u8>("", Shape::Struct { fields: fields.leak() });
    }
}
