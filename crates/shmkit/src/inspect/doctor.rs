//! Finds stale objects and dead participants, and says what to do about them.

use std::fmt;
use std::path::{Path, PathBuf};

use super::describe::{Condition, Description, condition, description};
use super::kinds::KindOperations;
use super::{choices, file_names};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::Trust;
use crate::object::{
    Choices, Holder, Name, finish_removal, is_left_over, observe, parts, unlink_if_unused,
};
use crate::shareable::Schema;
use crate::sys::directory::{self, FileType};
use crate::sys::notices;
use crate::sys::process;

/// A problem in a directory of objects.
pub struct Finding {
    object: String,
    what: String,
    remedy: Remedy,
    file: File,
}

/// What to do about a [`Finding`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// Remove the object, which no process can use. [`Finding::fix`] does it.
    RemoveStale,
    /// Free the slots of dead participants, and what they held. [`Finding::fix`] does it.
    FreeSlots,
    /// Lock it, repair what it guards, and mark it consistent. The text is the number of the part
    /// that is the lock, as in `0` or `2.1`; empty if it is the only part.
    MarkConsistent(String),
    /// Remove the file that a dead process left. [`Finding::fix`] does it.
    RemoveTemporary,
    /// Remove the file, if no process needs it: [`remove_file`](super::remove_file) does it.
    RemoveFile,
    /// Remove the directory, if no process needs it.
    RemoveDirectory(PathBuf),
    /// Remove all names but one of the file with this inode.
    RemoveOtherNames(u64),
    /// Examine it as the user with this number, or trust that user.
    TrustUser(u32),
    /// Examine it as the owner of the file: its permissions forbid it to others.
    LookAsOwner,
    /// Change the permissions of the file, which forbid its owner to examine it.
    ChangePermissions,
    /// Use the version of shmkit that created the object.
    UseOtherVersion,
    /// Set a new value: the values that are there are not whole.
    SetValue,
    /// Examine it again later.
    LookLater,
    /// Change a setting of the system: this text says which.
    ChangeSetting(String),
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RemoveStale => f.write_str("remove it"),
            Self::FreeSlots => {
                f.write_str("free the slots of dead participants, and what they held")
            }
            Self::MarkConsistent(_) => {
                f.write_str("repair what it guards while it is locked, and mark it consistent")
            }
            Self::RemoveTemporary => f.write_str("remove the file"),
            Self::RemoveFile => f.write_str("remove the file if no process needs it"),
            Self::RemoveDirectory(_) => f.write_str("remove the directory if no process needs it"),
            Self::RemoveOtherNames(inode) => {
                write!(f, "remove all names but one of the file with inode {inode}")
            }
            Self::TrustUser(user) => write!(f, "examine it as user {user}, or trust user {user}"),
            Self::LookAsOwner => f.write_str("examine it as the owner of its file"),
            Self::ChangePermissions => f.write_str("change the permissions of its file"),
            Self::UseOtherVersion => f.write_str("use the version of shmkit that created it"),
            Self::SetValue => f.write_str("set a value, which repairs it"),
            Self::LookLater => f.write_str("examine it again later"),
            Self::ChangeSetting(setting) => f.write_str(setting),
        }
    }
}

/// What the finding is about: it is examined again when it is fixed.
enum File {
    Object {
        name: Name,
        choices: Choices,
    },
    Temporary(PathBuf),
    /// The directory itself, or what the system allows.
    Nothing,
    OfAnotherUser,
}

impl Finding {
    /// Returns the name of the object or the file.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// Returns the text that says what was found.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Returns what to do about it.
    pub fn remedy(&self) -> &Remedy {
        &self.remedy
    }

    /// Returns whether [`fix`](Self::fix) can do it.
    pub fn can_be_fixed(&self) -> bool {
        matches!(self.remedy, Remedy::RemoveStale | Remedy::FreeSlots | Remedy::RemoveTemporary)
    }

    /// Returns whether it is about a file of another user, so that only that user can fix it.
    pub fn is_for_another_user(&self) -> bool {
        matches!(self.file, File::OfAnotherUser)
    }

    /// Returns whether it is about the directory itself, or about what the system allows, and not
    /// about the state of an object.
    pub fn is_about_directory(&self) -> bool {
        matches!(self.file, File::Nothing)
    }

