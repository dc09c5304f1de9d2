//! A process that closes descriptors of the library, as `closefrom` does, harms only itself.

use shmkit::{Latest, Lifetime};

use crate::children::{Child, Link};
use crate::test_dir::TestDir;

const NAME: &str = "count";

/// Closes all descriptors but the standard ones, and so the lock files that prove liveness.
pub(crate) fn close_all_descriptors() {
    // SAFETY: the owners of the descriptors check at their next use that these are still theirs.
    let closed = unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    assert_eq!(closed, 0);
}

/// Takes the writer's role, closes its descriptors, and sets each number that it receives.
pub(crate) fn writer(link: &mut Link) {
    let latest = Latest::<u64>::open(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    writer.set(&1).unwrap();
    close_all_descriptors();
    link.send("ready");
    loop {
        let answer = writer.set(&link.receive().parse().unwrap());
        link.send(answer.map_or_else(|error| error.to_string(), |_| "set".into()));
    }
}

/// Closes its descriptors, opens other files under the same numbers, and asks for the writer's
/// role.
pub(crate) fn reader(link: &mut Link) {
    let latest = Latest::<u64>::open(NAME).unwrap();
    close_all_descriptors();
    let directory = shmkit::default_directory();
    let _others: Vec<_> = (0..8)
        .map(|number| std::fs::File::create(directory.join(format!("{number}"))).unwrap())
        .collect();
    link.send(latest.writer().expect_err("its descriptors are closed"));
    drop(latest);
    link.send("left");
    link.receive();
}

#[test]
fn a_writer_that_closed_its_descriptors_is_told_that_it_was_replaced() {
    let dir = TestDir::new();
    let latest = dir.latest::<u64>().create(NAME).unwrap();
    let mut child = Child::start_ready(&dir, "writer without descriptors", "");
    assert_eq!(child.ask(2), "set", "no other process has taken the role");
    let mut writer = latest.writer().unwrap();
    writer.set(&3).unwrap();
    let answer = child.ask(4);
    let this_process = format!("process {} (", std::process::id());
    assert!(
        answer.contains(&this_process) && answer.contains("took over the role of the writer"),
        "{answer}"
    );
    assert_eq!(latest.get().unwrap(), 3);
    drop(writer);
    assert!(child.ask(5).contains("this writer lost its slot"), "the role stays lost");
    assert_eq!((latest.get().unwrap(), latest.sequence()), (3, 3));
}

#[test]
fn a_process_that_closed_its_descriptors_takes_no_other_for_dead() {
    let dir = TestDir::new();
    let options = dir.latest::<u64>().lifetime(Lifetime::WhileUsed);
    let latest = options.create(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    let mut child = Child::start(&dir, "reader without descriptors", "");
    let answer = child.receive();
    assert!(answer.contains("closed the object's descriptors"), "{answer}");
    assert_eq!(child.receive(), "left");
    assert_eq!(writer.set(&1).unwrap(), 1, "the writer kept its role");
    assert_eq!(options.open(NAME).unwrap().get().unwrap(), 1, "the object kept its name");
}
