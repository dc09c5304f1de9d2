//! The arguments that choose the type of messages of a new object.

use shmkit::shareable::Schema;

use crate::exit::Failure;
use crate::units;

/// The most bytes of a list, unless another size is chosen.
const DEFAULT_MAX_BYTES: u64 = 4 << 10;

/// The type of messages.
#[derive(Debug, clap::Args)]
pub(crate) struct TypeArgs {
    /// The type of messages: `lines`, `bytes`, or a type as for `shm create`
    ///
    /// Messages that are `lines` or `bytes` have any length: a program opens them as `[u8]`. With
    /// brackets, as in `[f32]` or `[{ x: f64, y: f64 }]`, a message is a list of any length. All
    /// other types are those of `shm create`: `Pose { x: f64, y: f64 }`, `f64`, `FixedString<32>`.
    #[arg(long = "type", value_name = "TYPE")]
    type_text: String,
    /// Allow messages of up to this size: for lines, bytes and lists [default: 4KiB]
    #[arg(long, value_name = "BYTES", value_parser = units::bytes)]
    max_size: Option<u64>,
}

impl TypeArgs {
    /// Returns the type of a message, or of each item of a list with the most items.
    pub(crate) fn schema(&self) -> anyhow::Result<(Schema, Option<u64>)> {
        parse(&self.type_text, ("--max-size", self.max_size))
    }
}

/// Returns the type of a message, or of each item of a list with the most items. `max_size` is an
/// option and its value.
pub(crate) fn parse(
    text: &str,
    (option, max_size): (&str, Option<u64>),
) -> anyhow::Result<(Schema, Option<u64>)> {
    let (item, is_list) = item(text);
    let schema = Schema::declare(item)?;
    let size = schema.size().max(1);
    if !is_list {
        return match max_size.filter(|max| *max != schema.size()) {
            None => Ok((schema, None)),
            Some(_) => {
                let why =
                    format!("{option} is for lines, bytes and lists: each {text} has {size} B");
                Err(Failure::Usage(why).into())
            }
        };
    }
    let items = max_size.unwrap_or(DEFAULT_MAX_BYTES.max(size)) / size;
    if items == 0 {
        let why = format!("{option} has no room for one item of {size} B");
        return Err(Failure::Usage(why).into());
    }
    Ok((schema, Some(items)))
}

/// Returns the type of a message, or of the items of a list, and whether it is a list.
fn item(text: &str) -> (&str, bool) {
    let text = text.trim();
    if ["lines", "bytes"].contains(&text) {
        return ("u8", true);
    }
    let inside = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    // In `[T; N]` the length ends the text; in `[[T; N]]` the brackets around it do not belong
    // together.
    match inside.filter(|inside| !has_length(inside)) {
        Some(item) => (without_keyword(item.trim()), true),
        None => (without_keyword(text), false),
    }
}

/// Whether the inside of brackets is that of an array: it has a `;` outside of all inner brackets.
fn has_length(inside: &str) -> bool {
    let mut depth = 0;
    inside.chars().any(|letter| {
        match letter {
            '[' | '{' | '(' | '<' => depth += 1,
            ']' | '}' | ')' | '>' => depth -= 1,
            _ => {}
        }
        // `[u8; 2], [u8; 3]` has brackets that do not belong together: that is no type.
        depth < 0 || letter == ';' && depth == 0
    })
}

/// Returns the type without the word with which Rust declares it.
fn without_keyword(text: &str) -> &str {
    let words = ["struct ", "enum "].iter();
    words.filter_map(|word| text.strip_prefix(word)).next().unwrap_or(text).trim_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(text: &str, max_size: Option<u64>) -> anyhow::Result<(String, Option<u64>)> {
        let (schema, items) = TypeArgs { type_text: text.into(), max_size }.schema()?;
        Ok((schema.to_string(), items))
    }

    #[test]
    fn a_type_is_a_value_or_a_list() {
        for (text, max_size, expected, items) in [
            ("lines", None, "u8", Some(4096)),
            ("bytes", Some(6_000_000), "u8", Some(6_000_000)),
            ("f64", None, "f64", None),
            ("struct Pose { x: f64, y: f64 }", None, "Pose(16,8){x@0:f64,y@8:f64}", None),
            ("enum Mode(u8) { Off, On }", None, "Mode(u8){Off=0,On=1}", None),
            ("[f32; 2]", None, "[f32;2]", None),
            ("[f32]", Some(9), "f32", Some(2)),
            ("[[f32; 2]]", Some(64), "[f32;2]", Some(8)),
            ("[struct P { x: u8, y: [u8; 2] }]", Some(9), "P(3,1){x@0:u8,y@1:[u8;2]}", Some(3)),
            ("[[u8; 5000]]", None, "[u8;5000]", Some(1)),
        ] {
            assert_eq!(schema(text, max_size).unwrap(), (expected.into(), items), "{text}");
        }
        assert!(schema("f64", Some(9)).is_err() && schema("f64", Some(8)).is_ok());
        assert!(schema("[f64]", Some(7)).is_err());
        assert!(schema("[u8; 2], [u8; 3]", None).is_err());
    }
}
