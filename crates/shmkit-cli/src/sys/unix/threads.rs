//! Threads, also where memory is scarce.

use std::hint::black_box;
use std::io;
use std::thread::Builder;

/// More than the memory of a thread: its stack of 2 MiB, thread-local variables, and the stack of
/// its signal handlers.
const ROOM_BYTES: usize = 4 << 20;

/// Starts a thread. Where memory is scarce that is an error: the standard library ends a process
/// in which a new thread gets a stack, and no stack for its signal handlers.
pub(in crate::sys) fn start(run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    // Memory of this size is a mapping of its own, which ends at once.
    let mut room = Vec::<u8>::new();
    let reserved = room.try_reserve_exact(ROOM_BYTES);
    // The compiler must not leave the memory out.
    black_box(room.as_ptr());
    drop(room);
    reserved.map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    Builder::new().spawn(run).map(drop)
}
