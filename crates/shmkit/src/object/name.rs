//! Names of objects, and their file names.

use std::fmt;

use crate::error::{Error, ErrorKind, Result};
use crate::sys::directory;

/// The suffix of every object's file name.
pub(crate) const SUFFIX: &str = ".shmkit";

/// The name of an object: parts separated by `/`.
///
/// INVARIANT: 1 to [`Name::MAX_LENGTH`] bytes; no part is empty, `.` or `..`; no control character;
/// at most [`Name::MAX_ESCAPED`] bytes as a file name, without the suffix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(String);

impl Name {
    pub(crate) const MAX_LENGTH: usize = 200;
    pub(crate) const MAX_ESCAPED: usize = 240;

    pub(crate) fn new(name: &str) -> Result<Self> {
        let refuse = |why: String| {
            let shown: String = name.chars().take(Self::MAX_LENGTH).collect();
            let error = Error::new(ErrorKind::InvalidName, why);
            Err(error.doing("use the name").on(shown.escape_debug()))
        };
        if name.is_empty() {
            return refuse("it is empty".into());
        }
        if name.len() > Self::MAX_LENGTH {
            let (length, most) = (name.len(), Self::MAX_LENGTH);
            return refuse(format!("it has {length} bytes; the maximum is {most}"));
        }
        if let Some(control) = name.chars().find(|c| c.is_control()) {
            return refuse(format!("it has the control character {control:?}"));
        }
        for part in name.split('/') {
            match part {
                "" => {
                    return refuse("it has an empty part: separate parts by single slashes".into());
                }
                "." | ".." => return refuse(format!("{part:?} is not allowed as a part")),
                _ => {}
            }
        }
        let name = Self(name.into());
        let (length, most) = (name.escaped().len(), Self::MAX_ESCAPED);
        if length > most {
            return refuse(format!("as a file name it has {length} bytes; the maximum is {most}"));
        }
        Ok(name)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the object's file.
    pub(crate) fn file_name(&self) -> String {
        self.escaped() + SUFFIX
    }

    fn escaped(&self) -> String {
        let mut escaped = String::with_capacity(self.0.len());
        let reserved = directory::is_reserved(&self.0);
        for (at, character) in self.0.char_indices() {
            if character == '%' || directory::must_escape(character) || reserved && at == 0 {
                let mut bytes = [0; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    escaped.push_str(&format!("%{byte:02x}"));
                }
            } else {
                escaped.push(character);
            }
        }
        escaped
    }

    /// The name of the object whose file has this name, if an object's file can have it.
    pub(crate) fn of_file(file_name: &str) -> Option<Self> {
        let escaped = file_name.strip_suffix(SUFFIX)?;
        let mut plain = Vec::with_capacity(escaped.len());
        let mut rest = escaped.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            if first == b'%' {
                let digits = std::str::from_utf8(after.get(..2)?).ok()?;
                plain.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &after[2..];
            } else {
                plain.push(first);
                rest = after;
            }
        }
        let name = Self::new(std::str::from_utf8(&plain).ok()?).ok()?;
        // Each name has exactly one file name: other spellings of the same escapes are refused.
        (name.file_name() == file_name).then_some(name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_one_file_name_and_comes_back() {
        for (name, file_name) in [
            ("prices", "prices.shmkit"),
            ("robot/pose", "robot%2fpose.shmkit"),
            ("100%", "100%25.shmkit"),
            ("a.shmkit", "a.shmkit.shmkit"),
        ] {
            assert_eq!(Name::new(name).unwrap().file_name(), file_name);
        }
        for name in ["prices", "robot/pose", "100%/größe", "Prices", "con", "a:b", "NUL.x", "ſ"]
        {
            let parsed = Name::new(name).unwrap();
            assert_eq!(Name::of_file(&parsed.file_name()), Some(parsed), "{name}");
        }
        for foreign in
            ["prices", ".shmkit", "a%2Fb.shmkit", "a%zz.shmkit", "a%6.shmkit", "%61.shmkit"]
        {
            assert_eq!(Name::of_file(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn what_breaks_the_rules_is_refused_in_words() {
        let long = "x".repeat(201);
        let slashes = "a/".repeat(90) + "a";
        for (name, why) in [
            ("", "it is empty"),
            (long.as_str(), "it has 201 bytes; the maximum is 200"),
            ("a\nb", r"it has the control character '\n'"),
            ("/a", "it has an empty part"),
            ("a//b", "it has an empty part"),
            ("a/", "it has an empty part"),
            ("a/../b", r#"".." is not allowed as a part"#),
            (".", r#""." is not allowed as a part"#),
            (slashes.as_str(), "as a file name it has 361 bytes; the maximum is 240"),
        ] {
            let error = Name::new(name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidName);
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
