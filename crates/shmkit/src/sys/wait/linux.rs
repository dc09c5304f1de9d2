//! Shared futexes: never private, since the other side is another process.

#![allow(unsafe_code, reason = "a futex is half of a 64-bit word")]

use core::sync::atomic::{AtomicU32, AtomicU64};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::thread::{Timespec, futex};

use super::Woke;

/// How often to look where the system refuses to let us sleep on a word.
const WITHOUT_FUTEX: Duration = Duration::from_millis(1);

/// Sleeps while the low half of `word` is that of `expected`, until woken or until `until`.
///
/// Signals are slept through. A mapping without write permission is enough.
pub(crate) fn wait(word: &AtomicU64, expected: u64, until: Option<Instant>) -> Woke {
    loop {
        let timeout = match until.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(left) if left.is_zero() => return Woke::TimedOut,
            // More than the clock can count is for ever.
            Some(left) => Timespec::try_from(left).ok(),
            None => None,
        };
        match futex::wait(half(word), futex::Flags::empty(), expected as u32, timeout.as_ref()) {
            Ok(()) => return Woke::Woken,
            Err(Errno::AGAIN) => return Woke::Changed,
            Err(Errno::TIMEDOUT) => return Woke::TimedOut,
            Err(Errno::INTR) => {}
            Err(_) => {
                // A sandbox that forbids futexes. Looking again is sound, but must not be spinning.
                thread::sleep(WITHOUT_FUTEX);
                return Woke::Woken;
            }
        }
    }
}

/// Wakes one who sleeps on `word`, whatever value it had then.
pub(crate) fn wake_one(word: &AtomicU64, _had: u64) {
    wake(word, 1);
}

/// Wakes all who sleep on `word`, whatever value it had then.
pub(crate) fn wake_all(word: &AtomicU64, _had: u64) {
    wake(word, i32::MAX as u32);
}

/// Has those look again who sleep on a word that had the value `had`, after a change that lets
/// nobody go on. Here they are found whatever it is.
pub(crate) fn moved(_word: &AtomicU64, _had: u64) {}

fn wake(word: &AtomicU64, most: u32) {
    // A wake is a hint: an error leaves the sleepers to their next look.
    let _ = futex::wake(half(word), futex::Flags::empty(), most);
}

/// The half of `word` that the kernel compares.
fn half(word: &AtomicU64) -> &AtomicU32 {
    const { assert!(cfg!(target_endian = "little"), "the low half comes first") };
    // SAFETY: the low half lies at the word's address, is aligned, and lives as long as the word.
    // Only the kernel accesses it, and only as an atomic read.
    unsafe { AtomicU32::from_ptr(word.as_ptr().cast()) }
}

#[cfg(test)]
mod tests {
    use std::ptr;
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
    use rustix::mm::{MapFlags, ProtFlags, mmap};

    use super::*;

    #[test]
    fn another_value_is_not_slept_on_and_only_the_low_half_counts() {
        let word = AtomicU64::new(1 << 32 | 5);
        assert_eq!(wait(&word, 4, None), Woke::Changed);
        let until = Instant::now() + Duration::from_millis(2);
        assert_eq!(wait(&word, 5, Some(until)), Woke::TimedOut);
        assert!(Instant::now() >= until);
        assert_eq!(wait(&word, 5, Some(Instant::now())), Woke::TimedOut);
    }

    #[test]
    fn one_who_can_only_read_is_woken_through_another_mapping() {
        let file = memfd_create("wait", MemfdFlags::CLOEXEC).unwrap();
        ftruncate(&file, 4_096).unwrap();
        let map = |protection| {
            // SAFETY: a new mapping, wherever the system puts it.
            let at =
                unsafe { mmap(ptr::null_mut(), 4_096, protection, MapFlags::SHARED, &file, 0) };
            // SAFETY: mapped, aligned, and never unmapped.
            unsafe { &*at.unwrap().cast::<AtomicU64>() }
        };
        let (writable, readable) = (map(ProtFlags::READ | ProtFlags::WRITE), map(ProtFlags::READ));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                while readable.load(Ordering::Acquire) == 0 {
                    wait(readable, 0, None);
                }
            });
            writable.store(1, Ordering::Release);
            wake_all(writable, 0);
            waiting.join().unwrap();
        });
    }

    #[test]
    fn signals_are_slept_through() {
        static CAUGHT: AtomicBool = AtomicBool::new(false);
        extern "C" fn catch(_: libc::c_int) {
            CAUGHT.store(true, Ordering::SeqCst);
        }
        // SAFETY: the handler only stores an atomic.
        unsafe { libc::signal(libc::SIGUSR2, catch as *const () as libc::sighandler_t) };
        let word = AtomicU64::new(0);
        std::thread::scope(|scope| {
            let until = Instant::now() + Duration::from_millis(50);
            // SAFETY: it takes nothing.
            let sleeper = unsafe { libc::pthread_self() };
            scope.spawn(move || {
                while !CAUGHT.load(Ordering::SeqCst) {
                    // SAFETY: the sleeper does not end before this scope.
                    unsafe { libc::pthread_kill(sleeper, libc::SIGUSR2) };
                    thread::sleep(Duration::from_millis(1));
                }
            });
            assert_eq!(wait(&word, 0, Some(until)), Woke::TimedOut);
            assert!(Instant::now() >= until);
            while !CAUGHT.load(Ordering::SeqCst) {
                thread::yield_now();
            }
        });
    }
}
