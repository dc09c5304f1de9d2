//! Memory that goes with its last user, while processes that attach or leave are stopped or forked.

use shmkit::memory::{SharedMemory, SharedMemoryOptions};
use shmkit::{ErrorKind, Result};

use crate::children::{Child, Link};
use crate::fork::fork;
use crate::test_dir::{TestDir, kind};

const ROLE: &str = "last user of memory";

fn while_used() -> SharedMemoryOptions {
    SharedMemory::options().while_used()
}

/// A name, which is removed with this value.
struct Name(String);

impl Name {
    fn new(test: &str) -> Self {
        Self(format!("shmkit-test-{test}-{}", std::process::id()))
    }

    fn open(&self) -> Result<SharedMemory> {
        SharedMemory::open(&self.0)
    }

    fn is_there(&self) -> bool {
        std::path::Path::new("/dev/shm").join(&self.0).exists()
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _ = SharedMemory::remove(&self.0);
    }
}

/// Opens the memory, or creates it and writes 7, reports its first byte, and drops it when told to.
pub(crate) fn user(link: &mut Link) {
    let task = link.task();
    let (way, name) = task.split_once(' ').unwrap();
    let memory = match way {
        "create" => while_used().create(name, 100),
        "open" => SharedMemory::open(name),
        other => unreachable!("{other}"),
    };
    let memory = memory.unwrap();
    let region = memory.map().unwrap();
    if way == "create" {
        region.write_at(0, &[7]).unwrap();
    }
    let mut byte = [0];
    region.read_at(0, &mut byte).unwrap();
    drop(region);
    link.send(byte[0]);
    link.receive();
    drop(memory);
    link.send("dropped");
    link.receive();
}

/// Users are children: this process starts programs all the time, which have copies of its
/// descriptors for a moment.
fn start_user(dir: &TestDir, way: &str, name: &Name) -> Child {
    let mut user = Child::start(dir, ROLE, format!("{way} {}", name.0));
    assert_eq!(user.receive(), "7");
    user
}

#[test]
fn memory_that_a_process_is_attaching_to_is_not_removed() {
    let (dir, name) = (TestDir::new(), Name::new("attaching"));
    let mut creator = start_user(&dir, "create", &name);
    let (point, task) = ("memory: gate passed", format!("open {}", name.0));
    let mut opener = Child::start_and_stop_at(&dir, point, ROLE, task);
    assert_eq!(creator.ask("drop"), "dropped");
    assert!(name.is_there(), "the opener has the gate");
    opener.resume();
    assert_eq!(opener.receive(), "7");
    assert_eq!(start_user(&dir, "open", &name).ask("drop"), "dropped");
    assert!(name.is_there(), "the opener is a user");
    assert_eq!(opener.ask("drop"), "dropped");
    assert!(!name.is_there());
}

#[test]
fn memory_that_is_being_removed_can_be_neither_opened_nor_removed() {
    let (dir, name) = (TestDir::new(), Name::new("leaving"));
    let (point, task) = ("memory: found unused", format!("create {}", name.0));
    let mut last = Child::start_to_stop_at(&dir, point, ROLE, task);
    assert_eq!(last.receive(), "7");
    last.send("drop");
    last.wait_for_stop();
    assert_eq!(kind(name.open()), ErrorKind::Busy);
    // Otherwise the name could lead to other memory when the last user removes it.
    assert_eq!(kind(SharedMemory::remove(&name.0)), ErrorKind::Busy);
    last.resume();
    assert_eq!(last.receive(), "dropped");
    assert!(!name.is_there());
}

/// A process that finds new memory without a user removes it: a dead process could have left it.
#[test]
fn a_creator_whose_memory_was_removed_before_it_used_it_creates_it_again() {
    let (dir, name) = (TestDir::new(), Name::new("creating"));
    let (point, task) = ("memory: not yet used", format!("create {}", name.0));
    let mut creator = Child::start_and_stop_at(&dir, point, ROLE, task);
    assert!(name.is_there());
    assert_eq!(kind(name.open()), ErrorKind::NotFound);
    assert!(!name.is_there());
    creator.resume();
    assert_eq!(creator.receive(), "7");
    assert_eq!(start_user(&dir, "open", &name).ask("drop"), "dropped");
    assert_eq!(creator.ask("drop"), "dropped");
    assert!(!name.is_there());
}

#[test]
fn memory_of_a_process_that_died_anywhere_in_attaching_or_leaving_blocks_no_name() {
    for point in shmkit::crash::MEMORY_POINTS {
        let (dir, name) = (TestDir::new(), Name::new("dying"));
        let mut child = Child::start_to_die_at(&dir, point, ROLE, format!("create {}", name.0));
        if child.receive_if_alive().is_some() {
            child.send("drop");
        }
        assert!(child.was_killed(), "{point}");
        assert!(name.is_there(), "{point}");
        let mut creator = start_user(&dir, "create", &name);
        assert_eq!(start_user(&dir, "open", &name).ask("drop"), "dropped");
        assert_eq!(creator.ask("drop"), "dropped");
        assert!(!name.is_there());
    }
}

/// Creates memory that goes with its last user, and forks; then the child drops it when told to.
pub(crate) fn forking_user_of_memory(link: &mut Link) {
    let memory = while_used().create(&link.task(), 100).unwrap();
    let region = memory.map().unwrap();
    region.write_at(0, &[7]).unwrap();
    fork(|| {
        link.send("ready");
        assert_eq!(link.receive(), "drop");
        drop((memory, region));
        link.send("dropped");
        link.receive();
    });
    loop {
        std::thread::park();
    }
}

#[test]
fn a_forked_child_is_a_user_of_memory_that_goes_with_its_last_user() {
    let (dir, name) = (TestDir::new(), Name::new("forking"));
    let mut family = Child::start_ready(&dir, "forking last user", &name.0);
    family.kill();
    assert_eq!(start_user(&dir, "open", &name).ask("drop"), "dropped");
    assert!(name.is_there(), "the child is a user");
    assert_eq!(family.ask("drop"), "dropped");
    assert!(!name.is_there());
}
