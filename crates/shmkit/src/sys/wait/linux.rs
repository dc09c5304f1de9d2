//! Shared futexes, never private ones, because the waker is in another process.

#![allow(unsafe_code, reason = "a futex is half of a 64-bit word")]

use core::num::NonZeroU32;
use core::sync::atomic::{AtomicU32, AtomicU64};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::thread::{ClockId, Timespec, futex};
use rustix::time::clock_gettime;

use super::{Kind, WaitOutcome};

/// The time between looks if the system refuses to let a thread sleep on a word.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

/// Sleeps while the low half of `word` equals that of `expected`, until woken or until `until`.
///
/// A read-only mapping is enough.
pub(crate) fn wait(
    word: &AtomicU64,
    expected: u64,
    until: Option<Instant>,
    kind: Kind,
) -> WaitOutcome {
    let end = match until.map(|until| until.saturating_duration_since(Instant::now())) {
        Some(left) if left.is_zero() => return WaitOutcome::TimedOut,
        // A time limit that the clock cannot represent counts as no limit.
        Some(left) => Timespec::try_from(left)
            .ok()
            .and_then(|left| clock_gettime(ClockId::Monotonic).checked_add(left)),
        None => None,
    };
    let (flags, bits) = (futex::Flags::empty(), bits(kind));
    match futex::wait_bitset(half(word), flags, expected as u32, end.as_ref(), bits) {
        Ok(()) => WaitOutcome::Woken,
        Err(Errno::AGAIN) => WaitOutcome::Changed,
        Err(Errno::TIMEDOUT) => WaitOutcome::TimedOut,
        Err(Errno::INTR) => WaitOutcome::Interrupted,
        Err(_) => {
            // A sandbox forbids futexes. Another look is correct, but must not become spinning.
            thread::sleep(LOOK_INTERVAL);
            WaitOutcome::Woken
        }
    }
}

/// Wakes one sleeper of this kind on `word`, whatever value it saw.
pub(crate) fn wake_one(word: &AtomicU64, _had: u64, kind: Kind) {
    wake(word, 1, bits(kind));
}

/// Wakes all sleepers of this kind on `word`, whatever value they saw.
pub(crate) fn wake_each(word: &AtomicU64, _had: u64, kind: Kind) {
    wake(word, i32::MAX as u32, bits(kind));
}

/// Wakes all sleepers on `word`, whatever value they saw.
pub(crate) fn wake_all(word: &AtomicU64, had: u64) {
    wake_each(word, had, Kind::Only);
}

/// Makes sleepers that saw the value `had` check the word again, after a change that lets no waiter
/// go on. Does nothing here: a later wake finds sleepers whatever value they saw.
pub(crate) fn moved(_word: &AtomicU64, _had: u64) {}

fn wake(word: &AtomicU64, max_sleepers: u32, bits: NonZeroU32) {
    // A wake is a hint. After an error the sleepers find the change at their next look.
    let _ = futex::wake_bitset(half(word), futex::Flags::empty(), max_sleepers, bits);
}

/// Returns the bits by which the system finds sleepers of a kind: a wake finds those that have a
/// bit in common with it.
fn bits(kind: Kind) -> NonZeroU32 {
    match kind {
        Kind::Only => NonZeroU32::MAX,
        Kind::Owner => NonZeroU32::MIN,
        Kind::Sharer => const { NonZeroU32::new(2).unwrap() },
    }
}

/// Returns the half of `word` that the kernel compares.
fn half(word: &AtomicU64) -> &AtomicU32 {
    const { assert!(cfg!(target_endian = "little"), "the low half comes first") };
    // SAFETY: the low half is at the address of the word, is aligned, and lives as long as the
    // word. Only the kernel accesses it, and only by an atomic load.
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
    fn a_changed_word_ends_the_wait_and_only_the_low_half_counts() {
        let word = AtomicU64::new(1 << 32 | 5);
        assert_eq!(wait(&word, 4, None, Kind::Only), WaitOutcome::Changed);
        let until = Instant::now() + Duration::from_millis(2);
        assert_eq!(wait(&word, 5, Some(until), Kind::Only), WaitOutcome::TimedOut);
        assert!(Instant::now() >= until);
        assert_eq!(wait(&word, 5, Some(Instant::now()), Kind::Only), WaitOutcome::TimedOut);
    }

    #[test]
    fn a_reader_is_woken_through_another_mapping() {
        let file = memfd_create("wait", MemfdFlags::CLOEXEC).unwrap();
        ftruncate(&file, 4_096).unwrap();
        let map = |protection| {
            // SAFETY: the mapping is new, and the system chooses an unused address.
            let at =
                unsafe { mmap(ptr::null_mut(), 4_096, protection, MapFlags::SHARED, &file, 0) };
            // SAFETY: the word is mapped, aligned, and never unmapped.
            unsafe { &*at.unwrap().cast::<AtomicU64>() }
        };
        let (writable, readable) = (map(ProtFlags::READ | ProtFlags::WRITE), map(ProtFlags::READ));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                while readable.load(Ordering::Acquire) == 0 {
                    wait(readable, 0, None, Kind::Only);
                }
            });
            writable.store(1, Ordering::Release);
            wake_all(writable, 0);
            waiting.join().unwrap();
        });
    }

    #[test]
    fn a_wake_for_one_kind_of_sleepers_leaves_the_other_kind_asleep() {
        let word = &AtomicU64::new(0);
        thread::scope(|scope| {
            let [owner, sharer] = [Kind::Owner, Kind::Sharer]
                .map(|kind| scope.spawn(move || wait(word, 0, None, kind)));
            while !owner.is_finished() {
                wake_one(word, 0, Kind::Owner);
                thread::yield_now();
            }
            assert!(!sharer.is_finished());
            while !sharer.is_finished() {
                wake_each(word, 0, Kind::Sharer);
                thread::yield_now();
            }
        });
    }

    #[test]
    fn a_signal_ends_the_sleep() {
        extern "C" fn catch(_: libc::c_int) {}
        // SAFETY: the handler does nothing.
        unsafe { libc::signal(libc::SIGUSR2, catch as *const () as libc::sighandler_t) };
        let (word, has_ended) = (AtomicU64::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            // SAFETY: the function has no arguments.
            let (sleeper, has_ended) = (unsafe { libc::pthread_self() }, &has_ended);
            scope.spawn(move || {
                // Again and again: a signal before the sleep does not end it.
                while !has_ended.load(Ordering::SeqCst) {
                    // SAFETY: the sleeping thread lives longer than this scope.
                    unsafe { libc::pthread_kill(sleeper, libc::SIGUSR2) };
                    thread::sleep(Duration::from_millis(1));
                }
            });
            // Without a deadline the system begins the sleep again: the handler has SA_RESTART.
            let until = Instant::now() + Duration::from_secs(3_600);
            assert_eq!(wait(&word, 0, Some(until), Kind::Only), WaitOutcome::Interrupted);
            has_ended.store(true, Ordering::SeqCst);
        });
    }
}
