//! Any text as a schema, and any bytes as values.
//!
//! The input is the text of a schema, a change as `path=value`, and bytes, separated by zero bytes.
//! A text that is accepted as a schema must be the text of that schema. Bytes that are accepted as
//! a value must be encoded to valid bytes. A type and its schema must agree.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shmkit::shareable::{Schema, from_bytes};
use shmkit::{FixedString, FixedVec, Maybe, Shareable};

#[derive(Shareable)]
#[repr(u8)]
enum Mode {
    Parked = 1,
    Driving = 7,
}

/// Fields of every kind, with padding.
#[derive(Shareable)]
#[repr(C)]
struct Everything {
    flag: bool,
    letter: char,
    mode: Mode,
    wide: i128,
    name: FixedString<5>,
    list: FixedVec<Maybe<u16>, 3>,
    maybe: Maybe<Mode>,
    array: [[f32; 2]; 2],
}

/// The maximum size of values: larger ones are only slower.
const MAX_VALUE: u64 = 1 << 16;

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(3, |&byte| byte == 0);
    let mut text = || std::str::from_utf8(parts.next().unwrap_or_default()).unwrap_or_default();
    let (schema, change) = (text(), text());
    let bytes = parts.next().unwrap_or_default();
    as_schema(schema, change, bytes);
    as_value::<Everything>(bytes);
    as_value::<FixedString<8>>(bytes);
    as_value::<FixedVec<char, 2>>(bytes);
    as_value::<Maybe<bool>>(bytes);
});

fn as_schema(text: &str, change: &str, bytes: &[u8]) {
    let Ok(schema) = Schema::parse(text) else { return };
    assert_eq!(schema.to_string(), text);
    assert_eq!(schema.first_difference(&schema), None);
    let other = Schema::of::<Everything>();
    let differs = schema.first_difference(&other).is_some();
    assert_eq!(differs, schema.fingerprint() != other.fingerprint());
    if schema.size() > MAX_VALUE {
        return;
    }
    let mut value = bytes.to_vec();
    value.resize(schema.size() as usize, 0);
    if let Ok(value) = schema.read(&value) {
        value.to_string();
    }
    if let (Ok(mut value), Some((path, text))) = (schema.zeroed(), change.split_once('='))
        && schema.set(&mut value, path, text).is_ok()
    {
        schema.read(&value).expect("a value that was set is valid");
    }
}

fn as_value<T: Shareable>(bytes: &[u8]) {
    let Some(bytes) = bytes.get(..size_of::<T>()) else { return };
    let by_schema = Schema::of::<T>().read(bytes).is_ok();
    assert_eq!(by_schema, T::valid(bytes), "the type and its schema differ over {bytes:?}");
    let Some(value) = from_bytes::<T>(bytes) else { return };
    let mut encoded = vec![0; size_of::<T>()];
    value.encode(&mut encoded);
    assert!(T::valid(&encoded), "{bytes:?} became {encoded:?}");
}
