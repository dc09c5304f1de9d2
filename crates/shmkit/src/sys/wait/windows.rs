//! Named events: one for each value of a word that somebody sleeps on.
//!
//! `WaitOnAddress` does not reach other processes. An event does, by its name, which is made of the
//! object, the word's place in it, and the value that the sleeper saw there:
//!
//! | sleeper | waker |
//! |---|---|
//! | S1 makes the event of the value, or opens it | W1 changes the word |
//! | S2 compares the word with the value | W2 sets the event of the value before, if there is one |
//! | S3 sleeps until the event is set | |
//!
//! # Why no wake is lost
//!
//! S1 and S2, W1 and W2 are ordered, each by a full fence between them. If S2 finds the value, W1
//! comes behind it, so W2 behind S1: the event is there, and is set, and stays set (it is of the
//! kind that is reset by hand, and nobody does) for as long as the sleeper has it. Otherwise S2
//! does not let it sleep. An event goes with the last who has it open.
//!
//! A value that comes back may find its event set: a wake without a reason, which is allowed, and
//! is slowed down, so that sleepers do not spin on it. Marks do not count, since some sleepers may
//! not set them. One event wakes all who wait for the same
//! change, so waking one wakes all.

#![allow(unsafe_code, reason = "calls of Win32")]

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicU64, Ordering, fence};
use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{WAIT_OBJECT_0, WAIT_TIMEOUT};
use windows_sys::Win32::System::Threading::{
    CREATE_EVENT_MANUAL_RESET, CreateEventExW, EVENT_MODIFY_STATE, INFINITE, OpenEventW,
    SYNCHRONIZATION_SYNCHRONIZE, SetEvent, WaitForSingleObject,
};

use super::Woke;
use crate::sys::win32::security::{Attributes, Of};
use crate::sys::win32::{owned, wide};

/// The bits of a word that do not count.
const MARKS: u64 = 0b11;
/// How often to look where the system refuses to let us sleep on a word.
const WITHOUT_EVENT: Duration = Duration::from_millis(1);

/// Where sleepers on words of a mapping find each other: for as long as this lives.
#[derive(Debug)]
pub(crate) struct WakeScope(Place);

/// A mapping of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    first: usize,
    bytes: usize,
    id: [u8; 16],
    shared: bool,
}

static PLACES: Mutex<Vec<Place>> = Mutex::new(Vec::new());

fn places() -> MutexGuard<'static, Vec<Place>> {
    PLACES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WakeScope {
    /// Of the object `id`, whose `bytes` are from `first` on in this process. If it is `shared`,
    /// other users come there, too.
    pub(crate) fn new(first: NonNull<u8>, bytes: usize, id: [u8; 16], shared: bool) -> Self {
        let place = Place { first: first.as_ptr().addr(), bytes, id, shared };
        places().push(place);
        Self(place)
    }
}

impl Drop for WakeScope {
    fn drop(&mut self) {
        let mut places = places();
        if let Some(this) = places.iter().position(|place| *place == self.0) {
            places.swap_remove(this);
        }
    }
}

/// The name of the event for a value of a word, and whether other users may need it. Words that are
/// in no object are this process's alone.
fn event_name(word: &AtomicU64, value: u64) -> (Vec<u16>, bool) {
    let address = ptr::from_ref(word).addr();
    // As much as is compared.
    let value = u64::from(value as u32) & !MARKS;
    let within = |place: &&Place| (place.first..place.first + place.bytes).contains(&address);
    match places().iter().find(within) {
        Some(&Place { first, id, shared, .. }) => {
            let (id, offset) = (u128::from_be_bytes(id), address - first);
            // For all sessions, as the file is.
            (wide(format!(r"Global\shmkit-{id:032x}-{offset:x}-{value:x}")), shared)
        }
        None => {
            let process = std::process::id();
            (wide(format!(r"Local\shmkit-{process}-{address:x}-{value:x}")), false)
        }
    }
}

