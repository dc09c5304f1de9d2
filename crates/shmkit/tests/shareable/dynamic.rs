//! Values read, shown and set through a schema, without their type.

use std::mem::offset_of;

use shmkit::shareable::{Schema, Value};
use shmkit::{ErrorKind, FixedString, FixedVec, Maybe, Shareable};

use crate::encoded;

#[derive(Shareable, Debug)]
#[repr(C)]
struct Pose {
    stamp_ns: u64,
    at: Point,
    mode: Mode,
    name: FixedString<12>,
    v: [i16; 2],
    joints: FixedVec<Point, 3>,
    limit: Maybe<f32>,
    key: char,
    on: bool,
    big: u128,
}

#[derive(Shareable, Debug, Clone, Copy)]
#[repr(C)]
struct Point(f64, f32);

#[derive(Shareable, Debug, Clone, Copy)]
#[repr(i8)]
enum Mode {
    Fast = -1,
    Slow = 0,
}

fn pose() -> Pose {
    Pose {
        stamp_ns: u64::MAX,
        at: Point(1.25, -0.0),
        mode: Mode::Fast,
        name: "a\t\"é\u{0}".parse().unwrap(),
        v: [-1, i16::MAX],
        joints: FixedVec::try_from(&[Point(f64::NAN, f32::INFINITY), Point(1e300, 0.1)][..])
            .unwrap(),
        limit: Maybe::Some(2.5),
        key: '\'',
        on: true,
        big: u128::MAX,
    }
}

#[test]
fn a_value_is_shown_as_its_debug_output() {
    let (schema, pose) = (Schema::of::<Pose>(), pose());
    let bytes = encoded(&pose);
    let value = schema.read(&bytes).unwrap();
    assert_eq!(value.to_string(), format!("{pose:?}"));
    assert_eq!(format!("{value:#}"), format!("{pose:#?}"));
    let Value::Struct { name: "Pose", fields } = value else { panic!("{value}") };
    assert_eq!(fields[0], ("stamp_ns", Value::Unsigned(u64::MAX.into())));
    assert_eq!(fields[2], ("mode", Value::Enum { variant: "Fast", value: -1 }));
}

#[test]
fn the_shown_text_can_be_set() {
    let (schema, pose) = (Schema::of::<Pose>(), pose());
    for shown in [format!("{pose:?}"), format!("{pose:#?}")] {
        let mut bytes = schema.zeroed().unwrap();
        schema.set(&mut bytes, "", &shown).unwrap();
        assert_eq!(bytes, encoded(&pose));
    }
}

#[test]
fn invalid_bytes_are_corrupt_and_the_error_names_the_field() {
    let schema = Schema::of::<Pose>();
    let good = encoded(&pose());
    let joints = offset_of!(Pose, joints);
    for (at, byte, why) in [
        (offset_of!(Pose, mode), 3, "field mode is 3, which is not a valid variant"),
        (offset_of!(Pose, name), 13, "field name has length 13, more than its capacity of 12"),
        (offset_of!(Pose, name), 4, "field name is not UTF-8"),
        (offset_of!(Pose, name) + 19, 4, "field name has bytes other than 0 after its end"),
        (joints, 4, "field joints has length 4, more than its capacity of 3"),
        (joints, 1, "field joints has bytes other than 0 after its end"),
        (offset_of!(Pose, limit), 2, "field limit begins with 2, not 0 or 1"),
        (offset_of!(Pose, key) + 2, 0x11, "field key is 0x110027, which is not a valid char"),
        (offset_of!(Pose, on), 2, "field on is 2, which is not a valid bool"),
    ] {
        let mut bad = good.clone();
        bad[at] = byte;
        let error = schema.read(&bad).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Corrupt, why));
        assert_eq!(schema.set(&mut bad, "on", "true").unwrap_err().kind(), ErrorKind::Corrupt);
    }
    let schema = Schema::of::<[[bool; 2]; 2]>();
    let error = schema.read(&[0, 1, 2, 0]).unwrap_err();
    assert_eq!(error.to_string(), "field [1][0] is 2, which is not a valid bool");
    let error = schema.read(&[0; 3]).unwrap_err();
    assert_eq!(error.to_string(), "expected a value of 4 bytes, found 3");
    assert_eq!(
        Schema::of::<bool>().read(&[9]).unwrap_err().to_string(),
        "the value is 9, which is not a valid bool"
    );
}

/// Sets a part of the pose, and shows the field that contains it.
fn set(path: &str, text: &str) -> Result<String, String> {
    let schema = Schema::of::<Pose>();
    let mut bytes = encoded(&pose());
    let before = bytes.clone();
    if let Err(error) = schema.set(&mut bytes, path, text) {
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert_eq!(bytes, before, "a refused change");
        return Err(error.to_string());
    }
    let value = schema.read(&bytes).unwrap();
    let Value::Struct { fields, .. } = value else { panic!("{value}") };
    let field = path.split(['.', '[']).next().unwrap();
    let (_, value) = fields.iter().find(|(name, _)| *name == field).unwrap();
    Ok(value.to_string())
}

