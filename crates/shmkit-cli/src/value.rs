//! Values as text and as JSON.

use serde_json::{Value as Json, json};
use shmkit::shareable::Value;

use crate::output;

/// Returns the value as Rust's `Debug` shows it, but a single text or character without quotes.
pub(crate) fn plain(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => output::printable(text.clone()),
        Value::Char(letter) => output::printable(letter.to_string()),
        value => value.to_string(),
    }
}

/// Returns the same in one line: control characters of a text are escaped.
pub(crate) fn one_line(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => output::escaped(text, |_| false),
        Value::Char(letter) => output::escaped(&letter.to_string(), |_| false),
        value => value.to_string(),
    }
}

/// Returns the value as JSON. Infinity, NaN and integers beyond 64 bits, which JSON readers do not
/// agree on, are strings. `Schema::set` takes what this returns.
pub(crate) fn json(value: &Value<'_>) -> Json {
    match value {
        Value::Unsigned(value) => u64::try_from(*value).map_or_else(|_| text(value), Json::from),
        Value::Signed(value) => i64::try_from(*value).map_or_else(|_| text(value), Json::from),
        // Through its text, so that 0.1 stays 0.1.
        Value::F32(value) => float(value.to_string().parse().unwrap_or(f64::from(*value))),
        Value::F64(value) => float(*value),
        Value::Bool(value) => json!(value),
        Value::Char(value) => json!(value),
        Value::Text(value) => json!(value),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Maybe(None) => Json::Null,
        // Two times null would be the same.
        Value::Maybe(Some(value)) if matches!(**value, Value::Maybe(_)) => {
            json!({ "Some": json(value) })
        }
        Value::Maybe(Some(value)) => json(value),
        Value::Struct { fields, .. } => {
            fields.iter().map(|(name, value)| (*name, json(value))).collect()
        }
        Value::Enum { variant, .. } => json!(variant),
        other => text(other),
    }
}

fn text(value: impl std::fmt::Display) -> Json {
    Json::String(value.to_string())
}

fn float(value: f64) -> Json {
    if value.is_finite() { json!(value) } else { text(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shmkit::shareable::Schema;

    /// A struct with every kind of type.
    const EVERY_TYPE: &str = "a: u8, b: i8, c: u16, d: i16, e: u32, f: i32, g: u64, h: i64, \
        i: u128, j: i128, k: f32, l: f64, m: bool, n: char, o: FixedString<24>, p: [f32; 3], \
        q: FixedVec<Maybe<u16>, 3>, r: Maybe<f64>, s: Maybe<Maybe<u8>>, \
        t: P { 0: i32, 1: Mode(i8) { Low = -1, None, Fast } }, u: Maybe<(u8) { None, Some }>, \
        v: FixedVec<Q { x: u16, y: bool }, 2>, w: [FixedString<4>; 2], x: FixedVec<char, 4>";

    #[test]
    fn json_sets_the_value_that_it_was_made_from() {
        let schema = Schema::declare(EVERY_TYPE).unwrap();
        let mut bytes = schema.zeroed().unwrap();
        let check = |bytes: &[u8]| {
            let json = json(&schema.read(bytes).unwrap());
            for text in [json.to_string(), format!("{json:#}")] {
                // Other bytes, of which none may stay.
                let mut set = vec![0x55; bytes.len()];
                schema.set(&mut set, "", &text).unwrap();
                assert_eq!(set, bytes, "{text}");
            }
        };
        check(&bytes);
        for (path, text) in [
            ("a", "255"),
            ("b", "-128"),
            ("d", "-32768"),
            ("f", "-2147483648"),
            ("g", "18446744073709551615"),
            ("h", "-9223372036854775808"),
            ("i", "340282366920938463463374607431768211455"),
            ("j", "-170141183460469231731687303715884105728"),
            ("k", "NaN"),
            ("k", "-inf"),
            ("k", "3.4028235e38"),
            ("k", "0.1"),
            ("l", "inf"),
            ("l", "NaN"),
            ("l", "-0.0"),
            ("l", "5e-324"),
            ("l", "1.7976931348623157e308"),
            ("l", "0.1"),
            ("m", "true"),
            ("n", "'\"'"),
            ("n", "'\\u{1}'"),
            ("n", "\u{1f600}"),
            ("o", r#""\"\\/'\n\r\t\0\u{8}\u{c}\u{7f}\u{e4}""#),
            ("p", "[1, NaN, -inf]"),
            ("q", "[None, Some(5), Some(0)]"),
            ("r", "Some(NaN)"),
            ("r", "Some(inf)"),
            ("s", "Some(None)"),
            ("s", "Some(Some(7))"),
            ("t", "P(-5, Fast)"),
            ("t", "P(1, None)"),
            ("u", "Some(None)"),
            ("u", "Some(Some)"),
            ("v", "[Q { x: 1, y: true }]"),
            ("w", r#"["a=b", "[]{}"]"#),
            ("x", r"['a', '\\']"),
        ] {
            schema.set(&mut bytes, path, text).unwrap();
            check(&bytes);
        }
    }

    #[test]
    fn other_programs_may_write_the_json() {
        let text = Schema::declare("FixedString<24>").unwrap();
        let mut bytes = text.zeroed().unwrap();
        text.set(&mut bytes, "", r#""\u00e4\ud83d\ude00\/\b\f""#).unwrap();
        assert_eq!(plain(&text.read(&bytes).unwrap()), "\u{e4}\u{1f600}/\u{8}\u{c}");
        let point = Schema::declare("x: f64, y: Maybe<u32>").unwrap();
        let mut bytes = point.zeroed().unwrap();
        point.set(&mut bytes, "", "{\n  \"y\" : 3 ,\n  \"x\" : \"NaN\"\n}").unwrap();
        assert_eq!(json(&point.read(&bytes).unwrap()).to_string(), r#"{"x":"NaN","y":3}"#);
    }

    #[test]
    fn every_value_has_a_json_form() {
        let point = Value::Struct {
            name: "Point",
            fields: vec![
                ("y", Value::F32(0.1)),
                ("x", Value::F64(f64::NAN)),
                ("big", Value::Unsigned(u128::MAX)),
                ("small", Value::Signed(-5)),
                ("mode", Value::Enum { variant: "Fast", value: 1 }),
                ("none", Value::Maybe(None)),
                ("some", Value::Maybe(Some(Box::new(Value::Bool(true))))),
                ("text", Value::List(vec![Value::Text("a\"".into()), Value::Char('b')])),
            ],
        };
        let shown = r#"{"y":0.1,"x":"NaN","big":"340282366920938463463374607431768211455","small":-5,"mode":"Fast","none":null,"some":true,"text":["a\"","b"]}"#;
        assert_eq!(json(&point).to_string(), shown);
    }
}
