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
/// agree on, are strings.
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
        Value::Maybe(value) => value.as_deref().map_or(Json::Null, json),
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
