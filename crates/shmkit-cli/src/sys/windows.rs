//! Clocks, console events, suspended threads, and memory that `CreateFileMapping` knows.

#![allow(unsafe_code, reason = "calls of Win32")]

mod running;

use std::io;
use std::mem::MaybeUninit;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::process::Child;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

pub(crate) use running::run;
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_INVALID_PARAMETER, ERROR_NO_MORE_FILES, FILETIME, HANDLE,
    INVALID_HANDLE_VALUE,
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

/// Raw memory here.
pub(crate) mod raw {
    /// Whether it stays when the last who has it leaves.
    pub(crate) const STAYS: bool = false;
    /// Where it is.
    pub(crate) const PLACE: &str = "in no directory";
    /// What its name is to other programs.
    pub(crate) const NAME: &str = "NAME is what `CreateFileMapping`, Boost's \
        `windows_shared_memory` and Python's `SharedMemory` know by that name. Without `Local\\` \
        or `Global\\` before it, it is the session's alone. Memory and name go with the last who \
        has it open; its size is in whole pages";
}

/// How `Child::kill` ends a child.
pub(crate) const KILL: &str = "TerminateProcess";

/// Nanoseconds on the clock that never jumps, the same for all processes of the machine.
pub(crate) fn monotonic_ns() -> u64 {
    static PER_SECOND: OnceLock<i64> = OnceLock::new();
    let per_second = *PER_SECOND.get_or_init(|| {
        let mut frequency = 0;
        // SAFETY: the answer has room. It never fails since Windows XP.
        unsafe { QueryPerformanceFrequency(&raw mut frequency) };
        frequency.max(1)
    });
    let mut count = 0;
    // SAFETY: the answer has room. It never fails since Windows XP.
    unsafe { QueryPerformanceCounter(&raw mut count) };
    (i128::from(count) * 1_000_000_000 / i128::from(per_second)) as u64
}

/// The processor time that this process has used, all threads and the system's work included. Some
/// systems count it in ticks of some milliseconds.
pub(crate) fn processor_time() -> Duration {
    let mut times = [FILETIME::default(); 4];
    let [made, ended, kernel, user] = &mut times;
    // SAFETY: names this process, without a handle to close.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: the process lives, and the answers have room.
    let told = unsafe {
        GetProcessTimes(process, &raw mut *made, &raw mut *ended, &raw mut *kernel, &raw mut *user)
    };
    if told == 0 {
        return Duration::ZERO;
    }
    /// What a `FILETIME` counts.
    const UNIT_NS: u64 = 100;
    let units =
        |time: &FILETIME| u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
    Duration::from_nanos((units(kernel) + units(user)) * UNIT_NS)
}

type Heard = Box<dyn FnOnce() + Send>;
static HEARD: Mutex<Option<Heard>> = Mutex::new(None);

/// Has `heard` called in a thread of its own, once, when ctrl-c or ctrl-break is pressed, or the
/// console is closed.
pub(crate) fn on_interrupt(heard: impl FnOnce() + Send + 'static) -> io::Result<()> {
    *HEARD.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(heard));
    // SAFETY: `hear` may be called from any thread, for as long as the program is there.
    done(unsafe { SetConsoleCtrlHandler(Some(hear), 1) })
}

/// Called by the system, in a thread that it makes for that. Says that no other handler, of which
/// the last ends the process, need be asked.
unsafe extern "system" fn hear(event: u32) -> BOOL {
    let heard = HEARD.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(heard) = heard {
        heard();
    }
    if event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT {
        // The console is being closed. Going back would end the process in the midst of its end.
        loop {
            std::thread::park();
        }
    }
    1
}

