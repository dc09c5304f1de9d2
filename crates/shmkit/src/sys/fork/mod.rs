//! What keeps `fork` from making a child pass for its parent.
//!
//! A forked child inherits descriptors, and with a [`LockFile`] it would keep its parent's proof
//! of life after the parent's death. So each lock file is registered from before it is opened,
//! and handlers that the system runs around `fork` put a harmless file in its place in the child.
//! The child never unlocks: that would unlock for its parent too.
//!
//! Nor may the child wait for what another of its parent's threads was about to finish: that
//! thread is not in the child. So what a process makes once is a [`Once`].
//!
//! A [`Stamp`] is how an inherited handle knows itself: it names the process that made it.
//! And the pages of an object are [`WipedOnFork`]: a child finds zeros there, which hold no value.
//! So what reads a value need not look at the stamp unless it finds none.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
use macos as system;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{LockFile, Once, Stamp, WipedOnFork};
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{LockFile, Once, Stamp, WipedOnFork};
