//! Sleeping until a word changes, and waking those who sleep on it: across processes.
//!
//! The compared half of a word is its low one. A wake is a hint: it can be swallowed by a process
//! that is just being killed, and can come without a reason. What lets a waiter go on is in words.

#[cfg(all(target_os = "linux", not(loom)))]
mod linux;
#[cfg(loom)]
pub(crate) mod model;

#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) use linux::{wait, wake_all, wake_one};
#[cfg(loom)]
pub(crate) use model::{wait, wake_all, wake_one};

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
