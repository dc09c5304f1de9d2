//! How the thread that rings is started.

#![allow(unsafe_code, reason = "the signals of a thread")]

use std::hint::black_box;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::thread::{Builder, JoinHandle};

/// More than the memory of the thread: its stack, thread-local variables, and the stack of its
/// signal handlers.
const ROOM_BYTES: usize = 2 << 20;

/// Starts a thread that receives no signals.
pub(in crate::sys::notices) fn start(
    builder: Builder,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    check_room()?;
    without_signals(|| builder.spawn(run))
}

/// Refuses to start a thread where memory is scarce: the standard library ends a process in which
/// a new thread gets a stack, and no stack for its signal handlers.
fn check_room() -> io::Result<()> {
    // Memory of this size is a mapping of its own, which ends at once.
    let mut room = Vec::<u8>::new();
    let reserved = room.try_reserve_exact(ROOM_BYTES);
    // The compiler must not leave the memory out.
    black_box(room.as_ptr());
    reserved.map_err(|_| io::ErrorKind::OutOfMemory.into())
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
