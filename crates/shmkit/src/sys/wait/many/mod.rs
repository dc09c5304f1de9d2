//! Sleeping until one of many words changes.
//!
//! | system | how |
//! |---|---|
//! | Linux | `futex_waitv`, from 5.16 on; where it is refused, looks at intervals |
//! | Windows | a wait for several events, which stay open from one sleep to the next |
//! | macOS | looks at intervals |
//!
//! All kinds of wakes reach such a sleeper, also those for one sleeper. It may consume several at a
//! time. So a thread that was woken has to pass each of them on, if it does not use it.

#[cfg(all(target_os = "linux", not(loom)))]
mod linux;
#[cfg(loom)]
mod model;
#[cfg(all(unix, not(loom)))]
mod slices;
#[cfg(windows)]
mod windows;

#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) use linux::{MOST, Many};
#[cfg(loom)]
pub(crate) use model::{MOST, Many};
#[cfg(all(unix, not(target_os = "linux"), not(loom)))]
pub(crate) use slices::{MOST, Many};
#[cfg(windows)]
pub(crate) use windows::{MOST, Many};

#[cfg(all(test, not(loom)))]
mod tests;
