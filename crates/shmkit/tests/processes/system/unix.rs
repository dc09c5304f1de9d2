//! Sockets, signals.

use std::fs::File;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions};

/// Carries words both ways.
pub(crate) type Stream = UnixStream;

/// Starts a child that has the other end in place of its standard input. Hearing nothing for so
/// long is an error.
pub(crate) fn start(command: &mut Command, patience: Duration) -> (Child, Stream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(patience)).unwrap();
    (command.stdin(OwnedFd::from(theirs)).spawn().unwrap(), ours)
}

/// The child's end.
pub(crate) fn link_to_parent() -> Stream {
    // SAFETY: the parent put a socket there, and nothing else in this process reads from it.
    unsafe { UnixStream::from_raw_fd(0) }
}

/// Has this child killed when the thread that started it ends.
pub(crate) fn end_with_parent() {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
}

pub(crate) fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::KILL.as_raw())
}

/// Stops it. When this returns it stands still.
pub(crate) fn stop(child: &Child) {
    rustix::process::kill_process(Pid::from_child(child), Signal::STOP).unwrap();
    wait_for_stop(child);
}

/// Waits until it stands still.
pub(crate) fn wait_for_stop(child: &Child) {
    let child = Some(Pid::from_child(child));
    let (_, status) = rustix::process::waitpid(child, WaitOptions::UNTRACED).unwrap().unwrap();
    assert!(status.stopped(), "{status:?}");
}

pub(crate) fn go_on(child: &Child) {
    rustix::process::kill_process(Pid::from_child(child), Signal::CONT).unwrap();
}

/// Waits until somebody sleeps for a lock on the file, as the system lists it. If nobody does for
/// so long, nobody will.
pub(crate) fn wait_for_waiter(path: &Path, patience: Duration) {
    let file = std::fs::metadata(path).unwrap();
    let (major, minor) = (rustix::fs::major(file.dev()), rustix::fs::minor(file.dev()));
    let of_file = format!(" {major:02x}:{minor:02x}:{} ", file.ino());
    let waits = |line: &str| line.contains(" -> ") && line.contains(&of_file);
    let begin = Instant::now();
    while !std::fs::read_to_string("/proc/locks").unwrap().lines().any(waits) {
        assert!(begin.elapsed() < patience, "nobody waits for a lock on {}", path.display());
        std::thread::yield_now();
    }
}

/// Files are made without a name, and gone when they are removed.
pub(crate) const LEAVES_TEMPORARY_FILES: bool = false;
/// How many kills it takes.
pub(crate) const KILLS: usize = 2_000;

/// Where directories for tests are.
pub(crate) fn memory_directory() -> PathBuf {
    "/dev/shm".into()
}

pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) {
    file.write_all_at(bytes, offset).unwrap();
}

pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) {
    file.read_exact_at(bytes, offset).unwrap();
}
