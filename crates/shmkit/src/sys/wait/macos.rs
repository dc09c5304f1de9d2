//! `os_sync_wait_on_address`, shared: the kernel knows a word by its place in its file or memory.
//!
//! The function exists since macOS 14.4, and is looked up at its first use. Without it a waiter
//! looks at the word every millisecond.
//!
//! A wait covers the low half of a word: all waits at one address must compare the same number of
//! bytes.

#![allow(unsafe_code, reason = "functions that only newer systems have")]

use core::sync::atomic::{AtomicU64, Ordering};
use std::ffi::{CStr, c_int, c_void};
use std::io;
use std::mem;
use std::thread;
use std::time::{Duration, Instant};

use super::{Kind, WaitOutcome};
use crate::sys::fork::Once;

/// The time between looks if the system does not let a thread sleep on a word.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);
/// The longest sleep of one call, which must have a time limit.
const MAX_SLEEP: Duration = Duration::from_secs(3_600);
/// The bytes that the kernel compares.
const HALF: usize = size_of::<u32>();

type WaitCall =
    unsafe extern "C" fn(*mut c_void, u64, usize, u32, libc::os_clockid_t, u64) -> c_int;
type WakeCall = unsafe extern "C" fn(*mut c_void, usize, u32) -> c_int;

/// The functions that exist since macOS 14.4.
struct Calls {
    wait: WaitCall,
    wake_one: WakeCall,
    wake_all: WakeCall,
}

fn calls() -> Option<&'static Calls> {
    static CALLS: Once<Option<Calls>> = Once::new();
    CALLS.get_or_make(find_calls).as_ref()
}

fn find_calls() -> Option<Calls> {
    let wait = find(c"os_sync_wait_on_address_with_timeout")?;
    let wake_one = find(c"os_sync_wake_by_address_any")?;
    let wake_all = find(c"os_sync_wake_by_address_all")?;
    // SAFETY: `os/os_sync_wait_on_address.h` declares the function with these types.
    let wait = unsafe { mem::transmute::<*mut c_void, WaitCall>(wait) };
    // SAFETY: as above.
    let wake_one = unsafe { mem::transmute::<*mut c_void, WakeCall>(wake_one) };
    // SAFETY: as above.
    let wake_all = unsafe { mem::transmute::<*mut c_void, WakeCall>(wake_all) };
    Some(Calls { wait, wake_one, wake_all })
}

fn find(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name ends in a zero.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

/// Sleeps while the low half of `word` equals that of `expected`, until woken or until `until`.
///
/// A read-only mapping is enough.
pub(crate) fn wait(
    word: &AtomicU64,
    expected: u64,
    until: Option<Instant>,
    _kind: Kind,
) -> WaitOutcome {
    let expected = expected as u32;
    loop {
        let left = match until.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(left) if left.is_zero() => return WaitOutcome::TimedOut,
            Some(left) => left.min(MAX_SLEEP),
            None => MAX_SLEEP,
        };
        // The kernel compares it too, but then returns as if woken.
        // ORDERING: Relaxed; a waiter looks at the word itself before it goes on.
        if word.load(Ordering::Relaxed) as u32 != expected {
            return WaitOutcome::Changed;
        }
        match calls().map(|calls| sleep(calls, word, expected, left)) {
            Some(Ok(())) => return WaitOutcome::Woken,
            Some(Err(libc::EINTR)) => return WaitOutcome::Interrupted,
            Some(Err(libc::ETIMEDOUT)) => {}
            // An old system, a word whose page is not present, or a sandbox. Another look is
            // correct, but must not become spinning.
            None | Some(Err(_)) => {
                thread::sleep(LOOK_INTERVAL.min(left));
                return WaitOutcome::Woken;
            }
        }
    }
}