fn make_event(word: &AtomicU64, value: u64) -> io::Result<OwnedHandle> {
    let (name, shared) = event_name(word, value);
    let attributes = Attributes::of_mode(if shared { 0o666 } else { 0o600 }, Of::Event)?;
    let by_hand = CREATE_EVENT_MANUAL_RESET;
    // SAFETY: attributes and name live during the call.
    let event = unsafe {
        CreateEventExW(attributes.as_ptr(), name.as_ptr(), by_hand, SYNCHRONIZATION_SYNCHRONIZE)
    };
    // SAFETY: made or opened for us.
    unsafe { owned(event) }
}

/// Sleeps while the low half of `word` is that of `expected`, until woken or until `until`.
///
/// A mapping without write permission is enough.
pub(crate) fn wait(word: &AtomicU64, expected: u64, until: Option<Instant>) -> Woke {
    let Ok(event) = make_event(word, expected) else {
        // No handles are left, or a stranger has the name. Looking again is sound, but must not be
        // spinning.
        thread::sleep(WITHOUT_EVENT);
        return Woke::Woken;
    };
    let was_set = is_set(&event);
    // ORDERING: SeqCst; S1 before S2, see above.
    fence(Ordering::SeqCst);
    // ORDERING: Relaxed; ordered by the fence.
    if word.load(Ordering::Relaxed) as u32 != expected as u32 {
        return Woke::Changed;
    }
    if was_set {
        // For another time at which the word had this value.
        thread::sleep(WITHOUT_EVENT);
        return Woke::Woken;
    }
    loop {
        let left_ms = match until.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(left) if left.is_zero() => return Woke::TimedOut,
            // Rounded up; more than can be told is slept in parts.
            Some(left) => left.as_micros().div_ceil(1_000).min(u128::from(INFINITE - 1)) as u32,
            None => INFINITE,
        };
        // SAFETY: the event is open.
        match unsafe { WaitForSingleObject(event.as_raw_handle(), left_ms) } {
            WAIT_OBJECT_0 => return Woke::Woken,
            WAIT_TIMEOUT => {
                // It may have been set just as the time was over.
                if is_set(&event) {
                    return Woke::Woken;
                }
            }
            _ => {
                thread::sleep(WITHOUT_EVENT);
                return Woke::Woken;
            }
        }
    }
}

fn is_set(event: &OwnedHandle) -> bool {
    // SAFETY: the event is open.
    (unsafe { WaitForSingleObject(event.as_raw_handle(), 0) }) == WAIT_OBJECT_0
}

/// Wakes all who sleep on `word` since it had the value `had`.
pub(crate) fn wake_one(word: &AtomicU64, had: u64) {
    wake_all(word, had);
}

/// Has those look again who sleep on a word that had the value `had`, after a change that lets
/// nobody go on.
pub(crate) fn moved(word: &AtomicU64, had: u64) {
    wake_all(word, had);
}

/// Wakes all who sleep on `word` since it had the value `had`.
pub(crate) fn wake_all(word: &AtomicU64, had: u64) {
    // ORDERING: SeqCst; W1 before W2, see above.
    fence(Ordering::SeqCst);
    let (name, _) = event_name(word, had);
    // SAFETY: the name lives during the call.
    let event = unsafe { OpenEventW(EVENT_MODIFY_STATE, 0, name.as_ptr()) };
    // SAFETY: opened for us.
    let Ok(event) = (unsafe { owned(event) }) else { return };
    // A wake is a hint: an error leaves the sleepers to their next look.
    // SAFETY: the event is open.
    let _ = unsafe { SetEvent(event.as_raw_handle()) };
}

#[cfg(test)]
mod tests {
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
    fn sleepers_in_two_mappings_of_one_object_find_each_other() {
        let words: [Box<[AtomicU64; 4]>; 2] = Default::default();
        let places = words
            .each_ref()
            .map(|words| WakeScope::new(NonNull::from(&**words).cast(), 32, [7; 16], false));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                while words[0][3].load(Ordering::Acquire) == 0 {
                    wait(&words[0][3], 0, None);
                }
            });
            words[0][3].store(8, Ordering::Release);
            // The mark was set by another meanwhile.
            wake_all(&words[1][3], 2);
            waiting.join().unwrap();
        });
        drop(places);
        let (name, _) = event_name(&words[0][3], 0);
        assert!(String::from_utf16_lossy(&name).starts_with(r"Local\"), "no place any more");
    }
}
