//! Unix: sockets and signals.

use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::io::FdFlags;
use rustix::process::{Pid, Signal, WaitOptions};
use shmkit::memory::SharedMemory;

use crate::times::TIMEOUT;

/// Carries messages both ways.
pub(crate) type Stream = UnixStream;

/// Starts a child whose standard input is the other end of the link. Reading from the link fails
/// after `timeout`.
pub(crate) fn start(command: &mut Command, timeout: Duration) -> (Child, Stream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(timeout)).unwrap();
    (command.stdin(OwnedFd::from(theirs)).spawn().unwrap(), ours)
}

/// The child's end of the link.
pub(crate) fn link_to_parent() -> Stream {
    // SAFETY: descriptor 0 is the parent's socket, and nothing else in this process uses it.
    unsafe { UnixStream::from_raw_fd(0) }
}

/// Makes the kernel kill this child when the thread that started it ends. On macOS a child ends when
/// it next waits for a message.
pub(crate) fn end_with_parent() {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
}

pub(crate) fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::KILL.as_raw())
}

/// Stops the child, and waits until it has stopped.
pub(crate) fn stop(child: &Child) {
    rustix::process::kill_process(Pid::from_child(child), Signal::STOP).unwrap();
    wait_for_stop(child);
}

pub(crate) fn wait_for_stop(child: &Child) {
    let child = Some(Pid::from_child(child));
    let (_, status) = rustix::process::waitpid(child, WaitOptions::UNTRACED).unwrap().unwrap();
    assert!(status.stopped(), "{status:?}");
}

pub(crate) fn resume(child: &Child) {
    rustix::process::kill_process(Pid::from_child(child), Signal::CONT).unwrap();
}

/// Waits until a process waits for a lock on the file, according to `/proc/locks`.
pub(crate) fn wait_for_file_lock_waiter(path: &Path) {
    let file = std::fs::metadata(path).unwrap();
    let device = file.dev() as rustix::fs::Dev;
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let of_file = format!(" {major:02x}:{minor:02x}:{} ", file.ino());
    let waits = |line: &str| line.contains(" -> ") && line.contains(&of_file);
    let start = Instant::now();
    while !std::fs::read_to_string("/proc/locks").unwrap().lines().any(waits) {
        assert!(start.elapsed() < TIMEOUT, "no process waits for a lock on {}", path.display());
        std::thread::yield_now();
    }
}

/// Files are created without a name, and disappear when they are removed.
pub(crate) const LEAVES_TEMPORARY_FILES: bool = false;
/// How many kills a test of random kills makes.
pub(crate) const KILLS: usize = 2_000;

/// Where the tests' directories are.
pub(crate) fn memory_directory() -> PathBuf {
    "/dev/shm".into()
}

/// The environment variable that holds the descriptor of the memory that a child gets.
const MEMORY: &str = "SHMKIT_TEST_MEMORY";

/// Memory without a name.
pub(crate) fn memory_for_children(size: u64) -> SharedMemory {
    SharedMemory::anonymous(size).unwrap()
}

/// Lets a child inherit the descriptor of the memory.
pub(crate) fn pass_memory<'c>(memory: &SharedMemory, command: &'c mut Command) -> &'c mut Command {
    let descriptor = memory.file().as_raw_fd();
    command.env(MEMORY, descriptor.to_string());
    let keep_open = move || {
        // SAFETY: the memory is open until the child was started.
        let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
        Ok(rustix::io::fcntl_setfd(descriptor, FdFlags::empty())?)
    };
    // SAFETY: one system call, which may be made between fork and exec.
    unsafe { command.pre_exec(keep_open) }
}

/// The memory that the parent passed on.
pub(crate) fn inherited_memory() -> SharedMemory {
    let descriptor = std::env::var(MEMORY).unwrap().parse().unwrap();
    // SAFETY: it was inherited for this; nothing else in this process uses it.
    SharedMemory::from_file(unsafe { File::from_raw_fd(descriptor) }).unwrap()
}

/// Whether a creator sees another one that began to create an object before its place and over it.
pub(crate) const EXCLUDES_OVERLAPPING_CREATORS: bool = cfg!(target_os = "linux");

pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) {
    file.write_all_at(bytes, offset).unwrap();
}

pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) {
    file.read_exact_at(bytes, offset).unwrap();
}

/// How many threads of a process receive death notices.
#[cfg(target_os = "linux")]
pub(crate) fn notices_threads_of(process: u32) -> usize {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let names = threads.map(|it| std::fs::read_to_string(it.unwrap().path().join("comm")));
    // A thread may end meanwhile.
    names.filter(|name| name.as_ref().is_ok_and(|it| it.trim_end() == "shmkit-notices")).count()
}

/// Whether waiters look less often while notices are armed.
#[cfg(target_os = "linux")]
pub(crate) const ANNOUNCES_EVERY_DEATH: bool = true;
