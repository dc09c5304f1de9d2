//! A process that must not get notices, and a library that gets some and is unloaded.

use std::path::PathBuf;

use shmkit::sync::{Event, Reset};
use windows_sys::Win32::Foundation::FreeLibrary;
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleA, GetProcAddress, LoadLibraryA};
use windows_sys::core::PCSTR;

use crate::children::{Child, Link};
use crate::sync::fixture::{Fixture, NAME, run};
use crate::system::notices_threads_of;
use crate::test_dir::{TestDir, skip};

#[test]
fn a_waiter_without_notices_finds_a_death_at_intervals() {
    let fixture = Fixture::new(1, 1);
    let mut holder = fixture.start_actor();
    run(&mut holder, "lock");
    let mut waiter = Child::start_with(&fixture.dir, "actor", "", |command| {
        command.env("SHMKIT_NOTICES", "off")
    });
    assert_eq!(waiter.receive(), "ready");
    waiter.send("lock");
    fixture.dir.wait_for_waiters(NAME, 1);
    holder.kill();
    assert_eq!(waiter.receive(), "OwnerDied");
    assert_eq!(waiter.ask("announcements"), "0");
    assert_eq!(notices_threads_of(waiter.id()), 0);
}

/// The example `plugin`, which is built with the tests. In the folder `examples`, beside that of
/// this program.
fn plugin() -> Option<PathBuf> {
    let program = std::env::current_exe().unwrap();
    let path = program.parent()?.parent()?.join(r"examples\plugin.dll");
    path.exists().then_some(path)
}

fn c_text(text: &str) -> Vec<u8> {
    text.bytes().chain([0]).collect()
}

fn is_loaded(path: PCSTR) -> bool {
    // SAFETY: the path ends with a zero.
    !unsafe { GetModuleHandleA(path) }.is_null()
}

/// Loads the plug-in, lets it wait, and unloads it.
pub(crate) fn loader(link: &mut Link) {
    let path = c_text(&link.task());
    // SAFETY: the path ends with a zero; the initialisers are those of this program's own library.
    let library = unsafe { LoadLibraryA(path.as_ptr()) };
    assert!(!library.is_null() && is_loaded(path.as_ptr()));
    let [wait, close] = ["plugin_wait", "plugin_close"].map(|name| {
        // SAFETY: the library is loaded, and the name ends with a zero.
        unsafe { GetProcAddress(library, c_text(name).as_ptr()) }.expect(name)
    });
    // SAFETY: the plug-in has this function with this type.
    let wait: extern "C" fn() -> i32 = unsafe { std::mem::transmute(wait) };
    // SAFETY: as above.
    let close: extern "C" fn() = unsafe { std::mem::transmute(close) };
    let me = std::process::id();
    let waited = std::thread::spawn(move || wait()).join().unwrap();
    link.send(format!("{waited} {}", notices_threads_of(me)));
    std::thread::spawn(move || close()).join().unwrap();
    let left = notices_threads_of(me);
    // SAFETY: nothing of the plug-in is used any more.
    assert_ne!(unsafe { FreeLibrary(library) }, 0);
    link.send(format!("{} {left}", is_loaded(path.as_ptr())));
    link.receive();
}

#[test]
fn a_library_that_waited_can_be_unloaded_when_its_objects_are_closed() {
    let Some(plugin) = plugin() else { return skip("the example plugin is not built") };
    let dir = TestDir::new();
    let _event = dir.primitive::<Event>().create("event", Reset::Manual).unwrap();
    let mut child = Child::start(&dir, "loader", plugin.display());
    assert_eq!(child.receive(), "0 1", "it was not set, and there is a ringer");
    assert_eq!(child.receive(), "false 0", "the library is not loaded, and no thread is left");
}
