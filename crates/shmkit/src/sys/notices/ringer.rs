//! The thread that rings, and its list of what is watched.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::bell::{Bell, Ring};
use super::event::Event;
use super::rings::{Budget, Due, RING_AGAIN};
use super::system::queue::{self, CHECK_EVERY, Queue, WatchId, Watched};

/// Watches files or processes, and rings the bells of the objects that use them.
#[derive(Debug)]
pub(super) struct Ringer {
    queue: Queue,
    watches: Mutex<Watches>,
}

#[derive(Debug, Default)]
struct Watches {
    /// The bells of the open objects that a watch is about.
    bells: BTreeMap<WatchId, Vec<Arc<Bell>>>,
    /// The thread has ended, or will end: nothing is watched any more.
    has_ended: bool,
}

impl Ringer {
    pub(super) fn new(queue: Queue) -> Self {
        Self { queue, watches: Mutex::default() }
    }

    /// Whether the end of its last watch wakes the thread.
    pub(super) fn can_be_woken(&self) -> bool {
        self.queue.check_open().is_ok()
    }

    fn lock(&self) -> MutexGuard<'_, Watches> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches something for an open object. `None`: the thread has ended or will end, or the
    /// program closed the descriptor.
    pub(super) fn watch(
        &self,
        watched: &Watched,
        bell: &Arc<Bell>,
    ) -> Option<queue::Result<WatchId>> {
        let mut watches = self.lock();
        if watches.has_ended || self.queue.check_open().is_err() {
            return None;
        }
        let is_used = |id: WatchId| watches.bells.contains_key(&id);
        let id = match self.queue.watch(watched, is_used) {
            Ok(id) => id,
            Err(refused) => return Some(Err(refused)),
        };
        watches.bells.entry(id).or_default().push(bell.clone());
        bell.arm();
        Some(Ok(id))
    }

    /// Ends the watch for one open object. Returns whether it was the last watch.
    pub(super) fn unwatch(&self, id: WatchId, bell: &Arc<Bell>) -> bool {
        let mut watches = self.lock();
        if let Some(bells) = watches.bells.get_mut(&id) {
            bells.retain(|other| !Arc::ptr_eq(other, bell));
            if bells.is_empty() {
                watches.bells.remove(&id);
                watches.has_ended |= watches.bells.is_empty();
                // After `has_ended`, since it wakes the thread. If the process closed the
                // descriptor, there is no watch any more.
                let _ = self.queue.unwatch(id);
            }
        }
        watches.has_ended
    }

    /// The life of the thread.
    pub(super) fn run(&self) {
        let (mut due, mut budget) = (Due::default(), Budget::new());
        let mut events = Vec::new();
        while self.queue.wait(due.timeout().min(CHECK_EVERY)).is_ok() {
            budget.spend();
            if self.queue.take(|event| events.push(event)).is_err() {
                break;
            }
            self.note(events.drain(..), &mut due);
            if self.lock().has_ended {
                break;
            }
            due.ring();
        }
        self.end();
    }

    /// R1: has those bells rung that the events are about.
    fn note(&self, events: impl Iterator<Item = Event<WatchId>>, due: &mut Due) {
        let mut watches = self.lock();
        for event in events {
            match event {
                Event::Of(id) => {
                    watches.bells.get(&id).into_iter().flatten().for_each(|bell| due.add(bell));
                }
                // This seldom happens, so all watches end, and the waiters look at intervals.
                Event::Ended(id) => watches.has_ended |= watches.bells.contains_key(&id),
                Event::Lost => watches.bells.values().flatten().for_each(|bell| due.add(bell)),
            }
        }
    }

    /// Ends all watches. The waiters that are left look at intervals from now on, or arm their
    /// notices again.
    pub(super) fn end(&self) {
        let mut watches = self.lock();
        watches.has_ended = true;
        let bells: Vec<_> = std::mem::take(&mut watches.bells).into_values().flatten().collect();
        drop(watches);
        bells.iter().for_each(|bell| bell.disarm());
        while bells.iter().filter(|bell| bell.ring(Ring::All)).count() > 0 {
            thread::sleep(RING_AGAIN);
        }
    }
}
