//! What is stale, who died, what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

use super::describe::{Condition, Description, Holding, PrimitiveContent, condition, description};
use super::{file_names, options};
use crate::default_directory;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::Trust;
use crate::object::{Name, Options, finish_removal, is_left_over, observe, sweep_temporary};
use crate::sys::directory::{self, FileType};
use crate::sys::process;

/// Something that is not as it should be. Its text says what, and what to do.
pub struct Finding {
    object: String,
    what: String,
    remedy: Remedy,
}

enum Remedy {
    Remove(Place),
    Sweep(Place),
    Temporary(PathBuf),
    /// What a person has to decide.
    Advice(String),
    /// What another user has to decide.
    ForAnother(String),
}

/// Where an object is, to be looked at again when it is repaired.
struct Place {
    name: Name,
    options: Options,
}

impl Finding {
    /// The name of the object or file.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// What was found.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to do about it.
    pub fn remedy(&self) -> &str {
        match &self.remedy {
            Remedy::Remove(_) => "remove it",
            Remedy::Sweep(_) => "free the places of the dead",
            Remedy::Temporary(_) => "remove the file",
            Remedy::Advice(advice) | Remedy::ForAnother(advice) => advice,
        }
    }

    /// Whether [`fix`](Self::fix) can do it.
    pub fn can_be_fixed(&self) -> bool {
        !matches!(self.remedy, Remedy::Advice(_) | Remedy::ForAnother(_))
    }

    /// Whether it is left to another user, to whom the file belongs.
    pub fn is_for_another_user(&self) -> bool {
        matches!(self.remedy, Remedy::ForAnother(_))
    }

    /// Does what is to be done: only what the kernel proves to be nobody's is touched. False if it
    /// was not needed any more, or is for a person to decide.
    ///
    /// # Errors
    ///
    /// `PermissionDenied`, `Busy`.
    pub fn fix(&self) -> Result<bool> {
        let done = match &self.remedy {
            Remedy::Remove(Place { name, options }) => {
                observe(name, options).and_then(|object_file| finish_removal(&object_file))
            }
            Remedy::Sweep(Place { name, options }) => {
                observe(name, options).and_then(|object_file| {
                    object_file.check_writable()?;
                    Ok(object_file.participants().sweep(&object_file, 0, u32::MAX) > 0)
                })
            }
            Remedy::Temporary(path) => sweep_temporary(path),
            Remedy::Advice(_) | Remedy::ForAnother(_) => Ok(false),
        };
        let done = match done {
            // Somebody else did.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            done => done,
        };
        done.map_err(|error| error.doing("repair").on(&self.object))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.object, self.what, self.remedy())
    }
}

/// Looks at everything in the directory, and at the directory itself.
///
/// # Errors
///
/// Those of reading the directory.
pub fn examine(directory: &Path, trust: Trust) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for advice in directory::cleaners(directory) {
        let object = directory.display().to_string();
        let remedy = Remedy::Advice(advice.remedy);
        findings.push(Finding { object, what: advice.what, remedy });
    }
    for file in file_names(directory)? {
        if directory::is_temporary(&file) {
            let path = directory.join(&file);
            if !is_left_over(&path).unwrap_or(false) {
                continue;
            }
            let what = "left by a creator who died before it had a name".into();
            findings.push(Finding { object: file, what, remedy: Remedy::Temporary(path) });
        } else if let Some(name) = Name::of_file(&file) {
            findings.extend(examine_object(directory, &name, trust));
        }
    }
    Ok(findings)
}

fn examine_object(directory: &Path, name: &Name, trust: Trust) -> Option<Finding> {
    let finding = |what: String, remedy| Some(Finding { object: name.to_string(), what, remedy });
    let broken = |error: Error| match error.kind() {
        // Gone meanwhile.
        ErrorKind::NotFound => None,
        kind => finding(error.to_string(), by_hand(kind, directory, name, trust)),
    };
    let options = options(directory, trust);
    let object_file = match observe(name, &options) {
        Ok(object_file) => object_file,
        Err(error) => return broken(error),
    };
    let place = Place { name: name.clone(), options };
    match condition(&object_file) {
        Ok(Condition::Ready) => {}
        Ok(stale) => return finding(stale.as_str().into(), Remedy::Remove(place)),
        Err(error) => return broken(error),
    }
    let description = match description(&object_file) {
        Ok(description) => description,
        Err(error) => return broken(error),
    };
    if !description.sound {
        let what = "its words are spoilt: nobody can write to it, or read what is written";
        return finding(what.into(), by_hand(ErrorKind::Corrupt, directory, name, trust));
    }
    let dead = deaths(&description);
    if dead.is_empty() { None } else { finding(dead, Remedy::Sweep(place)) }
}

