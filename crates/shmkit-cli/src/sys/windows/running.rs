//! Running a command: it ends when this process is killed.

use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::process::{Child, Command};
use std::ptr;

use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT,
    JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectExtendedLimitInformation, SetInformationJobObject,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use super::{check, on_interrupt, owned};

/// Runs a command, and returns its exit code. Ctrl-c reaches the command, and this process waits
/// for its end. The command is killed when this process is killed.
pub(crate) fn run(command: &mut Command) -> io::Result<i32> {
    Runner::new(|_| {})?.run(command, |_| Ok(()))
}

/// Runs commands, one after the other, as [`run`] does.
pub(crate) struct Runner {
    /// None if the system allows none.
    job: Option<Job>,
}

impl Runner {
    /// Calls `asked` in another thread at the first ctrl-c, with the exit code for it.
    pub(crate) fn new(asked: impl Fn(u8) + Send + 'static) -> io::Result<Self> {
        on_interrupt(asked)?;
        Ok(Self { job: Job::of_this_process().ok() })
    }

    /// Runs a command, to which `begin` passes what it needs.
    pub(in crate::sys) fn run(
        &self,
        command: &mut Command,
        begin: impl FnOnce(&mut Child) -> io::Result<()>,
    ) -> io::Result<i32> {
        let mut child = command.spawn()?;
        let begun = begin(&mut child);
        let status = child.wait()?;
        begun?;
        Ok(status.code().unwrap_or(1))
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        if let Some(job) = self.job.take()
            // Processes that the command left in the background continue, and so does this process.
            && job.limit(0).is_err()
        {
            std::mem::forget(job);
        }
    }
}

/// A job of this process and those that it starts. When this process is killed, the system closes
/// the only handle, which kills the others.
struct Job(OwnedHandle);

impl Job {
    /// Fails inside a job that allows no nested jobs. Then the command continues when this process
    /// is killed.
    fn of_this_process() -> io::Result<Self> {
        // SAFETY: both pointers may be null: no attributes and no name.
        let job = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
        // SAFETY: the call returned this new handle.
        let job = Self(unsafe { owned(job) }?);
        job.limit(JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE)?;
        // SAFETY: the call has no requirements. The handle is not closed.
        let this = unsafe { GetCurrentProcess() };
        // SAFETY: both handles are open.
        check(unsafe { AssignProcessToJobObject(job.0.as_raw_handle(), this) })?;
        Ok(job)
    }

    fn limit(&self, flags: JOB_OBJECT_LIMIT) -> io::Result<()> {
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = flags;
        // SAFETY: the job is open, and the size is that of the limits.
        check(unsafe {
            SetInformationJobObject(
                self.0.as_raw_handle(),
                JobObjectExtendedLimitInformation,
                (&raw const limits).cast(),
                size_of_val(&limits) as u32,
            )
        })
    }
}
