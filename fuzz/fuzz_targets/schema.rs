//! Text from anybody as a schema, and bytes from anybody as values.
//!
//! The input is a text, a zero byte, and bytes. A text that is taken for a schema must be the one
//! text of that schema; bytes that are taken for a value must be encoded to bytes that are one.
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

/// Something of every kind, with padding.
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

fuzz_target!(|input: &[u8]| {
    let split = input.iter().position(|&byte| byte == 0).unwrap_or(input.len());
    let (text, bytes) = input.split_at(split);
    let bytes = bytes.get(1..).unwrap_or_default();
    if let Ok(text) = std::str::from_utf8(text) {
        as_schema(text);
    }
    as_value::<Everything>(bytes);
    as_value::<FixedString<8>>(bytes);
    as_value::<FixedVec<char, 2>>(bytes);
    as_value::<Maybe<bool>>(bytes);
});

fn as_schema(text: &str) {
    let Ok(schema) = Schema::parse(text) else { return };
    assert_eq!(schema.to_string(), text);
    schema.fingerprint();
}

fn as_value<T: Shareable>(bytes: &[u8]) {
    let Some(bytes) = bytes.get(..size_of::<T>()) else { return };
    let Some(value) = from_bytes::<T>(bytes) else { return };
    let mut encoded = vec![0; size_of::<T>()];
    value.encode(&mut encoded);
    assert!(T::valid(&encoded), "{bytes:?} became {encoded:?}");
}
