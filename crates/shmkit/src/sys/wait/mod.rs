//! Sleeping until a word changes, and waking those who sleep on it: across processes.
//!
//! The compared half of a word is its low one. A wake is a hint: it can be swallowed by a process
//! that is just being killed, and can come without a reason. What lets a waiter go on is in words.
//!
//! A waker says which value the word had when the sleepers went to sleep on it: one system finds
//! them by that, another by the word's place alone. Values that differ in the lowest two bits
//! alone, where marks are, are the same there.

#[cfg(all(target_os = "linux", not(loom)))]
mod linux;
#[cfg(all(target_os = "macos", not(loom)))]
mod macos;
#[cfg(loom)]
pub(crate) mod model;

#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) use linux::{moved, wait, wake_all, wake_one};
#[cfg(all(target_os = "macos", not(loom)))]
pub(crate) use macos::{moved, wait, wake_all, wake_one};
#[cfg(loom)]
pub(crate) use model::{moved, wait, wake_all, wake_one};
#[cfg(unix)]
pub(crate) use place::WakeScope;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{WakeScope, moved, wait, wake_all, wake_one};

/// Why [`wait`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woke {
    /// Someone woke this thread, or the system did without a reason.
    Woken,
    /// The word's low half was not the expected one: nothing was slept.
    Changed,
    /// The time is over.
    TimedOut,
}

/// Where sleepers on words of a mapping find each other.
#[cfg(unix)]
mod place {
    use std::ptr::NonNull;

    /// Nothing: the system knows a word by its place in the file.
    #[derive(Debug)]
    pub(crate) struct WakeScope;

    impl WakeScope {
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
