//! Random schemas, values and texts. Each message contains the seed.

use shmkit::ErrorKind;
use shmkit::shareable::schema::{MAX_TEXT, Schema, Shape};

/// Marsaglia's xorshift64* (doi:10.18637/jss.v008.i14), as Vigna's "An experimental exploration of
/// Marsaglia's xorshift generators, scrambled" has it.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// A valid schema as text, with its size and alignment.
    fn schema(&mut self, depth: u32) -> (String, u64, u64) {
        let scalars = ["u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "i128"];
        match self.below(if depth == 0 { 5 } else { 9 }) {
            0..3 => {
                let name = scalars[self.below(10) as usize];
                let size = name[1..].parse::<u64>().unwrap() / 8;
                (name.into(), size, size)
            }
            3 => {
                let (name, size) =
                    [("bool", 1), ("char", 4), ("f32", 4), ("f64", 8)][self.below(4) as usize];
                (name.into(), size, size)
            }
            4 => {
                let capacity = 1 + self.below(20);
                (format!("text<{capacity}>"), (8 + capacity).next_multiple_of(8), 8)
            }
            5 => {
                let ((item, size, align), len) = (self.schema(depth - 1), 1 + self.below(4));
                (format!("[{item};{len}]"), size * len, align)
            }
            6 => {
                let ((item, size, align), len) = (self.schema(depth - 1), 1 + self.below(4));
                let end = 8u64.next_multiple_of(align) + size * len;
                (format!("list<{item},{len}>"), end.next_multiple_of(align.max(8)), align.max(8))
            }
            7 => {
                let (item, size, align) = self.schema(depth - 1);
                (format!("maybe<{item}>"), (align + size).next_multiple_of(align), align)
            }
            _ => self.structure(depth),
        }
    }

    fn structure(&mut self, depth: u32) -> (String, u64, u64) {
        if self.one_in(4) {
            return ("E(i16){Low=-5,Zero=0,High=300}".into(), 2, 2);
        }
        let (mut fields, mut end, mut max_align) = (Vec::new(), 0u64, 1);
        for index in 0..1 + self.below(5) {
            let (schema, size, align) = self.schema(depth - 1);
            let offset = end.next_multiple_of(align);
            fields.push(format!("f{index}@{offset}:{schema}"));
            (end, max_align) = (offset + size, align.max(max_align));
        }
        let size = end.next_multiple_of(max_align);
        (format!("S({size},{max_align}){{{}}}", fields.join(",")), size, max_align)
    }

    /// Writes a valid value into zeros.
    fn fill(&mut self, schema: &Schema, bytes: &mut [u8]) {
        match schema.shape() {
            Shape::Struct { fields } => {
                for field in fields {
                    let size = field.schema.size() as usize;
                    self.fill(&field.schema, &mut bytes[field.offset as usize..][..size]);
                }
            }
            Shape::Array { item, .. } => bytes
                .chunks_exact_mut(item.size() as usize)
                .for_each(|bytes| self.fill(item, bytes)),
            Shape::Text { capacity } => {
                let len = self.below(capacity + 1);
                bytes[0] = len as u8;
                bytes[8..][..len as usize].fill_with(|| self.below(128) as u8);
            }
            Shape::List { item, capacity } => {
                let len = self.below(capacity + 1);
                bytes[0] = len as u8;
                let start = 8u64.next_multiple_of(item.align()) as usize;
                bytes[start..]
                    .chunks_exact_mut(item.size() as usize)
                    .take(len as usize)
                    .for_each(|bytes| self.fill(item, bytes));
            }
            Shape::Maybe { item } if self.one_in(2) => {
                bytes[0] = 1;
                let item_bytes = &mut bytes[item.align() as usize..][..item.size() as usize];
                self.fill(item, item_bytes);
            }
            Shape::Maybe { .. } => {}
            Shape::Enum { variants, .. } => {
                let value = variants[self.below(variants.len() as u64) as usize].value;
                let len = bytes.len();
                bytes.copy_from_slice(&value.to_le_bytes()[..len]);
            }
            Shape::Scalar(scalar) if ["bool", "char"].contains(&scalar.name()) => {
                bytes[0] = self.below(2) as u8;
            }
            Shape::Scalar(_) => bytes.fill_with(|| self.below(256) as u8),
            other => panic!("unknown shape {other:?}"),
        }
    }

    /// Changes up to two bytes, or cuts the end.
    fn corrupt(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..1 + self.below(2) {
            let at = self.below(bytes.len() as u64) as usize;
            match self.below(4) {
                0 => bytes[at] = self.below(256) as u8,
                1 => bytes[at] = b"0123456789(){}[]<>,;:@=-_"[self.below(25) as usize],
                2 => bytes[at] ^= 1 << self.below(8),
                _ if self.one_in(4) && at > 0 => bytes.truncate(at),
                _ => {}
            }
        }
    }
}

