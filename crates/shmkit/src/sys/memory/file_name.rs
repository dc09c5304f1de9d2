//! Names of raw memory as file names, with the leading `/` of `shm_open`.

use std::borrow::Cow;

/// The end of the file names of objects, which raw memory must not have.
const OBJECT_SUFFIX: &str = ".shmkit";
const MAX_LENGTH: usize = 255;

/// Returns the name without one leading `/`, or what is wrong with it.
pub(crate) fn plain_name(name: &str) -> Result<&str, Cow<'static, str>> {
    let plain = name.strip_prefix('/').unwrap_or(name);
    Err(match plain {
        "" => "it is empty".into(),
        "." | ".." => "it names a directory".into(),
        _ if plain.len() > MAX_LENGTH => {
            format!("it has {} bytes, more than the limit of {MAX_LENGTH}", plain.len()).into()
        }
        _ if plain.contains('/') => "it has a \"/\" that is not its first byte".into(),
        _ if plain.contains('\0') => "it has a zero byte".into(),
        _ if plain.ends_with(OBJECT_SUFFIX) => {
            format!("names that end in \"{OBJECT_SUFFIX}\" belong to the files of objects").into()
        }
        _ => return Ok(plain),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_file_name_and_a_leading_slash_is_the_same_name() {
        let longest = "x".repeat(255);
        for name in ["MySharedMemory", "psm_1", "with space", "größe", ".hidden", &longest] {
            assert_eq!(plain_name(name), Ok(name));
            assert_eq!(plain_name(&format!("/{name}")), Ok(name));
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
            assert_eq!(plain_name(name).unwrap_err(), why);
        }
    }
}
