//! Running commands: signals are forwarded to them, and they end when this process is killed.

#![allow(unsafe_code, reason = "code between fork and exec")]

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, WaitIdOptions};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use super::signals::{exit_code, handle};
use super::{threads, wait_for};

/// Runs a command, and returns its exit code: 128 plus the number of the signal that ended it.
///
/// SIGTERM and SIGHUP are forwarded to it. SIGINT and SIGQUIT reach it from the terminal, so this
/// process ignores them. On Linux the command is killed when this process is killed.
pub(crate) fn run(command: &mut Command) -> io::Result<i32> {
    Runner::new(|_| {})?.run(command, |_| Ok(()))
}

/// Runs commands, one after the other, as [`run`] does. This process ignores the signals that ask
/// it to end, also when no command runs.
pub(crate) struct Runner {
    /// The command that runs.
    running: Arc<Mutex<Option<Pid>>>,
}

impl Runner {
    /// Calls `asked` in another thread for each signal that asks this process to end, with the exit
    /// code for it.
    pub(crate) fn new(asked: impl Fn(u8) + Send + 'static) -> io::Result<Self> {
        let mut signals = handle(&[SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
        let running = Arc::new(Mutex::new(None));
        let target = running.clone();
        threads::start(move || {
            for signal in signals.forever() {
                asked(exit_code(signal));
                forward(signal, &target);
            }
        })?;
        Ok(Self { running })
    }

    /// Runs a command, to which `begin` passes what it needs.
    pub(in crate::sys) fn run(
        &self,
        command: &mut Command,
        begin: impl FnOnce(&mut Child) -> io::Result<()>,
    ) -> io::Result<i32> {
        kill_with_this_process(command);
        // A signal that comes before the command runs waits for this lock.
        let mut starting = lock(&self.running);
        let mut child = command.spawn()?;
        let id = Pid::from_child(&child);
        *starting = Some(id);
        drop(starting);
        let begun = begin(&mut child);
        // The exit status is left for `Child::wait`.
        let ended = wait_for(id, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        // From here on another process can have its id.
        *lock(&self.running) = None;
        ended?;
        let status = child.wait()?;
        begun?;
        Ok(status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(1))
    }
}

fn lock(running: &Mutex<Option<Pid>>) -> MutexGuard<'_, Option<Pid>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

fn forward(signal: i32, running: &Mutex<Option<Pid>>) {
    let signal = match signal {
        SIGTERM => Signal::TERM,
        SIGHUP => Signal::HUP,
        _ => return,
    };
    if let Some(child) = *lock(running) {
        // It fails if the command runs as another user now: then it gets no signal.
        let _ = rustix::process::kill_process(child, signal);
    }
}

/// Kills the command when this process is killed: it must not continue without the lock.
#[cfg(target_os = "linux")]
fn kill_with_this_process(command: &mut Command) {
    use std::os::unix::process::CommandExt;

    let parent = rustix::process::getpid();
    let die_with_parent = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        if rustix::process::getppid() != Some(parent) {
            // It was killed before the call above.
            return Err(rustix::io::Errno::SRCH.into());
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes two system calls, without allocation or lock.
    unsafe { command.pre_exec(die_with_parent) };
}

#[cfg(not(target_os = "linux"))]
fn kill_with_this_process(_: &mut Command) {}
