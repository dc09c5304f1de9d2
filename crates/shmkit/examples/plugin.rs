//! A library for other programs, which load it by `dlopen` and unload it by `dlclose`.
//!
//! A program may unload it once it has closed its objects: then no thread of shmkit runs any more.

use std::sync::Mutex;
use std::time::Duration;

use shmkit::Object;
use shmkit::sync::Event;

static EVENT: Mutex<Option<Object<Event>>> = Mutex::new(None);

/// Opens the event `event`, and waits for it for 20 ms. Returns whether it was set, or -1 if it
/// cannot be opened.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_wait() -> i32 {
    let Ok(event) = Object::<Event>::open("event") else { return -1 };
    let was_set = event.wait_timeout(Duration::from_millis(20)).is_ok();
    if let Ok(mut opened) = EVENT.lock() {
        *opened = Some(event);
    }
    was_set.into()
}

/// Closes the event.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_close() {
    if let Ok(mut opened) = EVENT.lock() {
        *opened = None;
    }
}
