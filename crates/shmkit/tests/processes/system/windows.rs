//! Windows: connections and suspended threads.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::windows::fs::FileExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use shmkit::memory::SharedMemory;
use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE, LocalFree, NTSTATUS};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::Threading::{
    GetThreadDescription, OpenThread, ResumeThread, SuspendThread,
    THREAD_QUERY_LIMITED_INFORMATION, THREAD_SUSPEND_RESUME,
};

/// Carries messages both ways.
pub(crate) type Stream = TcpStream;

/// The environment variable that holds the address at which a child's parent listens.
const LINK: &str = "SHMKIT_TEST_LINK";
/// The exit codes of a process that was ended by `TerminateProcess`: by its parent, or at a crash
/// point.
const KILLED: [i32; 2] = [1, 9];

#[link(name = "ntdll")]
unsafe extern "system" {
    fn NtSuspendProcess(process: HANDLE) -> NTSTATUS;
    fn NtResumeProcess(process: HANDLE) -> NTSTATUS;
}

/// Starts a child that connects to this process. Reading from the link fails after `timeout`.
pub(crate) fn start(command: &mut Command, timeout: Duration) -> (Child, Stream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    command.env(LINK, address).stdin(Stdio::null());
    // Wine sometimes fails to create a process, always with this error.
    const INTERNAL_ERROR: i32 = 1359;
    let child = loop {
        match command.spawn() {
            Err(error) if error.raw_os_error() == Some(INTERNAL_ERROR) => {}
            answer => break answer.unwrap(),
        }
    };
    // The wait is bounded, because a child that dies first never connects.
    listener.set_nonblocking(true).unwrap();
    let mut left = timeout;
    const STEP: Duration = Duration::from_millis(1);
    let stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => panic!("the child does not connect: {error}"),
        }
        assert!(!left.is_zero(), "the child does not connect");
        left = left.saturating_sub(STEP);
        std::thread::sleep(STEP);
    };
    stream.set_nonblocking(false).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(timeout)).unwrap();
    (child, stream)
}

