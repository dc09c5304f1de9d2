//! Noticing that the file of an object was removed by other means than this library (`rm`), for
//! threads that use the object and never wait.
//!
//! A removal by this library retires the object, and each use sees that in the object's words. A
//! removal by other means changes no word. So about once in a second a use of each handle asks the
//! system whether the file still has a name.

use crate::memory::atomic::{AtomicU64, Ordering};
use crate::sys::fork::{FIRST_SECOND, ProcessStamp};
use crate::sys::seconds::count_use;

/// The second in which a handle last asked whether its file has a name.
#[derive(Debug)]
pub(crate) struct RemovalWatch {
    stamp: ProcessStamp,
    /// Never 0, which is the second in a forked child.
    asked_in: AtomicU64,
}

impl RemovalWatch {
    /// For a file that the process of this stamp has just opened by its name.
    pub(crate) fn new(stamp: ProcessStamp) -> Self {
        Self { stamp, asked_in: AtomicU64::new(stamp.second().max(FIRST_SECOND)) }
    }

    /// Counts a use. Returns whether it is time to ask. In a forked child it always is.
    #[inline(always)]
    pub(crate) fn is_due(&self) -> bool {
        count_use();
        // ORDERING: Relaxed; only the time counts, and the question is a system call.
        self.stamp.second() != self.asked_in.load(Ordering::Relaxed)
    }

    /// Notes that a thread asks now. Two threads may both ask.
    pub(crate) fn asks(&self) {
        // ORDERING: Relaxed; as above.
        self.asked_in.store(self.stamp.second().max(FIRST_SECOND), Ordering::Relaxed);
    }

    /// Whether this is the process of the stamp, not a forked child.
    #[inline(always)]
    pub(crate) fn is_mine(&self) -> bool {
        self.stamp.is_mine()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::sys::seconds::MAX_USES;

    #[test]
    fn a_handle_asks_about_once_in_a_second_also_after_a_pause() {
        let stamp = ProcessStamp::of_this_process().unwrap();
        let handles = [RemovalWatch::new(stamp), RemovalWatch::new(stamp)];
        let asked = |handle: &RemovalWatch| {
            handle.is_due() && {
                handle.asks();
                true
            }
        };
        let begun = Instant::now();
        let (mut asks, mut uses) = ([0, 0], 0_u64);
        while begun.elapsed() < Duration::from_millis(2_500) {
            // The second handle is used once for a thousand uses of the first.
            asks[0] += (0..1_000).filter(|_| asked(&handles[0])).count();
            asks[1] += usize::from(asked(&handles[1]));
            uses += 1_000;
        }
        for asks in asks {
            assert!((2..=6).contains(&asks), "{asks} in {:?}, {uses} uses", begun.elapsed());
        }
        std::thread::sleep(Duration::from_millis(1_100));
        let first = (1..=2 * MAX_USES).find(|_| asked(&handles[0]));
        assert!(first.is_some_and(|first| first <= MAX_USES), "asked at use {first:?}");
    }
}