    /// Applies the remedy. It changes only what no living process uses, by its liveness locks.
    /// Returns false if there was nothing to do any more.
    ///
    /// # Errors
    ///
    /// `PermissionDenied`, `Busy`.
    pub fn fix(&self) -> Result<bool> {
        let fixed = match (&self.file, &self.remedy) {
            (File::Object { name, choices }, Remedy::RemoveStale) => {
                observe(name, choices).and_then(|file| finish_removal(&file))
            }
            (File::Object { name, choices }, Remedy::FreeSlots) => reap(name, choices),
            (File::Temporary(path), _) => unlink_if_unused(path),
            _ => Ok(false),
        };
        let fixed = match fixed {
            // Another process fixed it.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            fixed => fixed,
        };
        fixed.map_err(|error| error.doing("repair").on(&self.object))
    }
}

/// Frees what dead participants hold, part by part, and then the slots of those that hold nothing.
///
/// CRASH: dying anywhere in it leaves the rest to the next call.
fn reap(name: &Name, choices: &Choices) -> Result<bool> {
    let file = observe(name, choices)?;
    file.check_writable()?;
    let found = deaths(&description(&file)?).is_some();
    let schema = Schema::parse(&file.layout().schema)?;
    for part in parts(&file, &schema)? {
        (KindOperations::of_kind(part.kind).reap)(&part)?;
    }
    file.participants().sweep(0, u32::MAX);
    Ok(found && deaths(&description(&file)?).is_none())
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.object, self.what, self.remedy)
    }
}

/// Examines everything in the directory, and the directory itself.
///
/// # Errors
///
/// Those of reading the directory: `NotFound`, `PermissionDenied`, `Os`.
pub fn examine(directory: &Path, trust: Trust) -> Result<Vec<Finding>> {
    let about_directory = |what, setting| Finding {
        object: directory.display().to_string(),
        what,
        remedy: Remedy::ChangeSetting(setting),
        file: File::Nothing,
    };
    let flaws = directory::flaws(directory).into_iter();
    let flaws = flaws.map(|flaw| about_directory(flaw.what, flaw.remedy));
    let obstacle = notices::find_obstacle(directory).into_iter();
    let obstacle = obstacle.map(|obstacle| about_directory(obstacle.what, obstacle.remedy));
    let mut findings: Vec<_> = flaws.chain(obstacle).collect();
    for file in file_names(directory)? {
        if directory::is_temporary(&file) {
            let path = directory.join(&file);
            if is_left_over(&path).unwrap_or(false) {
                findings.push(Finding {
                    object: file,
                    what: directory::LEFT_OVER.into(),
                    remedy: Remedy::RemoveTemporary,
                    file: File::Temporary(path),
                });
            }
        } else if let Some(name) = Name::of_file(&file) {
            findings.extend(examine_object(directory, name, trust));
        }
    }
    Ok(findings)
}

fn examine_object(directory: &Path, name: Name, trust: Trust) -> Vec<Finding> {
    let (object, choices) = (name.to_string(), choices(directory, trust));
    let looked = observe(&name, &choices).and_then(|file| match condition(&file)? {
        Condition::Ready => Ok(Ok((description(&file)?, notices::find_obstacle_of(&*file)))),
        stale => Ok(Err(stale)),
    });
    let found = match looked {
        Ok(Err(stale)) => vec![(stale.as_str().to_owned(), Remedy::RemoveStale)],
        Ok(Ok((description, _))) if !description.is_sound() => {
            let what = "its words have values that no participant writes: it cannot be used";
            let error = Error::new(ErrorKind::Corrupt, what);
            return vec![by_hand(directory, name, &error, trust)];
        }
        Ok(Ok((description, obstacle))) => {
            let obstacle = obstacle.map(|it| (it.what, Remedy::ChangeSetting(it.remedy)));
            faults(&description).into_iter().chain(obstacle).collect()
        }
        // Removed meanwhile.
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            return vec![by_hand(directory, name, &error, trust)];
        }
    };
    let finding = |(what, remedy)| {
        let file = File::Object { name: name.clone(), choices: choices.clone() };
        Finding { object: object.clone(), what, remedy, file }
    };
    found.into_iter().map(finding).collect()
}

