//! What a user of this command can do about an error or a finding of the library.

use std::path::Path;

use shmkit::Error;
use shmkit::inspect::{Finding, Remedy};

use crate::exit::Failure;
use crate::sys;

/// Adds to an error how to continue.
pub(crate) fn explain(error: Error) -> anyhow::Error {
    let message = error.to_string() + &trust(&error);
    Failure::Library { error, message }.into()
}

/// Returns the reason of an error, and how to continue.
pub(crate) fn reason(error: &Error) -> String {
    error.reason() + &trust(error)
}

/// Returns the option that accepts an owner that is not trusted.
fn trust(error: &Error) -> String {
    let user = error.untrusted_user();
    user.map(|user| format!(": add --trust {user} to open it anyway")).unwrap_or_default()
}

/// Returns what to do about a finding in `directory`, with the command line that does it.
pub(crate) fn remedy(finding: &Finding, directory: &Path) -> String {
    let (remedy, name) = (finding.remedy(), finding.object());
    let command = match remedy {
        Remedy::RemoveFile => {
            format!("shm {}rm --force {}", dir_option(directory), name_argument(name))
        }
        Remedy::RemoveDirectory(path) => format!("rm -r {}", quoted(&path.to_string_lossy())),
        Remedy::RemoveOtherNames(inode) => {
            // The other names can be anywhere in the file system.
            let mount = quoted(&sys::mount_point(directory).to_string_lossy());
            format!("find {mount} -xdev -inum {inode} 2>/dev/null")
        }
        // A lock in a group is one that only programs can acquire.
        Remedy::MarkConsistent(part) if part.is_empty() => {
            let (dir, name) = (dir_option(directory), name_argument(name));
            // The name can end the options itself.
            let end = if name.starts_with("--") { "" } else { "-- " };
            format!("shm {dir}lock --mark-consistent {name} {end}COMMAND")
        }
        Remedy::TrustUser(user) => format!("--trust {user}"),
        _ => return remedy.to_string(),
    };
    format!("{remedy}: {command}")
}

/// Returns the option that names the directory, if it is needed.
fn dir_option(directory: &Path) -> String {
    match directory == shmkit::default_directory() {
        true => String::new(),
        false => format!("--dir {} ", quoted(&directory.to_string_lossy())),
    }
}

/// Returns the name as an argument that no command takes for an option.
fn name_argument(name: &str) -> String {
    format!("{}{}", if name.starts_with('-') { "-- " } else { "" }, quoted(name))
}

/// Returns the text as a shell takes it for one word.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%:,".contains(c);
    if word.chars().all(is_plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_word_is_one_word_for_a_shell() {
        assert_eq!(quoted("/tmp/robot-1/pose"), "/tmp/robot-1/pose");
        assert_eq!(quoted("my object; it's"), r"'my object; it'\''s'");
    }
}
