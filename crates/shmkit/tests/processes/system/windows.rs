//! Connections, suspended threads, ended processes.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::windows::fs::FileExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE, NTSTATUS};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::Threading::{
    OpenThread, ResumeThread, SuspendThread, THREAD_SUSPEND_RESUME,
};

/// Carries words both ways.
pub(crate) type Stream = TcpStream;

/// Tells a child where its parent listens.
const LINK: &str = "SHMKIT_TEST_LINK";
/// What ends by `TerminateProcess`: killed by its parent, or at a crash point.
const KILLED: [i32; 2] = [1, 9];

#[link(name = "ntdll")]
unsafe extern "system" {
    fn NtSuspendProcess(process: HANDLE) -> NTSTATUS;
    fn NtResumeProcess(process: HANDLE) -> NTSTATUS;
}

/// Starts a child that connects to this process. Hearing nothing for so long is an error.
pub(crate) fn start(command: &mut Command, patience: Duration) -> (Child, Stream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    command.env(LINK, address).stdin(Stdio::null());
    // Wine fails to create a process now and then, with this and no other error.
    const INTERNAL_ERROR: i32 = 1359;
    let child = loop {
        match command.spawn() {
            Err(error) if error.raw_os_error() == Some(INTERNAL_ERROR) => {}
            answer => break answer.unwrap(),
        }
    };
    // Whoever dies before it connects is found dead by its silence.
    listener.set_nonblocking(true).unwrap();
    let mut left = patience;
    const MOMENT: Duration = Duration::from_millis(1);
    let stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => panic!("no link: {error}"),
        }
        assert!(!left.is_zero(), "the child does not connect");
        left = left.saturating_sub(MOMENT);
        std::thread::sleep(MOMENT);
    };
    stream.set_nonblocking(false).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(patience)).unwrap();
    (child, stream)
}

/// The child's end.
pub(crate) fn link_to_parent() -> Stream {
    let stream = TcpStream::connect(std::env::var(LINK).unwrap()).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A child that nobody listens to ends when it hears nothing; whoever started it ends it when it
/// is dropped.
pub(crate) fn end_with_parent() {}

pub(crate) fn was_killed(status: ExitStatus) -> bool {
    status.code().is_some_and(|code| KILLED.contains(&code))
}

/// Stops it. When this returns it stands still.
pub(crate) fn stop(child: &Child) {
    // SAFETY: the child's handle is open for as long as it is borrowed.
    let status = unsafe { NtSuspendProcess(child.as_raw_handle()) };
    assert!(status >= 0, "{status:#x}");
}

/// Waits until it stands still: until one of its threads is suspended.
pub(crate) fn wait_for_stop(child: &Child) {
    while !threads_of(child.id()).into_iter().any(is_suspended) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) fn go_on(child: &Child) {
    // SAFETY: the child's handle is open for as long as it is borrowed.
    let status = unsafe { NtResumeProcess(child.as_raw_handle()) };
    assert!(status >= 0, "{status:#x}");
}

fn threads_of(process: u32) -> Vec<u32> {
    // SAFETY: takes numbers.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0) };
    assert_ne!(snapshot, INVALID_HANDLE_VALUE);
    // SAFETY: just made for us.
    let snapshot = unsafe { OwnedHandle::from_raw_handle(snapshot) };
    let mut entry =
        THREADENTRY32 { dwSize: size_of::<THREADENTRY32>() as u32, ..Default::default() };
    let mut threads = Vec::new();
    // SAFETY: the snapshot is open, and the entry says how large it is.
    let mut more = unsafe { Thread32First(snapshot.as_raw_handle(), &raw mut entry) };
    while more != 0 {
        if entry.th32OwnerProcessID == process {
            threads.push(entry.th32ThreadID);
        }
        // SAFETY: as above.
        more = unsafe { Thread32Next(snapshot.as_raw_handle(), &raw mut entry) };
    }
    threads
}

/// Suspends it once more, to see how often it was before.
fn is_suspended(thread: u32) -> bool {
    // SAFETY: takes numbers.
    let thread = unsafe { OpenThread(THREAD_SUSPEND_RESUME, 0, thread) };
    if thread.is_null() {
        return false;
    }
    // SAFETY: just opened for us.
    let thread = unsafe { OwnedHandle::from_raw_handle(thread) };
    // SAFETY: the thread's handle is open.
    let before = unsafe { SuspendThread(thread.as_raw_handle()) };
    // SAFETY: as above.
    unsafe { ResumeThread(thread.as_raw_handle()) };
    before != u32::MAX && before > 0
}

/// Where directories for tests are: not where others clean up.
pub(crate) fn memory_directory() -> PathBuf {
    let directory = PathBuf::from(std::env::var_os("LOCALAPPDATA").unwrap()).join("shmkit-tests");
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// The system does not say who sleeps for a lock: the test then holds, whether anybody does or not.
pub(crate) fn wait_for_waiter(_path: &Path, _patience: Duration) {}

/// Files have a temporary name before their own, and after it.
pub(crate) const LEAVES_TEMPORARY_FILES: bool = true;
/// How many kills it takes: starting a process takes long.
pub(crate) const KILLS: usize = 512;

pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) {
    assert_eq!(file.seek_write(bytes, offset).unwrap(), bytes.len());
}

pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) {
    assert_eq!(file.seek_read(bytes, offset).unwrap(), bytes.len());
}