/// The child's end of the link.
pub(crate) fn link_to_parent() -> Stream {
    let stream = TcpStream::connect(std::env::var(LINK).unwrap()).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Does nothing: a child ends when its link closes, and its parent kills it on drop.
pub(crate) fn end_with_parent() {}

pub(crate) fn was_killed(status: ExitStatus) -> bool {
    status.code().is_some_and(|code| KILLED.contains(&code))
}

/// Suspends all threads of the child.
pub(crate) fn stop(child: &Child) {
    // SAFETY: the child's handle is open for as long as it is borrowed.
    let status = unsafe { NtSuspendProcess(child.as_raw_handle()) };
    assert!(status >= 0, "{status:#x}");
}

/// Waits until one of the child's threads is suspended.
pub(crate) fn wait_for_stop(child: &Child) {
    while !threads_of(child.id()).into_iter().any(is_suspended) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) fn resume(child: &Child) {
    // SAFETY: the child's handle is open for as long as it is borrowed.
    let status = unsafe { NtResumeProcess(child.as_raw_handle()) };
    assert!(status >= 0, "{status:#x}");
}

fn threads_of(process: u32) -> Vec<u32> {
    // SAFETY: the call takes no pointers.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0) };
    assert_ne!(snapshot, INVALID_HANDLE_VALUE);
    // SAFETY: the handle is new, and owned here alone.
    let snapshot = unsafe { OwnedHandle::from_raw_handle(snapshot) };
    let mut entry =
        THREADENTRY32 { dwSize: size_of::<THREADENTRY32>() as u32, ..Default::default() };
    let mut threads = Vec::new();
    // SAFETY: the snapshot is open, and the entry holds its own size.
    let mut more = unsafe { Thread32First(snapshot.as_raw_handle(), &raw mut entry) };
    while more != 0 {
        if entry.th32OwnerProcessID == process {
            threads.push(entry.th32ThreadID);
        }
        // SAFETY: the snapshot is open, and the entry holds its own size.
        more = unsafe { Thread32Next(snapshot.as_raw_handle(), &raw mut entry) };
    }
    threads
}

/// Whether a thread is suspended: suspending it again returns how many times it already was.
fn is_suspended(thread: u32) -> bool {
    // SAFETY: the call takes no pointers.
    let thread = unsafe { OpenThread(THREAD_SUSPEND_RESUME, 0, thread) };
    if thread.is_null() {
        return false;
    }
    // SAFETY: the handle is new, and owned here alone.
    let thread = unsafe { OwnedHandle::from_raw_handle(thread) };
    // SAFETY: the thread's handle is open.
    let before = unsafe { SuspendThread(thread.as_raw_handle()) };
    // SAFETY: the thread's handle is open.
    unsafe { ResumeThread(thread.as_raw_handle()) };
    before != u32::MAX && before > 0
}

/// Where the tests' directories are: apart from the objects of other programs.
pub(crate) fn memory_directory() -> PathBuf {
    let directory = PathBuf::from(std::env::var_os("LOCALAPPDATA").unwrap()).join("shmkit-tests");
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// Does nothing: the system does not list the waiters for a lock. The tests pass in either case.
pub(crate) fn wait_for_file_lock_waiter(_path: &Path) {}

/// Files have a temporary name before their own, and after they are removed.
pub(crate) const LEAVES_TEMPORARY_FILES: bool = true;
/// How many kills a test of random kills makes: few, since starting a process is slow.
pub(crate) const KILLS: usize = 512;

/// The environment variable that holds the name of the memory that a child gets.
const MEMORY: &str = "SHMKIT_TEST_MEMORY";

/// Memory under a name: the tests do not duplicate handles.
pub(crate) fn memory_for_children(size: u64) -> SharedMemory {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    // ORDERING: Relaxed; the count only needs to differ each time.
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    SharedMemory::create(&format!("shmkit-test-{}-{count}", std::process::id()), size).unwrap()
}

/// Tells a child the name of the memory.
pub(crate) fn pass_memory<'c>(memory: &SharedMemory, command: &'c mut Command) -> &'c mut Command {
    command.env(MEMORY, memory.name().unwrap())
}

/// The memory that the parent passed on.
pub(crate) fn inherited_memory() -> SharedMemory {
    SharedMemory::open(&std::env::var(MEMORY).unwrap()).unwrap()
}

/// Whether a creator sees another one that began to create an object before its place and over it.
pub(crate) const EXCLUDES_OVERLAPPING_CREATORS: bool = false;

pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) {
    assert_eq!(file.seek_write(bytes, offset).unwrap(), bytes.len());
}

pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) {
    assert_eq!(file.seek_read(bytes, offset).unwrap(), bytes.len());
}

/// How many threads of a process receive death notices.
pub(crate) fn notices_threads_of(process: u32) -> usize {
    let names = threads_of(process).into_iter().filter_map(name_of);
    names.filter(|name| name == "shmkit-notices").count()
}

/// The name of a thread, or `None` if it has ended.
fn name_of(thread: u32) -> Option<String> {
    // SAFETY: the call takes no pointers.
    let thread = unsafe { OpenThread(THREAD_QUERY_LIMITED_INFORMATION, 0, thread) };
    if thread.is_null() {
        return None;
    }
    // SAFETY: the handle is new, and owned here alone.
    let thread = unsafe { OwnedHandle::from_raw_handle(thread) };
    let mut name = std::ptr::null_mut();
    // SAFETY: the thread's handle is open, and there is room for the answer.
    if unsafe { GetThreadDescription(thread.as_raw_handle(), &raw mut name) } < 0 {
        return None;
    }
    // SAFETY: only units up to the terminating zero are read.
    let units = (0..).map(|at| unsafe { name.wrapping_add(at).read() });
    let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    // SAFETY: the call above allocated the name, and nothing uses it after this.
    unsafe { LocalFree(name.cast()) };
    Some(String::from_utf16_lossy(&units))
}

/// Waiters look as often while notices are armed.
pub(crate) const ANNOUNCES_EVERY_DEATH: bool = false;
