//! The waiters of this process that sleep on words of one open object, the count of its news, and
//! whether they are announced.

#![allow(unsafe_code, reason = "a list of words that their sleepers borrow")]

#[cfg(not(loom))]
pub(super) use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::PoisonError;
#[cfg(not(loom))]
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

#[cfg(loom)]
pub(super) use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(loom)]
use loom::sync::{Mutex, MutexGuard};

use super::figures;
use crate::sys::process::milliseconds;
use crate::sys::wait::{self, Kind, WaitOutcome};

/// What is rung for the waiters of one open object.
#[derive(Debug)]
pub(super) struct Bell {
    /// Changed only while the list is locked.
    news: AtomicU64,
    sleepers: Mutex<List>,
    /// Since when news are announced, in milliseconds of this process. 0: they are not.
    armed_ms: AtomicU64,
    /// The place of this process among the participants: the slot that it took last, or 0.
    place: AtomicU64,
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
pub(super) enum Ring {
    /// The one that has slept longest, in whatever process.
    One,
    All,
}

impl Default for Bell {
    fn default() -> Self {
        let [news, armed_ms, place] = [0; 3].map(AtomicU64::new);
        Self { news, sleepers: Mutex::new(List::default()), armed_ms, place }
    }
}

impl Bell {
    /// Returns since when news are announced, in milliseconds of this process.
    pub(super) fn armed_since_ms(&self) -> Option<u64> {
        // ORDERING: Acquire; pairs with the Release in `arm`: the watch exists.
        Some(self.armed_ms.load(Ordering::Acquire)).filter(|ms| *ms != 0)
    }

    /// From now on news are announced.
    pub(super) fn arm(&self) {
        // ORDERING: Release; pairs with the Acquire above.
        self.armed_ms.store(milliseconds(Instant::now()), Ordering::Release);
    }

    /// From now on news are not announced. This is the last piece of news.
    pub(super) fn disarm(&self) {
        // ORDERING: Release; as in `arm`.
        self.armed_ms.store(0, Ordering::Release);
        self.announce();
    }

    /// Returns the place of this process among the participants.
    pub(super) fn place(&self) -> u64 {
        // ORDERING: Relaxed; a guess.
        self.place.load(Ordering::Relaxed)
    }

    pub(super) fn set_place(&self, place: u64) {
        // ORDERING: Relaxed; as above.
        self.place.store(place, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// S1: returns the count of news.
    pub(super) fn news(&self) -> u64 {
        // ORDERING: Acquire; pairs with the Release in `announce`.
        self.news.load(Ordering::Acquire)
    }

    /// S3 to S5: sleeps on a word, unless there are news since the count was `seen`.
    pub(super) fn sleep(
        &self,
        word: &AtomicU64,
        expected: u64,
        until: Option<Instant>,
        seen: u64,
        kind: Kind,
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
        let _listed = Listed { bell: self, ticket };
        wait::wait(word, expected, until, kind)
    }

    /// Returns how many threads are in the list.
    #[cfg(all(test, windows))]
    pub(super) fn sleepers(&self) -> usize {
        self.lock().entries.len()
    }

    /// R2: counts one more piece of news.
    pub(super) fn announce(&self) {
        let _list = self.lock();
        figures::count_announcement();
        // ORDERING: Release; pairs with the Acquire in `news`.
        self.news.fetch_add(1, Ordering::Release);
    }

    /// R3: wakes those that were in the list when the last piece of news was counted. Returns
    /// whether there were any.
    pub(super) fn ring(&self, ring: Ring) -> bool {
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
    bell: &'a Bell,
    ticket: u64,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        let mut list = self.bell.lock();
        list.entries.retain(|entry| entry.ticket != self.ticket);
    }
}
