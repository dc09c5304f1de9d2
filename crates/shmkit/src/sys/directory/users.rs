//! The processes that map files of a file system, as `/proc` shows them to this user.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::DirEntryExt;
use std::path::Path;

use rustix::fs::{major, minor};

/// A process that maps a file of a file system.
#[derive(Debug, Default)]
pub(super) struct User {
    pub(super) pid: u32,
    pub(super) program: String,
    /// How many mappings it has, of whatever kind.
    pub(super) mappings: u64,
    /// Whether it maps a file that has a name in the directory.
    pub(super) uses_directory: bool,
    /// How many bytes it maps of files of the file system that have no name any more.
    pub(super) removed_bytes: u64,
    /// How many files it has open, and how many it may have open, if that is known.
    pub(super) open_files: Option<(u64, u64)>,
}

impl User {
    /// Returns how a sentence names it.
    pub(super) fn name(&self) -> String {
        format!("process {} ({})", self.pid, self.program)
    }
}

/// Returns the processes that map files of the directory's file system. Those of other users are
/// seen only by root.
pub(super) fn users_of(directory: &Path) -> Vec<User> {
    let Ok(status) = rustix::fs::stat(directory) else { return Vec::new() };
    let device = format!("{:02x}:{:02x}", major(status.st_dev), minor(status.st_dev));
    let names = fs::read_dir(directory).into_iter().flatten().flatten();
    let inodes = names.map(|it| it.ino().to_string()).collect();
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let users = processes.flatten().filter_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        user(pid, &process.path(), &device, &inodes)
    });
    users.collect()
}

/// Returns the processes that map the file at `path`, with the names of their programs. None if the
/// system has no list of processes.
pub(crate) fn users_of_file(path: &Path) -> Option<Vec<(u32, String)>> {
    let status = rustix::fs::stat(path).ok()?;
    let device = format!("{:02x}:{:02x}", major(status.st_dev), minor(status.st_dev));
    let inode = status.st_ino.to_string();
    let users = fs::read_dir("/proc").ok()?.flatten().filter_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        let maps = BufReader::new(File::open(process.path().join("maps")).ok()?);
        maps_file(maps, &device, &inode).then(|| (pid, program(&process.path())))
    });
    Some(users.collect())
}

/// Whether a process with these mappings maps the file.
fn maps_file(maps: impl BufRead, device: &str, inode: &str) -> bool {
    maps.split(b'\n').map_while(Result::ok).any(|line| {
        let line = String::from_utf8_lossy(&line);
        line.split_ascii_whitespace().skip(3).take(2).eq([device, inode])
    })
}

/// Returns the name of the program of a process.
fn program(process: &Path) -> String {
    fs::read_to_string(process.join("comm")).unwrap_or_default().trim().into()
}

fn user(pid: u32, process: &Path, device: &str, inodes: &HashSet<String>) -> Option<User> {
    let maps = BufReader::new(File::open(process.join("maps")).ok()?);
    let mut found = mapped(maps, device, inodes)?;
    found.pid = pid;
    found.program = program(process);
    let files = fs::read_dir(process.join("fd")).map(|files| files.count() as u64);
    found.open_files = files.ok().zip(max_open_files(&process.join("limits")));
    Some(found)
}

/// Reads the mappings of a process, unless none is of a file of the device.
///
/// <https://docs.kernel.org/filesystems/proc.html>: `start-end rights offset device inode path`.
fn mapped(maps: impl BufRead, device: &str, inodes: &HashSet<String>) -> Option<User> {
    let (mut user, mut removed, mut is_user) = (User::default(), HashMap::new(), false);
    for line in maps.split(b'\n') {
        // A process can end meanwhile.
        let Ok(line) = line else { break };
        let line = String::from_utf8_lossy(&line);
        user.mappings += 1;
        let mut fields = line.split_ascii_whitespace();
        let (Some(range), Some(offset), Some(on)) = (fields.next(), fields.nth(1), fields.next())
        else {
            continue;
        };
        if on != device {
            continue;
        }
        is_user = true;
        let inode = fields.next().unwrap_or_default().to_owned();
        user.uses_directory |= inodes.contains(&inode);
        if line.ends_with(" (deleted)")
            && let Some(end) = end_of(range, offset)
        {
            let known = removed.entry(inode).or_insert(0);
            *known = end.max(*known);
        }
    }
    user.removed_bytes = removed.into_values().fold(0, u64::saturating_add);
    is_user.then_some(user)
}

/// Returns where in its file a mapping ends.
fn end_of(range: &str, offset: &str) -> Option<u64> {
    let number = |text| u64::from_str_radix(text, 16).ok();
    let (start, end) = range.split_once('-')?;
    number(offset)?.checked_add(number(end)?.checked_sub(number(start)?)?)
}

/// Returns the limit that `/proc/PID/limits` says: `Max open files  soft  hard  files`.
fn max_open_files(limits: &Path) -> Option<u64> {
    let text = fs::read_to_string(limits).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_removed_file_are_counted_once() {
        let maps = "1000-3000 rw-s 00000000 00:1a 7 /dev/shm/a.shmkit (deleted)\n\
                    5000-6000 r--s 00001000 00:1a 7 /dev/shm/a.shmkit (deleted)\n\
                    7000-8000 rw-s 00000000 00:1a 9 /dev/shm/b.shmkit\n\
                    8000-9000 rw-s 00000000 00:1a 8 /dev/shm/c (deleted)\n\
                    a000-b000 rw-s 00000000 00:01 8 /memfd:x (deleted)\n";
        let inodes = |number: &str| HashSet::from([number.to_owned()]);
        let user = mapped(maps.as_bytes(), "00:1a", &inodes("9")).unwrap();
        assert_eq!((user.mappings, user.removed_bytes), (5, 0x3000));
        assert!(user.uses_directory);
        assert!(!mapped(maps.as_bytes(), "00:1a", &inodes("10")).unwrap().uses_directory);
        assert!(mapped(maps.as_bytes(), "00:1b", &inodes("9")).is_none());
        let is_mapped = |device, inode| maps_file(maps.as_bytes(), device, inode);
        assert!(is_mapped("00:1a", "9"));
        assert!(!is_mapped("00:1a", "10") && !is_mapped("00:1b", "9"));
    }
}