/// Who died without leaving, and with what. Empty: nobody.
fn deaths(description: &Description) -> String {
    let (mut told, mut others) = (Vec::new(), Vec::new());
    for participant in description.participants.iter().filter(|participant| !participant.alive) {
        let (pid, program) = (participant.pid, &participant.program);
        let before = told.len();
        for primitive in description.primitives() {
            let theirs =
                primitive.holders.iter().filter(|it| it.slot == participant.slot && !it.alive);
            told.extend(theirs.map(|it| {
                format!("process {pid} ({program}) died {}", with_what(it.what, primitive))
            }));
        }
        if told.len() == before {
            others.push(format!("{} {pid} ({program})", participant.role.as_str()));
        }
    }
    if !others.is_empty() {
        told.push(format!("died without leaving: {}", others.join(", ")));
    }
    told.join("; ")
}

/// How it died, and what comes of that.
fn with_what(what: Holding, primitive: &PrimitiveContent) -> String {
    let which = match primitive.number.as_str() {
        "" => format!("the {}", primitive.kind.as_str()),
        number => format!("the {} of number {number}", primitive.kind.as_str()),
    };
    match what {
        Holding::Exclusive => {
            format!("holding {which}: the next who takes it is told")
        }
        Holding::Upgradable | Holding::Shared(_) => {
            format!("reading what {which} guards: that is whole, and free for the next")
        }
        Holding::Permits(1) => format!("with a permit of {which}: it goes to the next"),
        Holding::Permits(permits) => {
            format!("with {permits} permits of {which}: they go to the next")
        }
        Holding::Party => format!("as a party of {which}: those who come there are told"),
        Holding::Waiting => format!("waiting for {which}"),
        Holding::Doing => format!("doing what {which} is for: the next does it"),
    }
}

/// What a person can do about a file that cannot be used.
fn by_hand(kind: ErrorKind, directory: &Path, name: &Name, trust: Trust) -> Remedy {
    let path = directory.join(name.file_name());
    let Ok(status) = directory::status_of_name(&path) else {
        return Remedy::Advice("look at it by hand".into());
    };
    let (owner, me) = (status.owner, process::user_id());
    let advice = match kind {
        ErrorKind::PermissionDenied if status.links > 1 => {
            format!("take away its other names: find . -inum {}", status.identity.file)
        }
        ErrorKind::PermissionDenied if trust.accepts(owner, me) => "look as its owner".into(),
        ErrorKind::PermissionDenied => format!("look as its owner, or with --trust {owner}"),
        ErrorKind::WrongKind if status.file_type == FileType::Directory => {
            format!(
                "remove it by hand if nobody needs it: rm -r {}",
                quoted(&path.to_string_lossy())
            )
        }
        ErrorKind::Corrupt | ErrorKind::WrongKind => {
            let place = match *directory == default_directory() {
                true => String::new(),
                false => format!("--dir {} ", quoted(&directory.to_string_lossy())),
            };
            let dashes = if name.as_str().starts_with('-') { "-- " } else { "" };
            let name = quoted(name.as_str());
            format!("remove it by hand if nobody needs it: shm {place}rm --force {dashes}{name}")
        }
        ErrorKind::WrongVersion => "look with the version that made it".into(),
        _ => "look again later".into(),
    };
    if owner == me { Remedy::Advice(advice) } else { Remedy::ForAnother(advice) }
}

/// As a shell takes it for one word.
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
    fn what_is_to_be_pasted_is_one_word() {
        assert_eq!(quoted("/tmp/robot-1/pose"), "/tmp/robot-1/pose");
        assert_eq!(quoted("my object; it's"), r"'my object; it'\''s'");
    }
}
