//! Threads of this library.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::start;
#[cfg(windows)]
pub(crate) use windows::start;

/// The stack of a thread. Its thread-local variables, those of the program, are in it, too.
pub(crate) const STACK_BYTES: usize = 256 << 10;