/// Stops a child, wherever it is, and returns once it stands still.
pub(crate) fn stop(child: &Child) -> io::Result<()> {
    let mut stopped = Vec::new();
    loop {
        let mut more = threads_of(child)?;
        more.retain(|id| !stopped.contains(id));
        if more.is_empty() {
            // All stood still before this look, so that none makes another.
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

/// Lets a stopped child go on.
pub(crate) fn go_on(child: &Child) -> io::Result<()> {
    for id in threads_of(child)? {
        if let Some(thread) = open_thread(child, id)? {
            // SAFETY: the thread is open for this.
            counted(unsafe { ResumeThread(thread.as_raw_handle()) })?;
        }
    }
    Ok(())
}

/// The numbers of the child's threads.
fn threads_of(child: &Child) -> io::Result<Vec<u32>> {
    // SAFETY: takes numbers alone.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0) };
    // SAFETY: made for us.
    let snapshot = unsafe { owned(snapshot) }?;
    let mut entry =
        THREADENTRY32 { dwSize: size_of::<THREADENTRY32>() as u32, ..Default::default() };
    let mut threads = Vec::new();
    // SAFETY: the snapshot is open, and the answer says how much room it has.
    let mut told = done(unsafe { Thread32First(snapshot.as_raw_handle(), &raw mut entry) });
    while told.is_ok() {
        if entry.th32OwnerProcessID == child.id() {
            threads.push(entry.th32ThreadID);
        }
        // SAFETY: as above.
        told = done(unsafe { Thread32Next(snapshot.as_raw_handle(), &raw mut entry) });
    }
    match told {
        Err(error) if !is(&error, ERROR_NO_MORE_FILES) => Err(error),
        _ => Ok(threads),
    }
}

/// Opens a thread of the child; `None` where it has ended, and another may have its number.
fn open_thread(child: &Child, id: u32) -> io::Result<Option<OwnedHandle>> {
    let access = THREAD_SUSPEND_RESUME | THREAD_GET_CONTEXT | THREAD_QUERY_LIMITED_INFORMATION;
    // SAFETY: takes numbers alone.
    let thread = unsafe { OpenThread(access, 0, id) };
    // SAFETY: opened for us.
    match unsafe { owned(thread) } {
        Err(error) if is(&error, ERROR_INVALID_PARAMETER) => Ok(None),
        Err(error) => Err(error),
        Ok(thread) => {
            // SAFETY: the thread is open for this.
            let process = unsafe { GetProcessIdOfThread(thread.as_raw_handle()) };
            Ok((process == child.id()).then_some(thread))
        }
    }
}

/// Suspends a thread, and waits until it is.
fn stop_thread(thread: &OwnedHandle) -> io::Result<()> {
    /// Aligned as the system wants it.
    #[repr(C, align(16))]
    struct State(CONTEXT);
    const WANTED: CONTEXT_FLAGS = if cfg!(target_arch = "aarch64") {
        CONTEXT_CONTROL_ARM64
    } else if cfg!(target_arch = "x86") {
        CONTEXT_CONTROL_X86
    } else {
        CONTEXT_CONTROL_AMD64
    };
    // SAFETY: numbers alone, for which 0 is a value.
    let mut state: State = unsafe { MaybeUninit::zeroed().assume_init() };
    state.0.ContextFlags = WANTED;
    // SAFETY: the thread is open for this; it is another process's, so that none of its locks is
    // wanted here.
    match counted(unsafe { SuspendThread(thread.as_raw_handle()) }) {
        // It may be suspended, so it is just ending: it stands still for ever.
        Err(error) if is(&error, ERROR_ACCESS_DENIED) => return Ok(()),
        answer => answer?,
    }
    // The state is that in which the thread stands still, so it is not there before.
    // SAFETY: the thread is open for this, and the answer has room.
    match done(unsafe { GetThreadContext(thread.as_raw_handle(), &raw mut state.0) }) {
        // As above.
        Err(error) if is(&error, ERROR_INVALID_PARAMETER) => Ok(()),
        answer => answer,
    }
}

/// What a function that answers with true or false did.
fn done(answer: BOOL) -> io::Result<()> {
    if answer == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// What a function that answers with how often a thread was suspended did.
fn counted(answer: u32) -> io::Result<()> {
    if answer == u32::MAX { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn is(error: &io::Error, code: u32) -> bool {
    error.raw_os_error() == Some(code as i32)
}

/// A handle that a function made.
///
/// # Safety
/// The function made it for this caller alone, or answered with none.
unsafe fn owned(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: open, and nobody else's, by the caller's promise.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn ctrl_c_is_heard_once_and_ends_nothing_by_itself() {
        let (sender, heard) = channel();
        on_interrupt(move || sender.send(()).unwrap()).unwrap();
        for event in [CTRL_C_EVENT, CTRL_BREAK_EVENT] {
            // SAFETY: as the system calls it.
            assert_eq!(unsafe { hear(event) }, 1);
        }
        assert_eq!(heard.iter().count(), 1);
    }

    #[test]
    fn the_clock_goes_on_and_work_is_counted() {
        let (start, before) = (monotonic_ns(), processor_time());
        while processor_time() == before {}
        assert!(monotonic_ns() > start);
    }
}
