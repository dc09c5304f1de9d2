//! Finds stale objects and dead participants, and says what to do about them.

use std::fmt;
use std::path::{Path, PathBuf};

use super::describe::{Condition, Description, condition, description};
use super::{choices, file_names};
use crate::error::{ErrorKind, Result};
use crate::memory::Trust;
use crate::object::{Choices, Name, finish_removal, is_left_over, observe, sweep_temporary};
use crate::sys::directory::{self, FileType};
use crate::sys::notices::{self, Obstacle};
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
    /// Free the slots of dead participants. [`Finding::fix`] does it.
    FreeSlots,
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
            Self::FreeSlots => f.write_str("free the slots of dead participants"),
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
            (File::Object { name, choices }, Remedy::FreeSlots) => free_slots(name, choices),
            (File::Temporary(path), _) => sweep_temporary(path),
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

fn free_slots(name: &Name, choices: &Choices) -> Result<bool> {
    let file = observe(name, choices)?;
    file.check_writable()?;
    Ok(file.participants().sweep(0, u32::MAX) > 0)
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
    let cleaners = directory::cleaners(directory).into_iter();
    let cleaners = cleaners.map(|cleaner| about_directory(cleaner.what, cleaner.remedy));
    let obstacle = notices::find_obstacle(directory).into_iter();
    let obstacle = obstacle.map(|obstacle| about_directory(obstacle.what, obstacle.remedy));
    let mut findings: Vec<_> = cleaners.chain(obstacle).collect();
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

fn examine_object(directory: &Path, name: Name, trust: Trust) -> Option<Finding> {
    let (object, choices) = (name.to_string(), choices(directory, trust));
    let looked = observe(&name, &choices).and_then(|file| match condition(&file)? {
        Condition::Ready => Ok(Ok((description(&file)?, notices::find_obstacle_of(&*file)))),
        stale => Ok(Err(stale)),
    });
    let (what, remedy) = match looked {
        Ok(Err(stale)) => (stale.as_str().to_owned(), Remedy::RemoveStale),
        Ok(Ok((description, _))) if !description.is_sound() => {
            let what = "its words have values that no participant writes: it cannot be used";
            return Some(by_hand(directory, name, what.into(), ErrorKind::Corrupt, trust));
        }
        Ok(Ok((description, obstacle))) => {
            match (deaths(&description), torn(&description), obstacle) {
                (Some(deaths), Some(torn), _) => (format!("{torn}; {deaths}"), Remedy::FreeSlots),
                (Some(deaths), None, _) => (deaths, Remedy::FreeSlots),
                (None, Some(torn), _) => (torn, Remedy::SetValue),
                (None, None, Some(Obstacle { what, remedy })) => {
                    let remedy = Remedy::ChangeSetting(remedy);
                    return Some(Finding { object, what, remedy, file: File::Nothing });
                }
                (None, None, None) => return None,
            }
        }
        // Removed meanwhile.
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => return Some(by_hand(directory, name, error.reason(), error.kind(), trust)),
    };
    Some(Finding { object, what, remedy, file: File::Object { name, choices } })
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

/// Says which participants died without leaving, and what they held. `None` if none died.
fn deaths(description: &Description) -> Option<String> {
    let (mut with_something, mut others) = (Vec::new(), Vec::new());
    for dead in description.participants.iter().filter(|it| !it.is_alive) {
        let process = format!("process {} ({})", dead.pid, dead.program);
        let before = with_something.len();
        for part in &description.parts {
            let which = match part.number.as_str() {
                "" => format!("the {}", part.kind.as_str()),
                number => format!("the {} in part {number}", part.kind.as_str()),
            };
            let holders = part.state.holders.iter();
            let theirs = holders.filter(|it| it.slot == dead.slot && !it.is_alive);
            with_something.extend(theirs.map(|it| {
                let died = it.holding.died.replace("{count}", &it.count.to_string());
                format!("{process} died {}", died.replace("{part}", &which))
            }));
        }
        if with_something.len() == before {
            others.push(format!("{} {} ({})", dead.role.as_str(), dead.pid, dead.program));
        }
    }
    if !others.is_empty() {
        with_something.push(format!("died without leaving: {}", others.join(", ")));
    }
    Some(with_something.join("; ")).filter(|what| !what.is_empty())
}

/// A finding about a file that cannot be used, with what a person can do about it.
fn by_hand(directory: &Path, name: Name, what: String, kind: ErrorKind, trust: Trust) -> Finding {
    let object = name.to_string();
    let Ok(status) = directory::status_of_name(&directory.join(name.file_name())) else {
        return Finding { object, what, remedy: Remedy::LookLater, file: File::OfAnotherUser };
    };
    let owner = status.owner;
    let is_nobody = process::is_nobody(owner);
    let is_mine = owner == process::user_id() && !is_nobody;
    let remedy = match kind {
        ErrorKind::PermissionDenied if status.has_other_names() => {
            Remedy::RemoveOtherNames(status.identity.file)
        }
        ErrorKind::PermissionDenied if is_mine => Remedy::ChangePermissions,
        ErrorKind::PermissionDenied if is_nobody || trust.check(owner).is_ok() => {
            Remedy::LookAsOwner
        }
        ErrorKind::PermissionDenied => Remedy::TrustUser(owner),
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
