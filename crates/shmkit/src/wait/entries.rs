//! The sources that threads wait for together, and what a thread needs to sleep on them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::remembered::Remembered;
use super::source::{Readiness, Source};
use crate::memory::atomic::AtomicU64;
use crate::sys::alarm::Alarm;
use crate::sys::wait::MOST;

/// How many sources a thread sleeps on: one word is the alarm.
pub(super) const PART: usize = MOST - 1;

/// A source in a group.
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(super) source: Arc<dyn Source>,
    pub(super) remembered: Remembered,
}

impl Entry {
    /// What it is.
    pub(crate) fn source(&self) -> &Arc<dyn Source> {
        &self.source
    }
}

/// The sources of a group at one moment.
pub(crate) type Entries = Arc<[Arc<Entry>]>;

/// The sources of a group, and what is rung when they change. Its lookouts use it, too.
pub(super) struct Shared {
    pub(super) alarm: Arc<Alarm>,
    list: Mutex<List>,
}

struct List {
    next_id: u64,
    /// Replaced by each change, so that a waiter looks at it without the lock.
    entries: Entries,
}

impl Shared {
    pub(super) fn new() -> Self {
        let list = List { next_id: 0, entries: Arc::from([]) };
        Self { alarm: Arc::default(), list: Mutex::new(list) }
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn entries(&self) -> Entries {
        self.lock().entries.clone()
    }

    /// Adds sources. Their ids follow each other: returns the first one.
    pub(super) fn add(&self, sources: impl IntoIterator<Item = Arc<dyn Source>>) -> u64 {
        let mut list = self.lock();
        let first = list.next_id;
        let mut entries = list.entries.to_vec();
        for source in sources {
            if let Some(notices) = source.notices() {
                notices.add_alarm(&self.alarm);
            }
            let (id, remembered) = (list.next_id, Remembered::default());
            list.next_id += 1;
            entries.push(Arc::new(Entry { id, source, remembered }));
        }
        list.entries = entries.into();
        first
    }

    /// Removes the sources for which this is true of their ids. Returns whether there were any.
    pub(super) fn remove(&self, is_meant: impl Fn(u64) -> bool) -> bool {
        let mut list = self.lock();
        let kept = list.entries.iter().filter(|entry| !is_meant(entry.id));
        let kept: Entries = kept.cloned().collect();
        let has_removed = kept.len() < list.entries.len();
        list.entries = kept;
        has_removed
    }
}

/// The marked words of sources that are not ready.
pub(super) struct Sleep<'a> {
    pub(super) words: Vec<(&'a AtomicU64, u64)>,
    pub(super) at_most: Option<Duration>,
}

impl<'a> Sleep<'a> {
    /// Marks the words of the sources. `None`: one of them is ready, or has changed meanwhile.
    pub(super) fn on(alarm: &'a Alarm, seen: u64, entries: &'a [Arc<Entry>]) -> Option<Self> {
        let mut words = Vec::with_capacity(1 + entries.len());
        words.push((alarm.word(), seen));
        let mut at_most: Option<Duration> = None;
        for entry in entries {
            match entry.source.poll(true) {
                Readiness::Ready => return None,
                Readiness::Never => {}
                Readiness::Pending(ticket) => {
                    words.push(ticket.mark()?);
                    at_most = at_most.into_iter().chain(ticket.at_most()).min();
                }
            }
        }
        Some(Self { words, at_most })
    }
}
