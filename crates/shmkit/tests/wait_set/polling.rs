//! The handle that an event loop polls.

use std::thread;
use std::time::Duration;

use shmkit::sync::Reset;
use shmkit::{PollHandle, WaitSet};

use super::{SHORT, TIMEOUT, TestDir};

/// Returns whether the handle is readable in this time.
#[cfg(unix)]
fn is_readable(handle: &PollHandle, timeout: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let timeout = Timespec::try_from(timeout).unwrap();
    poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&timeout)).unwrap() == 1
}

/// Returns whether the handle is signalled in this time.
#[cfg(windows)]
fn is_readable(handle: &PollHandle, timeout: Duration) -> bool {
    use std::os::windows::io::AsRawHandle;

    use windows_sys::Win32::Foundation::WAIT_OBJECT_0;
    use windows_sys::Win32::System::Threading::WaitForSingleObject;

    // SAFETY: the handle is open.
    let answer = unsafe { WaitForSingleObject(handle.as_raw_handle(), timeout.as_millis() as u32) };
    answer == WAIT_OBJECT_0
}

#[test]
fn a_handle_is_readable_until_a_look_finds_nothing() {
    let dir = TestDir::new();
    let event = dir.event("event", Reset::Automatic);
    let set = WaitSet::new();
    set.add(7, &event).unwrap();
    let handle = set.poll_handle().unwrap();
    for _ in 0..10 {
        assert!(!is_readable(&handle, SHORT));
        thread::scope(|scope| {
            scope.spawn(|| event.set().unwrap());
            assert!(is_readable(&handle, TIMEOUT));
        });
        assert_eq!(set.try_wait().unwrap(), [7]);
        assert!(is_readable(&handle, SHORT), "it was not taken yet");
        assert!(event.try_wait().unwrap());
        assert!(set.try_wait().unwrap().is_empty());
    }
    assert!(!is_readable(&handle, SHORT));
}

#[test]
fn what_is_added_makes_a_handle_readable() {
    let dir = TestDir::new();
    let (set, event) = (WaitSet::new(), dir.event("event", Reset::Manual));
    let handle = set.poll_handle().unwrap();
    assert!(!is_readable(&handle, SHORT));
    set.add(1, &event).unwrap();
    assert!(is_readable(&handle, TIMEOUT), "the program looks at what was added");
    assert!(set.try_wait().unwrap().is_empty());
    assert!(!is_readable(&handle, SHORT));
    event.set().unwrap();
    assert!(is_readable(&handle, TIMEOUT));
    assert_eq!(set.try_wait().unwrap(), [1]);
    drop(set);
    assert!(is_readable(&handle, SHORT), "the handle stays open");
}
