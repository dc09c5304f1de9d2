//! What is wrong with a directory of objects, and with the system around it, on Linux.

use std::path::Path;

use super::cleaners::cleaners;
use super::linux::{default_path, new_unnamed, support};
use super::mount::mount;
use super::place::{Flaw, Support};
use super::users::{User, users_of};
use crate::error::{Error, ErrorKind};
use crate::sys::file::commit;
use crate::sys::limits::{is_close, max_mappings};

/// Returns what is wrong with the directory.
pub(crate) fn flaws(directory: &Path) -> Vec<Flaw> {
    let users = users_of(directory);
    let mut found = cleaners(directory);
    found.extend(disk(directory));
    found.extend(lack_of_space(directory, &users));
    found.extend(users.iter().filter(|it| it.uses_directory).flat_map(few_left));
    found
}

/// Finds a disk where a file system in memory belongs.
fn disk(directory: &Path) -> Option<Flaw> {
    if directory != default_path() || !matches!(support(directory), Ok(Support::Disk)) {
        return None;
    }
    let kind = mount(directory).map_or("a disk".into(), |it| it.file_system);
    let shown = directory.display();
    Some(Flaw {
        what: format!(
            "it is on a disk ({kind}), where a file system in memory belongs: objects are slower, \
             and outlive the machine's run"
        ),
        remedy: format!(
            "mount one: mount -t tmpfs tmpfs {shown}; for a container, --tmpfs {shown} or --ipc"
        ),
    })
}

/// Finds that there is no space for a small object, and who keeps it. It tries, since only that
/// shows a quota.
fn lack_of_space(directory: &Path, users: &[User]) -> Option<Flaw> {
    /// The size of a small object.
    const SMALL: u64 = 16 << 10;
    let refused = match new_unnamed(directory, 0o600) {
        Ok(file) => commit(&file?, 0, SMALL).err(),
        Err(error) => Some(error),
    };
    let refused: Error = refused.filter(|error| error.kind() == ErrorKind::OutOfSpace)?;
    let what = refused.reason() + &keepers(users);
    let remedy = "remove objects that no process needs (shm ls, shm rm), and end the processes \
                  that map removed ones";
    Some(Flaw { what, remedy: remedy.into() })
}

/// Says which processes map removed files, the largest first.
fn keepers(users: &[User]) -> String {
    const MOST: usize = 5;
    let mut keepers: Vec<_> = users.iter().filter(|it| it.removed_bytes > 0).collect();
    keepers.sort_by_key(|it| std::cmp::Reverse(it.removed_bytes));
    let names = keepers
        .iter()
        .take(MOST)
        .map(|it| format!("{} maps {} bytes", it.name(), it.removed_bytes));
    let names: Vec<_> = names.collect();
    match names.len() {
        0 => String::new(),
        _ => format!("; removed files take space while they are mapped: {}", names.join(", ")),
    }
}

/// Finds the limits that a process has nearly reached.
fn few_left(user: &User) -> Vec<Flaw> {
    let mut found = Vec::new();
    if let Some(most) = max_mappings().filter(|most| is_close(user.mappings, *most)) {
        found.push(Flaw {
            what: format!(
                "{} has {} mappings, and {most} are allowed: the next objects that it opens may be \
                 refused",
                user.name(),
                user.mappings
            ),
            remedy: format!("raise it: sysctl -w vm.max_map_count={}", most * 4),
        });
    }
    if let Some((open, most)) = user.open_files.filter(|(open, most)| is_close(*open, *most)) {
        found.push(Flaw {
            what: format!(
                "{} has {open} open files, and {most} are allowed: the next objects that it opens \
                 may be refused",
                user.name()
            ),
            remedy: "raise its limit: ulimit -n, or LimitNOFILE= of a service".into(),
        });
    }
    found
}
