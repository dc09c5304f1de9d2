//! What is stale, who died, what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

use super::describe::{Condition, condition, description};
use super::{file_names, options};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::Trust;
use crate::object::{
    Name, Options, finish_removal, is_left_over, is_temporary, observe, sweep_temporary,
};
use crate::sys::directory;

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
            Remedy::Advice(advice) => advice,
        }
    }

    /// Whether [`fix`](Self::fix) can do it.
    pub fn can_be_fixed(&self) -> bool {
        !matches!(self.remedy, Remedy::Advice(_))
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
                observe(name, options).and_then(|site| finish_removal(&site))
            }
            Remedy::Sweep(Place { name, options }) => observe(name, options).and_then(|site| {
                site.check_writable()?;
                Ok(site.participants().sweep(&site, 0, u32::MAX) > 0)
            }),
            Remedy::Temporary(path) => sweep_temporary(path),
            Remedy::Advice(_) => Ok(false),
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
        if is_temporary(&file) {
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
    let broken = |error: Error| {
        let advice = match error.kind() {
            // Gone meanwhile.
            ErrorKind::NotFound => return None,
            ErrorKind::PermissionDenied => "look as its owner",
            ErrorKind::Corrupt | ErrorKind::WrongKind => {
                "remove it by hand if nobody needs it: shm rm --force"
            }
            ErrorKind::WrongVersion => "look with the version that made it",
            _ => "look again later",
        };
        finding(error.to_string(), Remedy::Advice(advice.into()))
    };
    let options = options(directory, trust);
    let site = match observe(name, &options) {
        Ok(site) => site,
        Err(error) => return broken(error),
    };
    let place = Place { name: name.clone(), options };
    match condition(&site) {
        Ok(Condition::Ready) => {}
        Ok(stale) => return finding(stale.as_str().into(), Remedy::Remove(place)),
        Err(error) => return broken(error),
    }
    let description = match description(&site) {
        Ok(description) => description,
        Err(error) => return broken(error),
    };
    let dead: Vec<String> = description
        .members
        .iter()
        .filter(|member| !member.alive)
        .map(|member| format!("{} {} ({})", member.role.as_str(), member.pid, member.program))
        .collect();
    if dead.is_empty() {
        return None;
    }
    finding(format!("died without leaving: {}", dead.join(", ")), Remedy::Sweep(place))
}
