//! A wait for the events of several words: see [`windows`](crate::sys::wait).
//!
//! The events stay open between the sleeps of a thread, since most words keep their values. So at
//! the next sleep S1 has mostly been done, long before S2. An event that is found set is closed
//! after that sleep: if its value comes back later, the next event is a new one, which is not set.

#![allow(unsafe_code, reason = "calls of Win32")]

use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering, fence};
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::thread;
use std::time::Instant;

use windows_sys::Win32::Foundation::{HANDLE, WAIT_OBJECT_0, WAIT_TIMEOUT};
use windows_sys::Win32::System::Threading::{INFINITE, WaitForMultipleObjects};

use crate::sys::wait::WaitOutcome;
use crate::sys::wait::windows::{LOOK_INTERVAL, MARKS, create_event, is_set};
use crate::sys::win32::timeout_ms;

/// How many words a thread sleeps on at most: the system's `MAXIMUM_WAIT_OBJECTS`.
pub(crate) const MOST: usize = 64;

/// The event of a value of a word.
struct Open {
    address: usize,
    value: u32,
    event: OwnedHandle,
}

/// Sleeps on many words.
pub(crate) struct Many {
    /// Those of the last sleep, in the order of its words.
    open: Vec<Open>,
}

impl Many {
    pub(crate) fn new() -> Self {
        Self { open: Vec::new() }
    }

    /// Sleeps while the low half of each word equals that of its value, until woken or until
    /// `until`. A read-only mapping is enough.
    ///
    /// # Panics
    /// If there are more than [`MOST`].
    pub(crate) fn wait(
        &mut self,
        words: &[(&AtomicU64, u64)],
        until: Option<Instant>,
    ) -> WaitOutcome {
        assert!(words.len() <= MOST, "{} words", words.len());
        let is_pausing = self.open_events(words);
        // ORDERING: SeqCst; S1 before S2, pairs with the fence in `wake_all`.
        fence(Ordering::SeqCst);
        // ORDERING: Relaxed; ordered by the fence.
        let is_same = |(word, expected): &(&AtomicU64, u64)| {
            word.load(Ordering::Relaxed) as u32 == *expected as u32
        };
        if !words.iter().all(is_same) {
            return WaitOutcome::Changed;
        }
        if is_pausing {
            // Set for an earlier change from the same value, or there are no handles left.
            thread::sleep(LOOK_INTERVAL);
            return WaitOutcome::Woken;
        }
        self.sleep(until)
    }

    /// Has the event of each word open. Returns whether one of them cannot be slept on now.
    fn open_events(&mut self, words: &[(&AtomicU64, u64)]) -> bool {
        let mut before: Vec<_> = self.open.drain(..).map(Some).collect();
        let mut is_pausing = false;
        for (index, (word, expected)) in words.iter().enumerate() {
            let (address, value) = (ptr::from_ref(*word).addr(), (expected & !MARKS) as u32);
            let is_it = |open: &Option<Open>| {
                open.as_ref().is_some_and(|open| (open.address, open.value) == (address, value))
            };
            let place = match before.get(index) {
                Some(open) if is_it(open) => Some(index),
                _ => before.iter().position(is_it),
            };
            if let Some(open) = place.and_then(|place| before[place].take()) {
                self.open.push(open);
                continue;
            }
            match create_event(word, *expected) {
                Ok((event, existed)) if existed && is_set(&event) => is_pausing = true,
                Ok((event, _)) => self.open.push(Open { address, value, event }),
                Err(_) => is_pausing = true,
            }
        }
        is_pausing
    }

    fn sleep(&mut self, until: Option<Instant>) -> WaitOutcome {
        let events: Vec<HANDLE> = self.open.iter().map(|open| open.event.as_raw_handle()).collect();
        loop {
            let left_ms = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(left) if left.is_zero() => return WaitOutcome::TimedOut,
                // A time limit beyond the range of the call takes several calls.
                Some(left) => timeout_ms(left),
                None => INFINITE,
            };
            let count = events.len() as u32;
            // SAFETY: the events are open, and the list has as many.
            let answer = unsafe { WaitForMultipleObjects(count, events.as_ptr(), 0, left_ms) };
            match answer {
                // A waker can have set an event just as the time limit passed: the next look finds
                // what has changed.
                WAIT_TIMEOUT => {}
                set if (WAIT_OBJECT_0..WAIT_OBJECT_0 + count).contains(&set) => {
                    self.open.retain(|open| !is_set(&open.event));
                    return WaitOutcome::Woken;
                }
                _ => {
                    thread::sleep(LOOK_INTERVAL);
                    return WaitOutcome::Woken;
                }
            }
        }
    }
}
