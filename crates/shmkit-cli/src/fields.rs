//! The fields of a value that a command line names, and what is shown of them.

use serde_json::{Map, Value as Json};
use shmkit::shareable::{Schema, Value};

use crate::value;

/// The whole value or one field of it; or several fields.
pub(crate) enum Chosen<'s> {
    One(Value<'s>),
    Several(Vec<(&'s str, Value<'s>)>),
}

/// Refuses a field that no value of the type has.
pub(crate) fn check(schema: &Schema, fields: &[&str]) -> shmkit::Result<()> {
    fields.iter().try_for_each(|field| schema.part(field).map(drop))
}

/// Returns the fields of a value that was read. Without fields it is the whole value.
pub(crate) fn choose<'s>(
    schema: &'s Schema,
    bytes: &[u8],
    fields: &[&'s str],
) -> shmkit::Result<Chosen<'s>> {
    match fields {
        [] => schema.read(bytes).map(Chosen::One),
        [field] => schema.read_part(bytes, field).map(Chosen::One),
        fields => {
            let read = |field: &&'s str| Ok((*field, schema.read_part(bytes, field)?));
            fields.iter().map(read).collect::<Result<_, _>>().map(Chosen::Several)
        }
    }
}

impl Chosen<'_> {
    /// As text: a single text without quotes, and several fields as `x=1.5 y=2.0`.
    pub(crate) fn plain(&self) -> String {
        match self {
            Self::One(value) => value::plain(value),
            Self::Several(_) => self.one_line(),
        }
    }

    /// The same in one line: control characters of a text are escaped.
    pub(crate) fn one_line(&self) -> String {
        match self {
            Self::One(value) => value::one_line(value),
            Self::Several(fields) => {
                let each = fields.iter().map(|(field, value)| format!("{field}={value}"));
                each.collect::<Vec<_>>().join(" ")
            }
        }
    }

    /// In several lines.
    pub(crate) fn pretty(&self) -> String {
        match self {
            Self::One(value) => format!("{value:#}"),
            Self::Several(fields) => {
                let each = fields.iter().map(|(field, value)| format!("{field} = {value:#}"));
                each.collect::<Vec<_>>().join("\n")
            }
        }
    }

    /// As JSON: several fields are an object with their paths as keys.
    pub(crate) fn json(&self) -> Json {
        match self {
            Self::One(value) => value::json(value),
            Self::Several(fields) => {
                let each = fields.iter().map(|(field, it)| ((*field).to_owned(), value::json(it)));
                Json::Object(each.collect::<Map<_, _>>())
            }
        }
    }
}