/// Sleeps on the low half of a word for at most `limit`. An error is the number of the system.
fn sleep(calls: &Calls, word: &AtomicU64, expected: u32, limit: Duration) -> Result<(), c_int> {
    let shared = libc::OS_SYNC_WAIT_ON_ADDRESS_SHARED;
    // SAFETY: the four bytes are aligned and live as long as the word. Only the kernel accesses
    // them, and only by an atomic load.
    let answer = unsafe {
        (calls.wait)(
            half(word),
            expected.into(),
            HALF,
            shared,
            libc::OS_CLOCK_MACH_ABSOLUTE_TIME,
            limit.as_nanos() as u64,
        )
    };
    if answer >= 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error().raw_os_error().unwrap_or(0))
}

/// Wakes one sleeper on `word`, whatever value it saw; or all, if there may be other kinds.
pub(crate) fn wake_one(word: &AtomicU64, had: u64, kind: Kind) {
    match (kind, calls()) {
        (Kind::Only, Some(calls)) => wake(calls.wake_one, word),
        _ => wake_all(word, had),
    }
}

/// Wakes all sleepers on `word`, whatever value they saw.
pub(crate) fn wake_each(word: &AtomicU64, had: u64, _kind: Kind) {
    wake_all(word, had);
}

/// Wakes all sleepers on `word`, whatever value they saw.
pub(crate) fn wake_all(word: &AtomicU64, _had: u64) {
    if let Some(calls) = calls() {
        wake(calls.wake_all, word);
    }
}

/// Makes sleepers that saw the value `had` check the word again, after a change that lets no waiter
/// go on. Does nothing here: a later wake finds sleepers whatever value they saw.
pub(crate) fn moved(_word: &AtomicU64, _had: u64) {}

fn wake(call: WakeCall, word: &AtomicU64) {
    // A wake is a hint. An error means that there are no sleepers, or that they find the change at
    // their next look.
    // SAFETY: the kernel uses the address only as a key, and neither reads nor writes there.
    let _ = unsafe { call(half(word), HALF, libc::OS_SYNC_WAKE_BY_ADDRESS_SHARED) };
}

/// Returns the address of the half of `word` that the kernel compares.
fn half(word: &AtomicU64) -> *mut c_void {
    const { assert!(cfg!(target_endian = "little"), "the low half comes first") };
    word.as_ptr().cast()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::ptr::NonNull;

    use super::*;
    use crate::sys::mapping::{Mapping, Protection};

    #[test]
    fn a_changed_word_ends_the_wait_and_only_the_low_half_counts() {
        let word = AtomicU64::new(1 << 32 | 5);
        assert_eq!(wait(&word, 4, None, Kind::Only), WaitOutcome::Changed);
        let until = Instant::now() + Duration::from_millis(2);
        // Without support of the system every look counts as a wake.
        while wait(&word, 5, Some(until), Kind::Only) != WaitOutcome::TimedOut {}
        assert!(Instant::now() >= until);
        assert_eq!(wait(&word, 5, Some(Instant::now()), Kind::Only), WaitOutcome::TimedOut);
    }

    fn word_of(mapping: &Mapping) -> &AtomicU64 {
        let first = NonNull::new(mapping.as_ptr()).unwrap().cast();
        // SAFETY: the word is at the start of a page that lives as long as the mapping.
        unsafe { first.as_ref() }
    }

    fn wake_through_another_mapping(file: &File) {
        let map = |protection| Mapping::map(file, 0, 4_096, protection).unwrap();
        let (writable, readable) = (map(Protection::ReadWrite), map(Protection::ReadOnly));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let word = word_of(&readable);
                while word.load(Ordering::Acquire) == 0 {
                    wait(word, 0, None, Kind::Only);
                }
            });
            word_of(&writable).store(1, Ordering::Release);
            wake_all(word_of(&writable), 0);
            waiting.join().unwrap();
        });
    }

    #[test]
    fn a_reader_is_woken_through_another_mapping() {
        wake_through_another_mapping(&crate::sys::file::anonymous("", 4_096).unwrap());
        let file = tempfile::tempfile().unwrap();
        crate::sys::file::commit(&file, 0, 4_096).unwrap();
        wake_through_another_mapping(&file);
    }
}
