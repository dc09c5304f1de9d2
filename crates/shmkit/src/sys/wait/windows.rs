//! Named events: one for each value of a word that has sleepers.
//!
//! `WaitOnAddress` does not reach other processes, but a named event does. Its name consists of the
//! object, the place of the word in it, and the value that the sleeper saw.
//!
//! | sleeper | waker |
//! |---|---|
//! | S1 creates or opens the event of the value | W1 changes the word |
//! | S2 compares the word with the value | W2 sets the event of the old value, if it exists |
//! | S3 sleeps until the event is set | |
//!
//! # Why no wake is lost
//!
//! A full fence orders S1 before S2, and another one W1 before W2. If S2 finds the value, W1 comes
//! after S2, so W2 comes after S1: the event exists, W2 sets it, and it stays set while the sleeper
//! has it open (it is a manual-reset event, and no process resets it). If S2 finds another value,
//! the thread does not sleep. An event disappears with its last handle.
//!
//! If a value comes back, its event can still be set. That is a wake without a reason, which is
//! allowed; the sleeper is slowed down so that it does not spin. The names ignore marks, because
//! sleepers with a read-only mapping cannot set them. One event wakes all sleepers that wait for
//! the same change, so `wake_one` wakes all.

#![allow(unsafe_code, reason = "calls of Win32")]

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicU64, Ordering, fence};
use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    ERROR_ALREADY_EXISTS, GetLastError, WAIT_OBJECT_0, WAIT_TIMEOUT,
};
use windows_sys::Win32::System::Threading::{
    CREATE_EVENT_MANUAL_RESET, CreateEventExW, EVENT_MODIFY_STATE, INFINITE, OpenEventW,
    SYNCHRONIZATION_SYNCHRONIZE, SetEvent, WaitForSingleObject,
};

use super::{Kind, WaitOutcome};
use crate::sys::win32::security::{Attributes, Securable};
use crate::sys::win32::{owned, timeout_ms, wide};

/// The bits of a word that names ignore.
pub(super) const MARKS: u64 = 0b11;
/// The time between looks if the system refuses to let a thread sleep on a word.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_millis(1);

/// Lets processes find each other's sleepers on the words of a mapping, while this value lives.
#[derive(Debug)]
pub(crate) struct WakeScope(Place);

/// Where an object is mapped.
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
    /// Registers the object `id`, mapped in this process as `bytes` bytes from `first` on. If it is
    /// `shared`, processes of other users use it too.
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

/// Returns the name of the event for a value of a word, and whether other users may need the event.
/// A word outside of all objects belongs to this process alone.
fn event_name(word: &AtomicU64, value: u64) -> (Vec<u16>, bool) {
    let address = ptr::from_ref(word).addr();
    // The bits that are compared, without marks.
    let value = u64::from(value as u32) & !MARKS;
    let within = |place: &&Place| (place.first..place.first + place.bytes).contains(&address);
    match places().iter().find(within) {
        Some(&Place { first, id, shared, .. }) => {
            let (id, offset) = (u128::from_be_bytes(id), address - first);
            // For all sessions, like the file.
            (wide(format!(r"Global\shmkit-{id:032x}-{offset:x}-{value:x}")), shared)
        }
        None => {
            let process = std::process::id();
            (wide(format!(r"Local\shmkit-{process}-{address:x}-{value:x}")), false)
        }
    }
}

/// Creates or opens the event for a value of a word. Also returns whether it existed: only then can
/// it be set.
pub(super) fn create_event(word: &AtomicU64, value: u64) -> io::Result<(OwnedHandle, bool)> {
    let (name, shared) = event_name(word, value);
    let (attributes, flags) = (event_attributes(shared)?, CREATE_EVENT_MANUAL_RESET);
    // SAFETY: the attributes and the name live during the call.
    let event = unsafe {
        CreateEventExW(attributes.as_ptr(), name.as_ptr(), flags, SYNCHRONIZATION_SYNCHRONIZE)
    };
    // SAFETY: the call above set the error.
    let existed = unsafe { GetLastError() } == ERROR_ALREADY_EXISTS;
    // SAFETY: the call above returned the handle to this function alone.
    Ok((unsafe { owned(event) }?, existed))
}

