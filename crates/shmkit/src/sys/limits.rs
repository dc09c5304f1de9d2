//! The limits of this process and of the system: the words for a refusal, with the way out.
#![allow(unsafe_code, reason = "rustix has no call for a limit that reports its failure")]

use std::fs::File;
use std::io::Read;

use rustix::fs::StatVfs;
use rustix::io::Errno;

use crate::error::{Error, ErrorKind};

/// A limit of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// How large a file can become by what this process does.
    FileSize,
    OpenFiles,
    AddressSpace,
}

impl Limit {
    /// Returns the limit. None if there is none, or if a sandbox forbids to ask.
    pub(crate) fn get(self) -> Option<u64> {
        let resource = match self {
            Self::FileSize => libc::RLIMIT_FSIZE,
            Self::OpenFiles => libc::RLIMIT_NOFILE,
            Self::AddressSpace => libc::RLIMIT_AS,
        };
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the call gets an `rlimit`, which it may change.
        let answer = unsafe { libc::getrlimit(resource, &raw mut limit) };
        (answer == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
    }
}

/// Returns the error for a file that was not opened.
#[cold]
pub(crate) fn not_opened(error: Errno) -> Error {
    let why = match error {
        Errno::MFILE => {
            let most = Limit::OpenFiles.get().map(|it| format!(", {it}")).unwrap_or_default();
            format!(
                "this process has as many open files as it may have (RLIMIT_NOFILE{most}): close \
                 some, or raise the limit with `ulimit -n`"
            )
        }
        Errno::NFILE => "the system has as many open files as it may have: close some, or raise \
                         fs.file-max"
            .to_owned(),
        _ => return Error::from_os(error),
    };
    Error::from_os(error).because(why)
}

/// Returns the error for a file that was not created in this file system.
#[cold]
pub(crate) fn not_created(error: Errno, within: rustix::io::Result<StatVfs>) -> Error {
    match (error, within) {
        (Errno::NOSPC, Ok(it)) if it.f_files > 0 && it.f_favail == 0 => {
            let why = format!(
                "no space for a new file: all {} inodes of its file system are in use; remove \
                 files, or mount it with more (nr_inodes)",
                it.f_files
            );
            Error::from_os(error).because(why)
        }
        (Errno::NOSPC | Errno::DQUOT, within) => no_space(error, "a new file", within),
        _ => not_opened(error),
    }
}

/// Returns the error for bytes that this file system has no space for. `what` names them.
#[cold]
pub(crate) fn no_space(error: Errno, what: &str, within: rustix::io::Result<StatVfs>) -> Error {
    let why = match (error, within) {
        (Errno::DQUOT, _) => {
            format!(
                "no space for {what}: the quota of this user is used up; remove files, or raise it"
            )
        }
        (Errno::NOSPC, Ok(it)) => {
            let [left, total] =
                [it.f_bavail, it.f_blocks].map(|blocks| blocks.saturating_mul(it.f_frsize));
            format!(
                "no space for {what}: its file system has {left} of {total} bytes left; remove \
                 objects, or enlarge the file system"
            )
        }
        _ => format!("no space for {what}"),
    };
    Error::from_os(error).of_kind(ErrorKind::OutOfSpace).because(why)
}

/// Says that a mapping of so many bytes was refused: for lack of mappings, or of addresses.
#[cold]
pub(crate) fn no_room(bytes: usize) -> String {
    let why = format!("the process has no room for {bytes} more bytes");
    if let (Some(has), Some(most)) = (count_mappings(), max_mappings())
        && is_close(has, most)
    {
        return format!(
            "{why}: it has {has} mappings, and {most} are allowed (vm.max_map_count); close \
             objects, or raise that with `sysctl -w vm.max_map_count={}`",
            most * 4
        );
    }
    match Limit::AddressSpace.get() {
        Some(most) => format!(
            "{why}: it may have {most} bytes of addresses (RLIMIT_AS); close objects, or raise the \
             limit with `ulimit -v` (in KiB)"
        ),
        None => why,
    }
}

/// Whether the next few of something may be refused.
pub(crate) fn is_close(has: u64, most: u64) -> bool {
    /// What opening an object takes at most.
    const FEW: u64 = 16;
    has.saturating_add(FEW) >= most
}

/// Returns the largest number of mappings of a process. None if the system has no such limit.
pub(crate) fn max_mappings() -> Option<u64> {
    std::fs::read_to_string("/proc/sys/vm/max_map_count").ok()?.trim().parse().ok()
}

/// Returns how many mappings this process has. Without large allocations: there may be no room for
/// them.
fn count_mappings() -> Option<u64> {
    let mut maps = File::open("/proc/self/maps").ok()?;
    let (mut piece, mut lines) = ([0; 4096], 0);
    loop {
        match maps.read(&mut piece).ok()? {
            0 => return Some(lines),
            length => lines += piece[..length].iter().filter(|it| **it == b'\n').count() as u64,
        }
    }
}