/// Says what is wrong with an object that can be used, and what to do.
fn faults(description: &Description) -> Vec<(String, Remedy)> {
    let deaths = deaths(description).map(|what| (what, Remedy::FreeSlots));
    let torn = torn(description).map(|what| (what, Remedy::SetValue));
    deaths.into_iter().chain(torn).chain(inconsistent(description)).collect()
}

/// Says which locks are inconsistent.
fn inconsistent(description: &Description) -> impl Iterator<Item = (String, Remedy)> {
    let parts = description.parts.iter();
    let marked = parts.filter(|part| part.state.flag("inconsistent") == Some(true));
    marked.map(|part| {
        let which = part.title();
        let what = format!("a holder of {which} died, and every locker gets OwnerDied");
        (what, Remedy::MarkConsistent(part.number.clone()))
    })
}

/// Says that the newest value of a `Latest` is not whole, and what is served instead.
fn torn(description: &Description) -> Option<String> {
    let state = &description.only_part()?.state;
    let (last, whole) = (state.number("sequence")?, state.number("newest_whole")?);
    let served = match whole {
        _ if whole == last => return None,
        0 => "no value is whole".into(),
        _ => format!("value {whole} is served, the newest whole one"),
    };
    let why = "the file was copied while values were set, or the power failed";
    Some(format!("value {last} is not whole, since {why}; {served}"))
}

/// Says which participants died without leaving, and what they held or still hold. `None` if there
/// is none.
fn deaths(description: &Description) -> Option<String> {
    let mut found = Vec::new();
    for part in &description.parts {
        for it in part.state.holders.iter().filter(|it| !it.is_alive) {
            let process = match (it.pid, &it.program) {
                (Some(pid), Some(program)) => format!("process {pid} ({program})"),
                // Another participant has freed its slot.
                _ => format!("a process that was in slot {}", it.slot),
            };
            let died = it.holding.died.replace("{count}", &it.count.to_string());
            found.push(format!("{process} died {}", died.replace("{part}", &part.title())));
        }
    }
    let holders: Vec<_> = description.parts.iter().flat_map(|it| &it.state.holders).collect();
    let others = description.participants.iter().filter(|it| {
        let holds = |holder: &&Holder| holder.slot == it.slot && !holder.is_alive;
        !it.is_alive && !holders.iter().any(holds)
    });
    let others = others.map(|it| format!("{} {} ({})", it.role.as_str(), it.pid, it.program));
    let others: Vec<_> = others.collect();
    if !others.is_empty() {
        found.push(format!("died without leaving: {}", others.join(", ")));
    }
    Some(found.join("; ")).filter(|what| !what.is_empty())
}

/// A finding about a file that cannot be used, with what a person can do about it.
fn by_hand(directory: &Path, name: Name, error: &Error, trust: Trust) -> Finding {
    let (object, what) = (name.to_string(), error.reason());
    let Ok(status) = directory::status_of_name(&directory.join(name.file_name())) else {
        return Finding { object, what, remedy: Remedy::LookLater, file: File::OfAnotherUser };
    };
    let owner = status.owner;
    let is_mine = owner == process::user_id() && !process::is_nobody(owner);
    let remedy = match error.kind() {
        ErrorKind::PermissionDenied if status.has_other_names() => {
            Remedy::RemoveOtherNames(status.identity.file)
        }
        ErrorKind::PermissionDenied if is_mine => Remedy::ChangePermissions,
        ErrorKind::PermissionDenied => {
            error.untrusted_user().map_or(Remedy::LookAsOwner, Remedy::TrustUser)
        }
        ErrorKind::WrongKind if status.file_type == FileType::Directory => {
            Remedy::RemoveDirectory(directory.join(name.file_name()))
        }
        ErrorKind::Corrupt | ErrorKind::WrongKind => Remedy::RemoveFile,
        ErrorKind::WrongVersion => Remedy::UseOtherVersion,
        _ => Remedy::LookLater,
    };
    let file = match is_mine {
        true => File::Object { name, choices: choices(directory, trust) },
        false => File::OfAnotherUser,
    };
    Finding { object, what, remedy, file }
}
