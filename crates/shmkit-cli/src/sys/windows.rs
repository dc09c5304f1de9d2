//! Clocks, console events, suspended threads, and the memory of `CreateFileMapping`.

#![allow(unsafe_code, reason = "calls of Win32")]

mod running;

use std::io;
use std::mem::MaybeUninit;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::process::Child;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

pub(crate) use running::{Runner, run};
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_INVALID_PARAMETER, ERROR_NO_MORE_FILES, ERROR_PIPE_NOT_CONNECTED,
    FILETIME, HANDLE, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::Win32::System::Diagnostics::Debug::{
    CONTEXT, CONTEXT_CONTROL_AMD64, CONTEXT_CONTROL_ARM64, CONTEXT_CONTROL_X86, CONTEXT_FLAGS,
    GetThreadContext,
};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetProcessIdOfThread, GetProcessTimes, OpenThread, ResumeThread,
    SuspendThread, THREAD_GET_CONTEXT, THREAD_QUERY_LIMITED_INFORMATION, THREAD_SUSPEND_RESUME,
};
use windows_sys::core::BOOL;

/// Facts about raw memory.
pub(crate) mod raw {
    use std::io;

    use crate::sys::named_memory::NamedMemory;

    /// Returns none: Windows lists its sections only to debuggers.
    pub(crate) fn list() -> Option<io::Result<Vec<NamedMemory>>> {
        None
    }

    /// Whether it stays when the last process closes it.
    pub(crate) const IS_PERSISTENT: bool = false;
    /// Where it is, in words.
    pub(crate) const PLACE: &str = "in no directory";
    /// What a name is that no memory has, in words.
    pub(crate) const MISSING: &str = "no memory of this name";
    /// How other programs find it, in words.
    pub(crate) const NAME: &str = "NAME is the same memory as for `CreateFileMapping`, for \
        Boost's `windows_shared_memory` and for Python's `SharedMemory`. Without the prefix \
        `Local\\` or `Global\\` it belongs to the session. It disappears when the last process \
        closes it, and its size is rounded up to whole pages";
}

/// Does nothing: on Windows mapped memory cannot be truncated.
pub(crate) fn explain_sudden_ends(_code: u8) -> io::Result<()> {
    Ok(())
}

