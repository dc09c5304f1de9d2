//! The units in which the system maps memory.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::page_size;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{granularity, page_size};
