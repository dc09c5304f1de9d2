//! Names of raw shared memory, as for `shm_open`.

use crate::error::{Error, ErrorKind, Result};
use crate::sys::memory;

/// The end of the file names of objects, which raw memory must not have.
const OBJECT_SUFFIX: &str = ".shmkit";

/// The name of raw shared memory, which is a file name.
///
/// INVARIANT: 1 to 255 bytes, no `/`, no zero byte, not `.` or `..`, not the name of an object's
/// file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RawName(String);

impl RawName {
    const MAX_LENGTH: usize = 255;

    /// Checks `name`, without one leading `/`.
    pub(super) fn new(name: &str) -> Result<Self> {
        let plain = name.strip_prefix('/').unwrap_or(name);
        let why = match plain {
            "" => "it is empty".to_owned(),
            "." | ".." => "it names a directory".to_owned(),
            _ if plain.len() > Self::MAX_LENGTH => {
                format!("it has {} bytes, more than the limit of {}", plain.len(), Self::MAX_LENGTH)
            }
            _ if plain.contains('/') => "it has a \"/\" that is not its first byte".to_owned(),
            _ if plain.contains('\0') => "it has a zero byte".to_owned(),
            _ if plain.ends_with(OBJECT_SUFFIX) => {
                format!("names that end in \"{OBJECT_SUFFIX}\" belong to the files of objects")
            }
            _ => match memory::name_fault(plain) {
                Some(why) => why.to_owned(),
                None => return Ok(Self(plain.to_owned())),
            },
        };
        let shown: String = name.chars().take(Self::MAX_LENGTH).collect();
        let error = Error::new(ErrorKind::InvalidName, why);
        Err(error.doing("use the name").on(shown.escape_debug()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_file_name_and_a_leading_slash_is_the_same_name() {
        let longest = "x".repeat(255);
        for name in ["MySharedMemory", "psm_1", "with space", "größe", ".hidden", &longest] {
            let plain = RawName::new(name).unwrap();
            assert_eq!(RawName::new(&format!("/{name}")).unwrap(), plain);
            assert_eq!(plain.as_str(), name);
        }
    }

    #[test]
    fn a_name_that_breaks_the_rules_is_refused_with_the_reason() {
        let long = "x".repeat(256);
        for (name, why) in [
            ("", "it is empty"),
            ("/", "it is empty"),
            ("..", "it names a directory"),
            ("/.", "it names a directory"),
            ("//a", "it has a \"/\" that is not its first byte"),
            ("a/b", "it has a \"/\" that is not its first byte"),
            ("a\0b", "it has a zero byte"),
            (&long, "it has 256 bytes, more than the limit of 255"),
            ("pose.shmkit", "names that end in \".shmkit\" belong to the files of objects"),
        ] {
            let error = RawName::new(name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidName);
            assert!(error.to_string().ends_with(why), "{error}");
        }
    }
}