/// Does nothing: there are no sudden ends of which this process is told.
pub(crate) fn restore_at_sudden_end(_codes: &'static [u8]) {}

/// Does nothing: the standard library says it.
pub(crate) fn explain_lack_of_memory() {}

/// The exit code at ctrl-c, as shells report it: 128 and the number of the signal.
pub(crate) const INTERRUPTED: u8 = 130;

/// Returns the volume that a directory is in.
pub(crate) fn mount_point(directory: &Path) -> &Path {
    directory.ancestors().last().unwrap_or(directory)
}

/// Returns none: Windows has no user numbers.
pub(crate) fn user_number(_name: &str) -> io::Result<Option<u32>> {
    Ok(None)
}

/// How `Child::kill` ends a child.
pub(crate) const KILL: &str = "TerminateProcess";

/// The console takes characters. std refuses bytes that are not UTF-8.
pub(crate) const TERMINAL_TAKES_ONLY_TEXT: bool = true;

/// Returns whether a write failed because the reader of the pipe has closed it: for a named pipe,
/// or one from outside of Wine, also in another way than std knows.
pub(crate) fn is_closed_pipe(error: &io::Error) -> bool {
    is(error, ERROR_PIPE_NOT_CONNECTED)
}

/// Returns false: the id of a parent that has ended can be used again.
pub(crate) fn is_ancestor(_pid: u32) -> bool {
    false
}

/// Returns nanoseconds on a monotonic clock, which is the same for all processes of the machine.
pub(crate) fn monotonic_ns() -> u64 {
    static PER_SECOND: OnceLock<i64> = OnceLock::new();
    let per_second = *PER_SECOND.get_or_init(|| {
        let mut frequency = 0;
        // SAFETY: the pointer is valid for the answer. The call never fails since Windows XP.
        unsafe { QueryPerformanceFrequency(&raw mut frequency) };
        frequency.max(1)
    });
    let mut count = 0;
    // SAFETY: the pointer is valid for the answer. The call never fails since Windows XP.
    unsafe { QueryPerformanceCounter(&raw mut count) };
    (i128::from(count) * 1_000_000_000 / i128::from(per_second)) as u64
}

/// Returns the processor time of this process: of all threads, in user and in system mode. Some
/// systems count it in ticks of some milliseconds.
pub(crate) fn processor_time() -> Duration {
    let mut times = [FILETIME::default(); 4];
    let [created, ended, kernel, user] = &mut times;
    // SAFETY: the call has no requirements. The handle is not closed.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: the handle is valid, and so are the pointers for the answers.
    let answer = unsafe {
        GetProcessTimes(
            process,
            &raw mut *created,
            &raw mut *ended,
            &raw mut *kernel,
            &raw mut *user,
        )
    };
    if answer == 0 {
        return Duration::ZERO;
    }
    /// The unit of a `FILETIME`.
    const UNIT_NS: u64 = 100;
    let units =
        |time: &FILETIME| u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
    Duration::from_nanos((units(kernel) + units(user)) * UNIT_NS)
}

/// Starts a thread.
pub(super) fn start_thread(action: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().spawn(action).map(drop)
}

type Callback = Box<dyn FnOnce(u8) + Send>;
static ON_INTERRUPT: Mutex<Option<Callback>> = Mutex::new(None);

/// The system ends each process on request.
pub(crate) fn end_on_request() -> io::Result<()> {
    Ok(())
}

/// Calls `then` once, in a new thread, at ctrl-c, ctrl-break or the end of the console, with the
/// exit code for it.
pub(crate) fn on_interrupt(then: impl FnOnce(u8) + Send + 'static) -> io::Result<()> {
    *ON_INTERRUPT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(then));
    // SAFETY: any thread can call `handle_event` while the program runs.
    check(unsafe { SetConsoleCtrlHandler(Some(handle_event), 1) })
}

/// The system calls this in a thread of its own. The answer 1 keeps it from calling its own
/// handler, which ends the process.
unsafe extern "system" fn handle_event(event: u32) -> BOOL {
    let then = ON_INTERRUPT.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(then) = then {
        then(INTERRUPTED);
    }
    if event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT {
        // The console closes. The process would end at the return, while it cleans up.
        loop {
            std::thread::park();
        }
    }
    1
}

/// Stops a child at any instruction, and returns when it has stopped.
pub(crate) fn stop(child: &Child) -> io::Result<()> {
    let mut stopped = Vec::new();
    loop {
        let mut more = threads_of(child)?;
        more.retain(|id| !stopped.contains(id));
        if more.is_empty() {
            // All threads had stopped before the list was made, so there are no new ones.
            return Ok(());
        }
        for id in more {
            if let Some(thread) = open_thread(child, id)? {
                stop_thread(&thread)?;
            }
            stopped.push(id);
        }
    }
}

/// Resumes a stopped child.
pub(crate) fn resume(child: &Child) -> io::Result<()> {
    for id in threads_of(child)? {
        if let Some(thread) = open_thread(child, id)? {
            // SAFETY: the handle is open with this right.
            check_count(unsafe { ResumeThread(thread.as_raw_handle()) })?;
        }
    }
    Ok(())
}

/// Returns the ids of the child's threads.
fn threads_of(child: &Child) -> io::Result<Vec<u32>> {
    // SAFETY: the arguments are numbers.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0) };
    // SAFETY: the call returned this new handle.
    let snapshot = unsafe { owned(snapshot) }?;
    let mut entry =
        THREADENTRY32 { dwSize: size_of::<THREADENTRY32>() as u32, ..Default::default() };
    let mut threads = Vec::new();
    // SAFETY: the snapshot is open, and the entry holds its own size.
    let mut answer = check(unsafe { Thread32First(snapshot.as_raw_handle(), &raw mut entry) });
    while answer.is_ok() {
        if entry.th32OwnerProcessID == child.id() {
            threads.push(entry.th32ThreadID);
        }
        // SAFETY: the snapshot is open, and the entry holds its own size.
        answer = check(unsafe { Thread32Next(snapshot.as_raw_handle(), &raw mut entry) });
    }
    match answer {
        Err(error) if !is(&error, ERROR_NO_MORE_FILES) => Err(error),
        _ => Ok(threads),
    }
}