#[test]
fn a_part_is_set_by_its_path() {
    for (path, text, shown) in [
        ("stamp_ns", "7", "7"),
        ("at.0", " -3.5e2 ", "Point(-350.0, -0.0)"),
        ("at.1", "NaN", "Point(1.25, NaN)"),
        ("at", "Point(1, 2)", "Point(1.0, 2.0)"),
        ("at", "(1,2,)", "Point(1.0, 2.0)"),
        ("mode", "Slow", "Slow"),
        ("name", "two words", "\"two words\""),
        ("name", "", "\"\""),
        ("name", r#""\u{e9}\n""#, r#""é\n""#),
        ("v[1]", "-32768", "[-1, -32768]"),
        ("v", "[1,-0]", "[1, 0]"),
        ("joints[1].0", "-inf", "[Point(NaN, inf), Point(-inf, 0.1)]"),
        ("joints", "[]", "[]"),
        (
            "joints",
            "[(1, 2), (3, 4), (5, 6)]",
            "[Point(1.0, 2.0), Point(3.0, 4.0), Point(5.0, 6.0)]",
        ),
        ("limit", "None", "None"),
        ("limit", "Some(1)", "Some(1.0)"),
        ("key", "é", "'é'"),
        ("key", "'", "'\\''"),
        ("key", r"'\''", "'\\''"),
        ("on", "false", "false"),
        (
            "big",
            "340282366920938463463374607431768211455",
            "340282366920938463463374607431768211455",
        ),
    ] {
        assert_eq!(set(path, text).as_deref(), Ok(shown), "{path}={text}");
    }
}

#[test]
fn an_invalid_path_is_refused_with_the_valid_ones() {
    for (path, text, why) in [
        (
            "speed",
            "1",
            "the value has no field speed: the fields are stamp_ns, at, mode, name, v, joints, limit, key, on, big",
        ),
        ("at.2", "1", "at has no field 2: the fields are 0, 1"),
        ("at.0.x", "1", "at.0 is f64, which has no fields"),
        ("v.x", "1", "v is [i16; 2], which has no fields: its items are [0] to [1]"),
        ("mode[0]", "1", "mode is enum Mode, which has no items"),
        (
            "limit.x",
            "1",
            "limit is Maybe<f32>, which can only be read and set as a whole: limit=Some(...) or limit=None",
        ),
        ("v[2]", "1", "v has 2 items, counted from 0: there is no [2]"),
        ("v[-1]", "1", "v has 2 items, counted from 0: there is no [-1]"),
        ("joints[2].0", "1", "joints has 2 items, counted from 0: there is no [2]"),
        ("v[1", "1", "v[1 is not a path such as pose.x or v[2]"),
        ("v[1]x", "1", "v[1]x is not a path such as pose.x or v[2]"),
        (
            ".at",
            "1",
            "the value has no field : the fields are stamp_ns, at, mode, name, v, joints, limit, key, on, big",
        ),
    ] {
        assert_eq!(set(path, text).unwrap_err(), why, "{path}={text}");
    }
}

#[test]
fn an_invalid_value_is_refused_with_what_is_valid() {
    for (path, text, why) in [
        (
            "stamp_ns",
            "-1",
            "stamp_ns: \"-1\" is not a valid u64: the range is 0 to 18446744073709551615",
        ),
        ("v[0]", "32768", "v[0]: \"32768\" is not a valid i16: the range is -32768 to 32767"),
        ("stamp_ns", "1.5", "stamp_ns: \"1.5\" is not a valid u64: it is not a whole number"),
        ("stamp_ns", "1 2", "stamp_ns: unexpected \"2\" after the value"),
        ("at.1", "1e39", "at.1: \"1e39\" is not a valid f32: the largest is 3.4028235e38"),
        ("at.0", "abc", "at.0: \"abc\" is not a valid f64"),
        ("at", "Point(1)", "at: field 1 is missing"),
        ("at", "{}", "at: field 0 is missing"),
        ("at", "Point { 0: 1, }", "at: field 1 is missing"),
        ("at", "Point { 0: 1, 0: 2 }", "at: field 0 is given twice"),
        ("at", "Point { z: 1 }", "at: struct Point has no field z: the fields are 0, 1"),
        ("mode", "fast", "mode: \"fast\" is not a variant: the variants are Fast, Slow"),
        (
            "name",
            "thirteen bytes",
            "name: \"thirteen bytes\": 14 bytes of text do not fit in FixedString<12>",
        ),
        ("name", "\"open", "name: expected \" at the end"),
        (
            "name",
            r#""\x""#,
            r#"name: \ must be followed by n, r, t, b, f, 0, \, /, ', ", u{...} or u and 4 hexadecimal digits"#,
        ),
        ("name", r#""\ud83d""#, r"name: \ud83d is only a half of a character"),
        ("name", r#""\u12""#, r"name: expected {...} or 4 hexadecimal digits after \u"),
        ("name", r#""\u{d800}""#, r"name: \u{d800} is not a character"),
        ("v", "[1]", "v: [1]: expected 2 items for [i16; 2], found 1"),
        ("v", "[1, 2, 3]", "v: [1, 2, 3]: expected at most 2 items"),
        (
            "v",
            "1",
            "v: \"1\" is not in brackets: write [ITEM, ITEM], or set one item by its number",
        ),
        (
            "v",
            "123456789 123456789 123456789 123456789 123456789",
            "v: \"123456789 123456789 123456789 123456789 ...\" is not in brackets: write [ITEM, \
             ITEM], or set one item by its number",
        ),
        ("limit", "no", "limit: \"no\" is not a valid f32; None and Some(...) are possible, too"),
        ("limit", "", "limit: \"\" is not a valid f32; None and Some(...) are possible, too"),
        ("limit", "Some(x)", "limit: \"x\" is not a valid f32"),
        ("limit", "Some 1", "limit: expected ( before \"1\""),
        ("key", "ab", "key: expected ' before \"ab\""),
        ("key", "'ab'", "key: 'ab' is not one character"),
        ("on", "yes", "on: \"yes\" is neither true nor false"),
    ] {
        assert_eq!(set(path, text).unwrap_err(), why, "{path}={text}");
    }
}

#[test]
fn a_maybe_in_a_maybe_that_is_neither_is_refused_with_what_is_possible() {
    let schema = Schema::of::<Maybe<Maybe<u8>>>();
    for (text, shown) in
        [("3", "\"3\""), ("{\"Some", "\"{\\\"Some\""), ("{\"None\": 3}", "\"{\\\"None\\\": 3}\"")]
    {
        let error = schema.set(&mut [0; 3], "", text).unwrap_err();
        assert_eq!(error.to_string(), format!("value: {shown} is neither None nor Some(...)"));
    }
}

#[test]
fn a_part_is_read_by_the_path_that_sets_it() {
    let schema = Schema::of::<Pose>();
    let mut bytes = encoded(&pose());
    schema.set(&mut bytes, "stamp_ns", "7").unwrap();
    assert_eq!(schema.read_part(&bytes, "stamp_ns").unwrap(), Value::Unsigned(7));
    let whole = schema.read(&bytes).unwrap().to_string();
    assert_eq!(schema.read_part(&bytes, "").unwrap().to_string(), whole);
    let error = schema.read_part(&bytes, "nowhere").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().starts_with("the value has no field nowhere: "), "{error}");
    assert_eq!(schema.read_part(&bytes[1..], "").unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(schema.part("stamp_ns").unwrap(), &Schema::of::<u64>());
    assert_eq!(schema.part("nowhere").unwrap_err().to_string(), error.to_string());
}

#[test]
fn a_value_that_is_not_a_struct_is_set_whole() {
    for path in ["", "value"] {
        let mut bytes = [0; 4];
        Schema::of::<u32>().set(&mut bytes, path, "7").unwrap();
        assert_eq!(bytes, [7, 0, 0, 0]);
        let mut bytes = [0; 16];
        Schema::of::<FixedString<8>>().set(&mut bytes, path, "abc").unwrap();
        assert_eq!(bytes[..12], [3, 0, 0, 0, 0, 0, 0, 0, b'a', b'b', b'c', 0]);
    }
    let mut bytes = [0; 3];
    Schema::of::<[u8; 3]>().set(&mut bytes, "[1]", "9").unwrap();
    assert_eq!(bytes, [0, 9, 0]);
    // The old bytes need not be valid.
    let mut bytes = [2];
    Schema::of::<bool>().set(&mut bytes, "", "true").unwrap();
    assert_eq!(bytes, [1]);
    assert_eq!(
        Schema::of::<bool>().set(&mut [], "", "true").unwrap_err().kind(),
        ErrorKind::Corrupt
    );
    let error = Schema::of::<u8>().set(&mut [0], "", "256").unwrap_err();
    assert_eq!(error.to_string(), "value: \"256\" is not a valid u8: the range is 0 to 255");
}

#[test]
fn zeros_are_a_value_unless_an_enum_has_no_variant_of_0() {
    assert_eq!(Schema::of::<Pose>().zeroed().unwrap(), vec![0; size_of::<Pose>()]);
    #[derive(Shareable)]
    #[repr(u8)]
    enum Side {
        Left = 1,
        Right,
    }
    let error = Schema::of::<[Side; 2]>().zeroed().unwrap_err();
    assert_eq!(error.to_string(), "enum Side has no variant of value 0");
    assert_eq!(Schema::of::<FixedVec<Side, 2>>().zeroed().unwrap(), [0; 16]);
    let huge = Schema::parse("[u64;1000000000000000000]").unwrap();
    assert_eq!(huge.zeroed().unwrap_err().kind(), ErrorKind::OutOfSpace);
}