/// Returns who may use an event: every user, or the user who created it.
fn event_attributes(shared: bool) -> io::Result<&'static Attributes> {
    static ATTRIBUTES: [OnceLock<Attributes>; 2] = [const { OnceLock::new() }; 2];
    let (made, mode) = (&ATTRIBUTES[usize::from(shared)], if shared { 0o666 } else { 0o600 });
    if let Some(made) = made.get() {
        return Ok(made);
    }
    let attributes = Attributes::of_mode(mode, Securable::Event)?;
    Ok(made.get_or_init(|| attributes))
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
    let Ok((event, existed)) = create_event(word, expected) else {
        // There are no handles left, or another user has the name. Another look is correct, but
        // must not become spinning.
        thread::sleep(LOOK_INTERVAL);
        return WaitOutcome::Woken;
    };
    let was_set = existed && is_set(&event);
    // ORDERING: SeqCst; S1 before S2, pairs with the fence in `wake_all`.
    fence(Ordering::SeqCst);
    // ORDERING: Relaxed; ordered by the fence.
    if word.load(Ordering::Relaxed) as u32 != expected as u32 {
        return WaitOutcome::Changed;
    }
    if was_set {
        // Set for an earlier change from the same value.
        thread::sleep(LOOK_INTERVAL);
        return WaitOutcome::Woken;
    }
    loop {
        let left_ms = match until.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(left) if left.is_zero() => return WaitOutcome::TimedOut,
            // A time limit beyond the range of the call takes several calls.
            Some(left) => timeout_ms(left),
            None => INFINITE,
        };
        // SAFETY: the event is open.
        match unsafe { WaitForSingleObject(event.as_raw_handle(), left_ms) } {
            WAIT_OBJECT_0 => return WaitOutcome::Woken,
            WAIT_TIMEOUT => {
                // A waker can have set the event just as the time limit passed.
                if is_set(&event) {
                    return WaitOutcome::Woken;
                }
            }
            _ => {
                thread::sleep(LOOK_INTERVAL);
                return WaitOutcome::Woken;
            }
        }
    }
}

pub(super) fn is_set(event: &OwnedHandle) -> bool {
    // SAFETY: the event is open.
    (unsafe { WaitForSingleObject(event.as_raw_handle(), 0) }) == WAIT_OBJECT_0
}

/// Wakes all sleepers on `word` that saw the value `had`.
pub(crate) fn wake_one(word: &AtomicU64, had: u64, _kind: Kind) {
    wake_all(word, had);
}

/// Wakes all sleepers on `word` that saw the value `had`.
pub(crate) fn wake_each(word: &AtomicU64, had: u64, _kind: Kind) {
    wake_all(word, had);
}

/// Makes sleepers that saw the value `had` check the word again, after a change that lets no waiter
/// go on.
pub(crate) fn moved(word: &AtomicU64, had: u64) {
    wake_all(word, had);
}

/// Wakes all sleepers on `word` that saw the value `had`.
pub(crate) fn wake_all(word: &AtomicU64, had: u64) {
    // ORDERING: SeqCst; W1 before W2, pairs with the fence in `wait`.
    fence(Ordering::SeqCst);
    let (name, _) = event_name(word, had);
    // SAFETY: the name lives during the call.
    let event = unsafe { OpenEventW(EVENT_MODIFY_STATE, 0, name.as_ptr()) };
    // SAFETY: the call above opened the handle for this function alone.
    let Ok(event) = (unsafe { owned(event) }) else { return };
    // A wake is a hint. After an error the sleepers find the change at their next look.
    // SAFETY: the event is open.
    let _ = unsafe { SetEvent(event.as_raw_handle()) };
}

#[cfg(test)]
mod tests {
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
    fn sleepers_in_two_mappings_of_one_object_find_each_other() {
        let words: [Box<[AtomicU64; 4]>; 2] = Default::default();
        let places = words
            .each_ref()
            .map(|words| WakeScope::new(NonNull::from(&**words).cast(), 32, [7; 16], false));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                while words[0][3].load(Ordering::Acquire) == 0 {
                    wait(&words[0][3], 0, None, Kind::Only);
                }
            });
            words[0][3].store(8, Ordering::Release);
            // Another process has set the mark meanwhile.
            wake_all(&words[1][3], 2);
            waiting.join().unwrap();
        });
        drop(places);
        let (name, _) = event_name(&words[0][3], 0);
        assert!(
            String::from_utf16_lossy(&name).starts_with(r"Local\"),
            "the place is not registered any more"
        );
    }
}
