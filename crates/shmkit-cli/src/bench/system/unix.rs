//! Linux and macOS: descriptors, processors, System V message queues.

#![allow(unsafe_code, reason = "descriptors by number, and calls that only libc has")]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use rustix::io::{FdFlags, fcntl_setfd};

/// Lets processes that are started from now on inherit a descriptor. Returns what they find it by.
pub(in super::super) fn inheritable(descriptor: &impl AsFd) -> io::Result<String> {
    fcntl_setfd(descriptor, FdFlags::empty())?;
    Ok(descriptor.as_fd().as_raw_fd().to_string())
}

/// Returns a descriptor that this process has inherited.
pub(in super::super) fn inherited(end: &str) -> anyhow::Result<File> {
    let number = end.parse()?;
    // SAFETY: the command has opened the descriptor for this process, which takes each one once.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl_setfd(&descriptor, FdFlags::CLOEXEC)?;
    Ok(descriptor.into())
}

/// Returns two processors for the two processes, if the system lets this process choose: on
/// different cores if there are such.
#[cfg(target_os = "linux")]
pub(in super::super) fn processors() -> Option<[usize; 2]> {
    use rustix::thread::{CpuSet, sched_getaffinity};

    let allowed = sched_getaffinity(None).ok()?;
    let mut allowed = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
    let first = allowed.next()?;
    let path = format!("/sys/devices/system/cpu/cpu{first}/topology/thread_siblings_list");
    let same_core = std::fs::read_to_string(path).unwrap_or_default();
    let others: Vec<_> = allowed.collect();
    let on_other_core = others.iter().find(|cpu| !contains(&same_core, **cpu));
    let second = *on_other_core.or(others.first())?;
    pin(first).ok()?;
    // The command itself runs anywhere.
    let mut all = CpuSet::new();
    others.into_iter().chain([first]).for_each(|cpu| all.set(cpu));
    rustix::thread::sched_setaffinity(None, &all).ok()?;
    Some([first, second])
}

/// Returns whether a list of the kernel, such as `0-3,8`, contains a number.
#[cfg(target_os = "linux")]
fn contains(list: &str, number: usize) -> bool {
    list.trim().split(',').any(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        match (first.parse(), last.parse()) {
            (Ok(first), Ok(last)) => (first..=last).contains(&number),
            _ => false,
        }
    })
}

/// Returns none: the system moves threads as it likes.
#[cfg(not(target_os = "linux"))]
pub(in super::super) fn processors() -> Option<[usize; 2]> {
    None
}

/// Lets this thread, and those that it starts, run on one processor only.
#[cfg(target_os = "linux")]
pub(in super::super) fn pin(processor: usize) -> io::Result<()> {
    let mut one = rustix::thread::CpuSet::new();
    one.set(processor);
    Ok(rustix::thread::sched_setaffinity(None, &one)?)
}

/// Does nothing: the system moves threads as it likes.
#[cfg(not(target_os = "linux"))]
pub(in super::super) fn pin(_processor: usize) -> io::Result<()> {
    Ok(())
}

/// Returns the name and the version of the kernel. Without the version if a sandbox refuses it:
/// there rustix panics.
pub(in super::super) fn kernel() -> String {
    let mut name = std::mem::MaybeUninit::<libc::utsname>::zeroed();
    // SAFETY: the pointer is valid for the answer.
    if unsafe { libc::uname(name.as_mut_ptr()) } != 0 {
        return std::env::consts::OS.into();
    }
    // SAFETY: zeros are a valid value, which the call has replaced.
    let name = unsafe { name.assume_init() };
    let text = |field: &[libc::c_char]| -> String {
        field.iter().take_while(|byte| **byte != 0).map(|byte| char::from(*byte as u8)).collect()
    };
    format!("{} {}", text(&name.sysname), text(&name.release))
}

/// Returns what the processor is called, if the system tells it.
pub(in super::super) fn processor_name() -> Option<String> {
    let facts = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = facts.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Removes a System V message queue.
#[cfg(target_os = "linux")]
pub(in super::super) fn remove_queue(number: i32) {
    // SAFETY: this command needs no pointer. It fails if there is no such queue any more.
    unsafe { libc::msgctl(number, libc::IPC_RMID, std::ptr::null_mut()) };
}

/// Does nothing: no such queue is made here.
#[cfg(not(target_os = "linux"))]
pub(in super::super) fn remove_queue(_number: i32) {}

/// Keeps the signals by which processes notify each other until a thread waits for them. To be
/// called while there is one thread.
#[cfg(target_os = "linux")]
pub(in super::super) fn block_signals() -> io::Result<()> {
    use std::mem::MaybeUninit;

    let mut signals = MaybeUninit::uninit();
    // SAFETY: the call fills the set.
    unsafe { libc::sigemptyset(signals.as_mut_ptr()) };
    for signal in [libc::SIGRTMIN(), libc::SIGRTMIN() + 1] {
        // SAFETY: the set is filled, and the number is one of a signal.
        unsafe { libc::sigaddset(signals.as_mut_ptr(), signal) };
    }
    // SAFETY: the set is filled; the former one is not asked for.
    let answer =
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, signals.as_ptr(), std::ptr::null_mut()) };
    if answer == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(answer)) }
}

/// Does nothing: no process notifies another by a signal here.
#[cfg(not(target_os = "linux"))]
pub(in super::super) fn block_signals() -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_the_kernel_contains_its_ranges() {
        for number in [0, 2, 3, 8] {
            assert!(contains("0,2-3,8\n", number), "{number}");
        }
        assert!(!contains("0,2-3,8\n", 1) && !contains("", 0) && !contains("x", 0));
    }
}
