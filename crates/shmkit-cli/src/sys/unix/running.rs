//! Running a command in this process's stead: signals go to it, and it ends with this process.

#![allow(unsafe_code, reason = "what a child does before it becomes the command")]

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

/// Runs a command, and says with which code it ended: 128 and its number, if it was by a signal.
///
/// SIGTERM and SIGHUP are handed on to it. SIGINT and SIGQUIT reach it from the terminal; here they
/// are heard and left to it. On Linux it is killed when this process is.
pub(crate) fn run(command: &mut Command) -> io::Result<i32> {
    // Those that this process ignores, as under nohup, the command is to ignore, too.
    let heard = [SIGHUP, SIGINT, SIGQUIT, SIGTERM].into_iter().filter(|it| !is_ignored(*it));
    let mut signals = Signals::new(heard)?;
    ends_with_us(command);
    let running = Arc::new(Mutex::new(None));
    let hearing = running.clone();
    // What is heard until the command runs waits for that.
    let mut starting = lock(&running);
    std::thread::Builder::new().spawn(move || {
        for signal in signals.forever() {
            hand_on(signal, &hearing);
        }
    })?;
    let mut child = command.spawn()?;
    *starting = Some(Pid::from_child(&child));
    drop(starting);
    wait_for_end(&child)?;
    // From here on its number may be another's.
    *lock(&running) = None;
    let status = child.wait()?;
    Ok(status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(1))
}

fn lock(running: &Mutex<Option<Pid>>) -> MutexGuard<'_, Option<Pid>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hand_on(signal: i32, running: &Mutex<Option<Pid>>) {
    let signal = match signal {
        SIGTERM => Signal::TERM,
        SIGHUP => Signal::HUP,
        _ => return,
    };
    if let Some(child) = *lock(running) {
        // It may have made itself another user's: then it is left alone.
        let _ = rustix::process::kill_process(child, signal);
    }
}

/// Waits until a child has ended, and leaves its end for `Child::wait`.
fn wait_for_end(child: &Child) -> io::Result<()> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    loop {
        match rustix::process::waitid(WaitId::Pid(Pid::from_child(child)), options) {
            Err(rustix::io::Errno::INTR) => {}
            answer => return answer.map(|_| ()).map_err(Into::into),
        }
    }
}

/// Whether this process was started with the signal ignored, as far as the system tells.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    ignored.is_some_and(|bits| bits >> (signal - 1) & 1 != 0)
}

/// Has the command killed when this process is: it is not to go on without what is held for it.
#[cfg(target_os = "linux")]
fn ends_with_us(command: &mut Command) {
    use std::os::unix::process::CommandExt;

    let us = rustix::process::getpid();
    let die_with_us = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        if rustix::process::getppid() != Some(us) {
            // It was killed before that.
            return Err(rustix::io::Errno::SRCH.into());
        }
        Ok(())
    };
    // SAFETY: between fork and exec: two calls of the system, which allocate and lock nothing.
    unsafe { command.pre_exec(die_with_us) };
}

#[cfg(not(target_os = "linux"))]
fn ends_with_us(_: &mut Command) {}
