//! Sleeping until a word changes, and waking the sleepers, across processes.
//!
//! The system compares the low half of a word. A wake is a hint: a process that is being killed can
//! consume one, and one can come without a reason. Only the values of words let a waiter go on.
//!
//! A waker passes the value that the word had when the sleepers went to sleep. One system finds the
//! sleepers by that value, another by the place of the word only. The former ignores the lowest two
//! bits, which hold marks.

#[cfg(all(target_os = "linux", not(loom)))]
mod linux;
#[cfg(all(target_os = "macos", not(loom)))]
mod macos;
mod many;
#[cfg(loom)]
pub(crate) mod model;

#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) use linux::{moved, wait, wake_all, wake_each, wake_one};
#[cfg(all(target_os = "macos", not(loom)))]
pub(crate) use macos::{moved, wait, wake_all, wake_each, wake_one};
pub(crate) use many::{MOST, Many};
#[cfg(loom)]
pub(crate) use model::{moved, wait, wake_all, wake_each, wake_one};
#[cfg(unix)]
pub(crate) use scope::WakeScope;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{WakeScope, moved, wait, wake_all, wake_each, wake_one};

/// Which sleepers on a word a wake is for. A system that cannot tell them apart wakes more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The only kind on a word.
    Only,
    /// On the word of a lock: those that want to hold it.
    Owner,
    /// On the word of a lock: those that want to share it.
    Sharer,
}

/// The reason why [`wait`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitOutcome {
    /// A waker woke this thread, or the system did without a reason.
    Woken,
    /// The low half of the word was not the expected one, so the thread did not sleep.
    Changed,
    /// The time limit passed.
    TimedOut,
    /// A handler of this thread ran for a signal.
    #[cfg_attr(not(unix), allow(dead_code, reason = "there are no signals"))]
    Interrupted,
}

#[cfg(unix)]
mod scope {
    use std::ptr::NonNull;

    /// Lets processes find each other's sleepers on the words of a mapping. Empty on Unix: the
    /// system identifies a word by its place in the file.
    #[derive(Debug)]
    pub(crate) struct WakeScope;

    impl WakeScope {
        /// Does nothing.
        pub(crate) fn new(
            _first: NonNull<u8>,
            _bytes: usize,
            _id: [u8; 16],
            _shared: bool,
        ) -> Self {
            Self
        }
    }
}
