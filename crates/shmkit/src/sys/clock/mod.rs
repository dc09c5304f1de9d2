//! A clock that all processes of the machine read alike.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::monotonic_us;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::monotonic_us;
