//! `os_sync_wait_on_address`, shared: the kernel knows a word by its place in its file or memory.
//!
//! It is there from macOS 14.4 on, and is looked for when it is first needed. Without it the word
//! is looked at every millisecond.
//!
//! Half a word is waited on, the low one: all who wait at one place must compare as many bytes.

#![allow(unsafe_code, reason = "functions that only newer systems have")]

use core::sync::atomic::{AtomicU64, Ordering};
use std::ffi::{CStr, c_int, c_void};
use std::io;
use std::mem;
use std::thread;
use std::time::{Duration, Instant};

use super::Woke;
use crate::sys::fork::Once;

/// How often to look where the system does not let us sleep on a word.
const WITHOUT_WAITING: Duration = Duration::from_millis(1);
/// What is slept at once: this call takes no "for ever".
const LONGEST: Duration = Duration::from_secs(3_600);
/// The bytes that the kernel compares.
const HALF: usize = size_of::<u32>();

type WaitCall =
    unsafe extern "C" fn(*mut c_void, u64, usize, u32, libc::os_clockid_t, u64) -> c_int;
type WakeCall = unsafe extern "C" fn(*mut c_void, usize, u32) -> c_int;

/// What the system has from 14.4 on.
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
    // SAFETY: the function that `os/os_sync_wait_on_address.h` declares with these types.
    let wait = unsafe { mem::transmute::<*mut c_void, WaitCall>(wait) };
    // SAFETY: as above.
    let wake_one = unsafe { mem::transmute::<*mut c_void, WakeCall>(wake_one) };
    // SAFETY: as above.
    let wake_all = unsafe { mem::transmute::<*mut c_void, WakeCall>(wake_all) };
    Some(Calls { wait, wake_one, wake_all })
}

fn find(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name ends in zero.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

/// Sleeps while the low half of `word` is that of `expected`, until woken or until `until`.
///
/// Signals are slept through. A mapping without write permission is enough.
pub(crate) fn wait(word: &AtomicU64, expected: u64, until: Option<Instant>) -> Woke {
    let expected = expected as u32;
    loop {
        let left = match until.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(left) if left.is_zero() => return Woke::TimedOut,
            Some(left) => left.min(LONGEST),
            None => LONGEST,
        };
        // The kernel compares it, too, but answers as if woken.
        // ORDERING: Relaxed; who goes on looks at the word itself.
        if word.load(Ordering::Relaxed) as u32 != expected {
            return Woke::Changed;
        }
        match calls().map(|calls| sleep(calls, word, expected, left)) {
            Some(Ok(())) => return Woke::Woken,
            Some(Err(libc::EINTR | libc::ETIMEDOUT)) => {}
            // An old system; a word whose page the kernel would have to fetch first; a sandbox.
            // Looking again is sound, but must not be spinning.
            None | Some(Err(_)) => {
                thread::sleep(WITHOUT_WAITING.min(left));
                return Woke::Woken;
            }
        }
    }
}

/// Sleeps on the low half of a word; the error is the system's number for it.
fn sleep(calls: &Calls, word: &AtomicU64, expected: u32, most: Duration) -> Result<(), c_int> {
    let shared = libc::OS_SYNC_WAIT_ON_ADDRESS_SHARED;
    // SAFETY: four bytes, aligned, which live as long as the word. Only the kernel accesses them,
    // and only as an atomic read.
    let answer = unsafe {
        (calls.wait)(
            half(word),
            expected.into(),
            HALF,
            shared,
            libc::OS_CLOCK_MACH_ABSOLUTE_TIME,
            most.as_nanos() as u64,
        )
    };
    if answer >= 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error().raw_os_error().unwrap_or(0))
}

/// Wakes one who sleeps on `word`, whatever value it had then.
pub(crate) fn wake_one(word: &AtomicU64, _had: u64) {
    if let Some(calls) = calls() {
        wake(calls.wake_one, word);
    }
}

/// Wakes all who sleep on `word`, whatever value it had then.
pub(crate) fn wake_all(word: &AtomicU64, _had: u64) {
    if let Some(calls) = calls() {
        wake(calls.wake_all, word);
    }
}

/// Has those look again who sleep on a word that had the value `had`, after a change that lets
/// nobody go on. Here they are found whatever it is.
pub(crate) fn moved(_word: &AtomicU64, _had: u64) {}

fn wake(call: WakeCall, word: &AtomicU64) {
    // A wake is a hint: an error leaves the sleepers to their next look. There may be nobody.
    // SAFETY: the address of four bytes, which the kernel neither reads nor writes.
    let _ = unsafe { call(half(word), HALF, libc::OS_SYNC_WAKE_BY_ADDRESS_SHARED) };
}

/// The half of `word` that the kernel compares.
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
    fn another_value_is_not_slept_on_and_only_the_low_half_counts() {
        let word = AtomicU64::new(1 << 32 | 5);
        assert_eq!(wait(&word, 4, None), Woke::Changed);
        let until = Instant::now() + Duration::from_millis(2);
        // Without the system's help every look is a wake.
        while wait(&word, 5, Some(until)) != Woke::TimedOut {}
        assert!(Instant::now() >= until);
        assert_eq!(wait(&word, 5, Some(Instant::now())), Woke::TimedOut);
    }

    fn word_of(mapping: &Mapping) -> &AtomicU64 {
        let first = NonNull::new(mapping.as_ptr()).unwrap().cast();
        // SAFETY: the beginning of a page, which lives as long as the mapping.
        unsafe { first.as_ref() }
    }

    fn is_woken_through_another_mapping(file: &File) {
        let map = |protection| Mapping::map(file, 0, 4_096, protection).unwrap();
        let (writable, readable) = (map(Protection::ReadWrite), map(Protection::ReadOnly));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let word = word_of(&readable);
                while word.load(Ordering::Acquire) == 0 {
                    wait(word, 0, None);
                }
            });
            word_of(&writable).store(1, Ordering::Release);
            wake_all(word_of(&writable), 0);
            waiting.join().unwrap();
        });
    }

    #[test]
    fn one_who_can_only_read_is_woken_through_another_mapping() {
        is_woken_through_another_mapping(&crate::sys::file::anonymous("", 4_096).unwrap());
        let file = tempfile::tempfile().unwrap();
        crate::sys::file::commit(&file, 0, 4_096).unwrap();
        is_woken_through_another_mapping(&file);
    }
}
