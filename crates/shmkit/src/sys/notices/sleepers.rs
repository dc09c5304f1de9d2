//! The waiters of this process that sleep on words of one object, and the count of its news.

#![allow(unsafe_code, reason = "a list of words that their sleepers borrow")]

#[cfg(not(loom))]
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::PoisonError;
#[cfg(not(loom))]
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(loom)]
use loom::sync::{Mutex, MutexGuard};

use crate::sys::wait::{self, WaitOutcome};

/// The list of sleeping waiters, and the count of news.
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
    /// The count of news when the waiter entered.
    seen: u64,
}

// SAFETY: the pointer leads to an atomic, which any thread may use while the entry is in the list.
unsafe impl Send for Entry {}

/// Which sleepers are woken on each word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ring {
    /// The one that has slept longest, in whatever process.
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

    /// S3 to S5: sleeps on a word, unless there are news since the count was `seen`.
    pub(crate) fn sleep(
        &self,
        word: &AtomicU64,
        expected: u64,
        until: Option<Instant>,
        seen: u64,
    ) -> WaitOutcome {
        let ticket = {
            let mut list = self.lock();
            if self.news() != seen {
                return WaitOutcome::Changed;
            }
            let ticket = list.next_ticket;
            list.next_ticket += 1;
            // INVARIANT: `Listed` removes the entry before this function returns.
            list.entries.push(Entry { ticket, word, expected, seen });
            ticket
        };
        let _listed = Listed { sleepers: self, ticket };
        wait::wait(word, expected, until)
    }

    /// R2: counts one more piece of news.
    pub(crate) fn announce(&self) {
        let _list = self.lock();
        // ORDERING: Release; pairs with the Acquire in `news`.
        self.news.fetch_add(1, Ordering::Release);
    }

    /// R3: wakes those that were in the list when the last piece of news was counted. Returns
    /// whether there were any.
    pub(crate) fn ring(&self, ring: Ring) -> bool {
        let list = self.lock();
        let news = self.news();
        let mut woken = Vec::new();
        for entry in list.entries.iter().filter(|entry| entry.seen != news) {
            if woken.contains(&entry.word) {
                continue;
            }
            woken.push(entry.word);
            // SAFETY: the word lives while the entry is in the list, which is locked.
            let word = unsafe { &*entry.word };
            match ring {
                Ring::One => wait::wake_one(word, entry.expected),
                Ring::All => wait::wake_all(word, entry.expected),
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