/// Opens a thread of the child. None if it has ended: another thread can have its id.
fn open_thread(child: &Child, id: u32) -> io::Result<Option<OwnedHandle>> {
    let access = THREAD_SUSPEND_RESUME | THREAD_GET_CONTEXT | THREAD_QUERY_LIMITED_INFORMATION;
    // SAFETY: the arguments are numbers.
    let thread = unsafe { OpenThread(access, 0, id) };
    // SAFETY: the call returned this new handle.
    match unsafe { owned(thread) } {
        Err(error) if is(&error, ERROR_INVALID_PARAMETER) => Ok(None),
        Err(error) => Err(error),
        Ok(thread) => {
            // SAFETY: the handle is open with this right.
            let process = unsafe { GetProcessIdOfThread(thread.as_raw_handle()) };
            Ok((process == child.id()).then_some(thread))
        }
    }
}

/// Suspends a thread, and waits until it has stopped.
fn stop_thread(thread: &OwnedHandle) -> io::Result<()> {
    /// Aligned as the system requires.
    #[repr(C, align(16))]
    struct State(CONTEXT);
    const WANTED: CONTEXT_FLAGS = if cfg!(target_arch = "aarch64") {
        CONTEXT_CONTROL_ARM64
    } else if cfg!(target_arch = "x86") {
        CONTEXT_CONTROL_X86
    } else {
        CONTEXT_CONTROL_AMD64
    };
    // SAFETY: the structure holds numbers, and all of them can be 0.
    let mut state: State = unsafe { MaybeUninit::zeroed().assume_init() };
    state.0.ContextFlags = WANTED;
    // SAFETY: the handle is open with this right. The thread is of another process, so this process
    // needs none of its locks.
    match check_count(unsafe { SuspendThread(thread.as_raw_handle()) }) {
        // This process has the right to suspend it, so the thread is ending: it runs no more.
        Err(error) if is(&error, ERROR_ACCESS_DENIED) => return Ok(()),
        answer => answer?,
    }
    // The system returns the state only after the thread has stopped.
    // SAFETY: the handle is open with this right, and the pointer is valid for the answer.
    match check(unsafe { GetThreadContext(thread.as_raw_handle(), &raw mut state.0) }) {
        // The thread is ending.
        Err(error) if is(&error, ERROR_INVALID_PARAMETER) => Ok(()),
        answer => answer,
    }
}

/// Returns the outcome of a call that returns true or false.
fn check(answer: BOOL) -> io::Result<()> {
    if answer == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Returns the outcome of a call that returns how many times a thread was suspended.
fn check_count(answer: u32) -> io::Result<()> {
    if answer == u32::MAX { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn is(error: &io::Error, code: u32) -> bool {
    error.raw_os_error() == Some(code as i32)
}

/// Returns the outcome of a call that returns a new handle.
///
/// # Safety
///
/// The call returned the handle to this caller only, or it failed.
unsafe fn owned(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: by the contract of this function the handle is open and has no other owner.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn ctrl_c_calls_back_once_and_does_not_end_the_process() {
        let (sender, calls) = channel();
        on_interrupt(move |_| sender.send(()).unwrap()).unwrap();
        for event in [CTRL_C_EVENT, CTRL_BREAK_EVENT] {
            // SAFETY: the system calls it in the same way.
            assert_eq!(unsafe { handle_event(event) }, 1);
        }
        assert_eq!(calls.iter().count(), 1);
    }

    #[test]
    fn the_clock_advances_and_processor_time_is_counted() {
        let (start, before) = (monotonic_ns(), processor_time());
        while processor_time() == before {}
        assert!(monotonic_ns() > start);
    }
}
