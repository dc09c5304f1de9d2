//! A program unloads a library that waited, after it closed its objects.

use std::ffi::{CStr, CString, c_int, c_void};
use std::process::Command;

use shmkit::sync::{Event, Reset};

use super::{EVENT, notices_threads};
use crate::children::{Child, Link};
use crate::fork::fork;
use crate::test_dir::TestDir;

/// The file name of the example `plugin`.
const PLUGIN: &str = "libplugin.so";

/// Builds the example, if that was not done yet, and returns its path.
fn plugin() -> CString {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--message-format=json", "--package=shmkit"]);
    let built = cargo.args(["--example=plugin"]).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let messages = String::from_utf8(built.stdout).unwrap();
    let path = messages.split('"').find(|text| text.ends_with(PLUGIN)).expect("its path");
    CString::new(path).unwrap()
}

fn is_mapped() -> bool {
    std::fs::read_to_string("/proc/self/maps").unwrap().contains(PLUGIN)
}

/// The address of a function of the plug-in.
fn find(library: *mut c_void, name: &CStr) -> *mut c_void {
    // SAFETY: the library is loaded, and the name ends with a zero.
    let found = unsafe { libc::dlsym(library, name.as_ptr()) };
    assert!(!found.is_null(), "{name:?}");
    found
}

/// Loads the plug-in, lets it wait, and unloads it.
pub(crate) fn loader(link: &mut Link) {
    let path = CString::new(link.task()).unwrap();
    // SAFETY: the initialisers of the plug-in are those of this program's own library.
    let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
    assert!(!library.is_null() && is_mapped());
    let [wait, close] = [c"plugin_wait", c"plugin_close"].map(|name| find(library, name));
    // SAFETY: the plug-in has these functions with these types.
    let wait: extern "C" fn() -> c_int = unsafe { std::mem::transmute(wait) };
    // SAFETY: as above.
    let close: extern "C" fn() = unsafe { std::mem::transmute(close) };
    // In threads of their own, since thread-local variables keep a library loaded.
    let waited = std::thread::spawn(move || wait()).join().unwrap();
    link.send(format!("{waited} {}", notices_threads()));
    std::thread::spawn(move || close()).join().unwrap();
    // SAFETY: nothing of the plug-in is used any more.
    assert_eq!(unsafe { libc::dlclose(library) }, 0);
    link.send(format!("{} {}", is_mapped(), notices_threads()));
    // The handlers for `fork` were removed with it.
    let child = fork(|| ());
    let mut status = 1;
    // SAFETY: the child is this process's, and there is room for the status.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    link.send(status);
    link.receive();
}

#[test]
fn a_library_that_waited_can_be_unloaded_when_its_objects_are_closed() {
    let dir = TestDir::new();
    let _event = dir.primitive::<Event>().create(EVENT, Reset::Manual).unwrap();
    let mut child = Child::start(&dir, "loader", plugin().to_str().unwrap());
    assert_eq!(child.receive(), "0 1", "it was not set, and there is a ringer");
    assert_eq!(child.receive(), "false 0", "the library is not mapped, and no thread is left");
    assert_eq!(child.receive(), "0", "the status of a forked child");
}
