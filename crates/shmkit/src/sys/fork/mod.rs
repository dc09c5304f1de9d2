//! Protection against forked children that act for their parent, and against a program that closes
//! the descriptors of the library.
//!
//! - An [`OwnedFile`] closes its descriptor only if that is still its own.
//! - A [`LockFile`] is an owned file that holds locks that prove that its process lives. A forked
//!   child inherits the descriptor, and would keep the locks after the parent's death. So each lock
//!   file is registered before it is opened, and a handler that the system runs in the child
//!   replaces the descriptor's file by an empty one. The child never unlocks, because that would
//!   unlock for the parent too.
//! - A [`Once`] is a value that a process makes once. A child must not wait for a thread of its
//!   parent that was making such a value: the child does not have that thread.
//! - A [`ProcessStamp`] names the process that made a handle. An inherited handle does not match
//!   it.
//! - [`WipedOnFork`] pages hold zeros in a child, and zeros hold no value. So a reader checks the
//!   stamp only when it finds no value.

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
pub(crate) use unix::owned_file::{LockFile, OwnedFile};
#[cfg(unix)]
pub(crate) use unix::{Once, ProcessStamp, WipedOnFork};
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{LockFile, Once, OwnedFile, ProcessStamp, WipedOnFork};

/// The second of a stamp until its process reads the clock: the smallest that it has there. In a
/// forked child it is 0.
pub(crate) const FIRST_SECOND: u64 = 1;
