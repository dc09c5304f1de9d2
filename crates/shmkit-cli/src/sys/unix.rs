//! Clocks, signals, and the memory of `shm_open`.

mod running;
mod signals;
mod sudden_ends;
mod threads;
mod users;

use std::io;
use std::os::unix::process::parent_id;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

pub(crate) use running::{Runner, run};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use rustix::time::{ClockId, DynamicClockId, Timespec, clock_gettime, clock_gettime_dynamic};
pub(crate) use signals::{end_on_request, on_interrupt};
pub(crate) use sudden_ends::{explain_lack_of_memory, explain_sudden_ends, restore_at_sudden_end};
pub(super) use threads::start as start_thread;
pub(crate) use users::user_number;

/// Facts about raw memory.
pub(crate) mod raw {
    use std::io;
    use std::os::unix::fs::MetadataExt;
    use std::time::SystemTime;

    use crate::sys::named_memory::NamedMemory;

    /// Returns all named memory. None if the system has no list of it.
    pub(crate) fn list() -> Option<io::Result<Vec<NamedMemory>>> {
        cfg!(target_os = "linux").then(list_files)
    }

    fn list_files() -> io::Result<Vec<NamedMemory>> {
        let mut found = Vec::new();
        for file in std::fs::read_dir("/dev/shm")? {
            let file = file?;
            // It can be removed meanwhile.
            let Ok(status) = file.metadata() else { continue };
            if status.is_file() {
                found.push(NamedMemory {
                    name: file.file_name().to_string_lossy().into_owned(),
                    size: status.len(),
                    owner: status.uid(),
                    mode: status.mode() & 0o7777,
                    changed: status.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                });
            }
        }
        Ok(found)
    }

    /// Whether it stays when the last process closes it.
    pub(crate) const IS_PERSISTENT: bool = true;
    /// Where it is, in words.
    pub(crate) const PLACE: &str =
        if cfg!(target_os = "linux") { "in /dev/shm" } else { "in no directory" };
    /// What a name is that no memory has, in words.
    pub(crate) const MISSING: &str = match cfg!(target_os = "linux") {
        true => "no memory of this name in /dev/shm",
        false => "no memory of this name",
    };
    /// How other programs find it, in words.
    pub(crate) const NAME: &str = match cfg!(target_os = "linux") {
        true => {
            "NAME is the same memory as for `shm_open`, for Boost's `shared_memory_object` and for \
             Python's `SharedMemory`: the file NAME in /dev/shm"
        }
        false => "NAME is the same memory as for `shm_open` and for Python's `SharedMemory`",
    };
}

/// The exit code at ctrl-c, as shells report it: 128 and the number of the signal.
pub(crate) const INTERRUPTED: u8 = 130;

/// Returns the uppermost directory of the file system that a directory is in.
pub(crate) fn mount_point(directory: &Path) -> &Path {
    let device = |path: &Path| rustix::fs::stat(path).ok().map(|it| it.st_dev);
    let here = device(directory);
    let within = directory.ancestors().take_while(|it| here.is_some() && device(it) == here);
    within.last().unwrap_or(directory)
}

/// How `Child::kill` ends a child.
pub(crate) const KILL: &str = "SIGKILL";

/// A terminal takes any bytes.
pub(crate) const TERMINAL_TAKES_ONLY_TEXT: bool = false;

/// Returns false: std knows the error of a closed pipe.
pub(crate) fn is_closed_pipe(_error: &io::Error) -> bool {
    false
}

/// Returns whether a process has started this one, or one that has: as far as the system shows it.
pub(crate) fn is_ancestor(pid: u32) -> bool {
    let parent = |of: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{of}/status")).ok()?;
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
        parent.trim().parse().ok().filter(|parent| *parent != 0)
    };
    // A chain of ids that are used again could be a circle.
    const MOST: usize = 1000;
    std::iter::successors(Some(parent_id()), parent).take(MOST).any(|ancestor| ancestor == pid)
}

/// Returns nanoseconds on a monotonic clock, which is the same for all processes of the machine.
pub(crate) fn monotonic_ns() -> u64 {
    duration(clock_gettime(ClockId::Monotonic)).as_nanos() as u64
}

/// Returns the processor time of this process: of all threads, in user and in system mode. 0 if a
/// sandbox refuses it.
pub(crate) fn processor_time() -> Duration {
    let clock = DynamicClockId::Known(ClockId::ProcessCPUTime);
    clock_gettime_dynamic(clock).map_or(Duration::ZERO, duration)
}

fn duration(time: Timespec) -> Duration {
    Duration::try_from(time).expect("these clocks begin at 0")
}

/// Stops a child at any instruction, and returns when it has stopped.
pub(crate) fn stop(child: &Child) -> io::Result<()> {
    let child = Pid::from_child(child);
    rustix::process::kill_process(child, Signal::STOP)?;
    // If it has ended instead, its exit status is left for `Child::wait`.
    let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    wait_for(child, options)
}

/// Waits until the child has changed its state as `options` say.
fn wait_for(child: Pid, options: WaitIdOptions) -> io::Result<()> {
    retry_on_intr(|| waitid(WaitId::Pid(child), options))?;
    Ok(())
}

/// Resumes a stopped child.
pub(crate) fn resume(child: &Child) -> io::Result<()> {
    Ok(rustix::process::kill_process(Pid::from_child(child), Signal::CONT)?)
}
