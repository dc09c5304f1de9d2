//! The threads of this process that sleep on words, and the count of news for them: of events that
//! change no word.
//!
//! A waiter
//!
//! - S1 reads the count of news,
//! - S2 looks,
//! - S3 enters the list of sleepers, if the count is still that of S1,
//! - S4 sleeps on its word,
//! - S5 leaves the list.
//!
//! A thread with news first counts them. It then wakes the words in the list again and again, until
//! every thread that was in the list at that moment has left it. Both this and S3 hold the same
//! mutex. If the news come first, the waiter does not sleep. If S3 comes first, the waiter is in
//! the list, and is woken again and again until it leaves: also if the first wake came between S3
//! and S4, or reached a sleeper of another process.

#![allow(unsafe_code, reason = "a list of words that their sleepers borrow")]

#[cfg(not(loom))]
pub(super) use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::PoisonError;
#[cfg(not(loom))]
use std::sync::{Mutex, MutexGuard};

#[cfg(loom)]
pub(super) use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(loom)]
use loom::sync::{Mutex, MutexGuard};

use super::wait::{self, Kind, WaitOutcome};

/// Threads that sleep, and the count of news for them.
#[derive(Debug)]
pub(crate) struct Sleepers {
    /// Changed only while the list is locked.
    news: AtomicU64,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    next_ticket: u64,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    ticket: u64,
    /// INVARIANT: the word lives, because its sleeper borrows it until the entry is removed.
    word: *const AtomicU64,
    expected: u64,
    kind: Kind,
    /// The count of news when the waiter entered.
    seen: u64,
}

// SAFETY: the pointer leads to an atomic, which any thread may use while the entry is in the list.
unsafe impl Send for Entry {}

/// Which sleepers of each kind are woken on each word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ring {
    /// The one that has slept longest, in whatever process.
    #[cfg_attr(
        any(loom, not(any(target_os = "linux", windows))),
        allow(dead_code, reason = "only deaths are announced so")
    )]
    One,
    All,
}

impl Default for Sleepers {
    fn default() -> Self {
        Self { news: AtomicU64::new(0), list: Mutex::new(List::default()) }
    }
}

impl Sleepers {
    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// S1: returns the count of news.
    pub(crate) fn news(&self) -> u64 {
        // ORDERING: Acquire; pairs with the Release in `announce`.
        self.news.load(Ordering::Acquire)
    }

    /// S3 to S5: sleeps on a word by `sleep`, unless there are news since the count was `seen`.
    pub(crate) fn sleep(
        &self,
        word: &AtomicU64,
        expected: u64,
        seen: u64,
        kind: Kind,
        sleep: impl FnOnce() -> WaitOutcome,
    ) -> WaitOutcome {
        let ticket = {
            let mut list = self.lock();
            if self.news() != seen {
                return WaitOutcome::Changed;
            }
            let ticket = list.next_ticket;
            list.next_ticket += 1;
            // INVARIANT: `Listed` removes the entry before this function returns.
            list.entries.push(Entry { ticket, word, expected, kind, seen });
            ticket
        };
        let _listed = Listed { sleepers: self, ticket };
        sleep()
    }

    /// Returns how many threads are in the list.
    #[cfg(all(test, windows))]
    pub(crate) fn count(&self) -> usize {
        self.lock().entries.len()
    }

    /// Counts one more piece of news.
    pub(crate) fn announce(&self) {
        let _list = self.lock();
        // ORDERING: Release; pairs with the Acquire in `news`.
        self.news.fetch_add(1, Ordering::Release);
    }

    /// Wakes those that were in the list when the last piece of news was counted. Returns whether
    /// there were any.
    pub(crate) fn ring(&self, ring: Ring) -> bool {
        let list = self.lock();
        let news = self.news();
        let mut woken = Vec::new();
        for entry in list.entries.iter().filter(|entry| entry.seen != news) {
            if woken.contains(&(entry.word, entry.kind)) {
                continue;
            }
            woken.push((entry.word, entry.kind));
            // SAFETY: the word lives while the entry is in the list, which is locked.
            let word = unsafe { &*entry.word };
            match ring {
                Ring::One => wait::wake_one(word, entry.expected, entry.kind),
                Ring::All => wait::wake_each(word, entry.expected, entry.kind),
            }
        }
        !woken.is_empty()
    }
}

/// An entry of the list, until it is dropped.
struct Listed<'a> {
    sleepers: &'a Sleepers,
    ticket: u64,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        let mut list = self.sleepers.lock();
        list.entries.retain(|entry| entry.ticket != self.ticket);
    }
}
