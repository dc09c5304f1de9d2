//! Threads that receive no signals.

#![allow(unsafe_code, reason = "the signals of a thread, and its memory")]

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::thread::{Builder, JoinHandle};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// More than what the thread needs beside its stack: thread-local variables, and a stack for its
/// signal handlers.
const BESIDE_STACK: usize = 1 << 20;

/// Starts a thread that receives no signals.
pub(crate) fn start(
    name: &str,
    stack_bytes: usize,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    check_room(stack_bytes + BESIDE_STACK)?;
    let builder = Builder::new().name(name.into()).stack_size(stack_bytes);
    without_signals(|| builder.spawn(run))
}

/// Refuses to start a thread where memory is scarce: the standard library ends a process in which
/// a new thread gets a stack, and no stack for its signal handlers.
fn check_room(bytes: usize) -> io::Result<()> {
    let none = ptr::null_mut();
    // SAFETY: the mapping is new, and the system chooses an unused address.
    let room = unsafe { mmap_anonymous(none, bytes, ProtFlags::empty(), MapFlags::PRIVATE) }?;
    // SAFETY: the call above made the mapping, and nothing uses it.
    Ok(unsafe { munmap(room, bytes) }?)
}

/// Calls `start` while this thread blocks all signals, as a thread that is started there does.
fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    // SAFETY: there is room for the set.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: the first set was filled, and there is room for the second.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
    let started = start();
    // SAFETY: the call above filled the set.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut()) };
    started
}
