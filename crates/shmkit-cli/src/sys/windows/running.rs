//! Running a command in this process's stead: it ends with this process.

use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::process::Command;
use std::ptr;

use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT,
    JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectExtendedLimitInformation, SetInformationJobObject,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use super::{done, on_interrupt, owned};

/// Runs a command, and says with which code it ended. Ctrl-c, which reaches the command, too, ends
/// this process no sooner. The command is killed when this process is.
pub(crate) fn run(command: &mut Command) -> io::Result<i32> {
    on_interrupt(|| {})?;
    let job = Job::of_this_process();
    let status = command.status();
    if let Ok(job) = job {
        // What the command left in the background is to go on, and so is this process.
        if job.limit(0).is_err() {
            std::mem::forget(job);
        }
    }
    Ok(status?.code().unwrap_or(1))
}

/// This process and those that it starts. Nobody else has a handle, so that it is closed when this
/// process is killed; and by that the others are.
struct Job(OwnedHandle);

impl Job {
    /// Fails within jobs that allow no others, which some programs make for what they start: there
    /// the command goes on when this process is killed.
    fn of_this_process() -> io::Result<Self> {
        // SAFETY: no name and no access list; the handle is not inherited.
        let job = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
        // SAFETY: made for us.
        let job = Self(unsafe { owned(job) }?);
        job.limit(JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE)?;
        // SAFETY: names this process, without a handle to close.
        let this = unsafe { GetCurrentProcess() };
        // SAFETY: both are open.
        done(unsafe { AssignProcessToJobObject(job.0.as_raw_handle(), this) })?;
        Ok(job)
    }

    fn limit(&self, flags: JOB_OBJECT_LIMIT) -> io::Result<()> {
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = flags;
        // SAFETY: the job is open, and the limits are as large as they are said to be.
        done(unsafe {
            SetInformationJobObject(
                self.0.as_raw_handle(),
                JobObjectExtendedLimitInformation,
                (&raw const limits).cast(),
                size_of_val(&limits) as u32,
            )
        })
    }
}
