//! A flag of this process that event loops can poll: a descriptor on Unix, an event on Windows.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use unix::PollHandle;
#[cfg(unix)]
pub(crate) use unix::Pollable;
#[cfg(windows)]
pub use windows::PollHandle;
#[cfg(windows)]
pub(crate) use windows::Pollable;
