//! `demo` and ctrl-break, as a console has it.

use std::fs;

use super::wait_for_writer;
use crate::{Place, Running, console};

#[test]
fn interrupted_it_leaves_nothing_behind() {
    let place = Place::new();
    let mut command = place.command(&["demo", "--during", "60s"]);
    let mut demo = Running::new(console::group(&mut command));
    wait_for_writer(&place);
    if !console::interrupt(&demo.child) {
        return;
    }
    assert_eq!(demo.child.wait().unwrap().code(), Some(130));
    assert!(demo.notes.next().is_none(), "it is no error");
    // Its processes take away on their way out what they had mapped.
    while fs::read_dir(place.path()).unwrap().count() > 0 {
        std::thread::yield_now();
    }
}