#[test]
fn a_schema_is_written_as_it_was_parsed_and_its_shown_values_can_be_set() {
    for seed in 1..=3_000 {
        let mut random = Random(seed);
        let (text, size, align) = random.schema(4);
        assert!(text.len() <= MAX_TEXT);
        let schema = Schema::parse(&text).unwrap_or_else(|error| panic!("{seed}: {error}"));
        assert_eq!(schema.to_string(), text, "{seed}");
        assert_eq!((schema.size(), schema.align()), (size, align), "{seed}: {text}");
        assert_eq!(schema.first_difference(&schema), None, "{seed}");

        let mut bytes = vec![0; size as usize];
        random.fill(&schema, &mut bytes);
        let value = schema.read(&bytes).unwrap_or_else(|error| panic!("{seed}: {error}"));
        for shown in [format!("{value}"), format!("{value:#}")] {
            let mut again = schema.zeroed().unwrap();
            schema.set(&mut again, "", &shown).unwrap_or_else(|error| panic!("{seed}: {error}"));
            assert_eq!(schema.read(&again).unwrap().to_string(), value.to_string(), "{seed}");
            if !shown.contains("NaN") {
                assert_eq!(again, bytes, "{seed}: {shown}");
            }
        }
    }
}

#[test]
fn corrupted_texts_and_bytes_give_errors_and_no_panic() {
    let mut parsed = 0;
    for seed in 1..=10_000 {
        let mut random = Random(seed);
        let (text, size, _) = random.schema(3);
        let schema = Schema::parse(&text).unwrap();

        let mut bytes = vec![0; size as usize];
        random.fill(&schema, &mut bytes);
        random.corrupt(&mut bytes);
        let checked = schema.check(&bytes).map_err(|error| error.to_string());
        match schema.read(&bytes) {
            Ok(value) => _ = value.to_string(),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{seed}");
                assert_eq!(checked, Err(error.to_string()), "{seed}");
            }
        }
        assert_eq!(checked.is_ok(), schema.read(&bytes).is_ok(), "{seed}");

        let mut corrupted = text.clone().into_bytes();
        random.corrupt(&mut corrupted);
        let corrupted = String::from_utf8_lossy(&corrupted);
        match Schema::parse(&corrupted) {
            Ok(other) => {
                parsed += 1;
                assert_eq!(other.to_string(), corrupted, "{seed}");
                let same = schema.first_difference(&other).is_none();
                assert_eq!(
                    same,
                    schema.fingerprint() == other.fingerprint(),
                    "{seed}: {corrupted}"
                );
                if other.size() <= 1 << 20 {
                    _ = other.read(&vec![1; other.size() as usize]);
                    _ = other.set(&mut vec![0; other.size() as usize], "", &text);
                }
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{seed}"),
        }
    }
    assert!(parsed > 500, "only {parsed} of the corrupted texts could be parsed");
}
