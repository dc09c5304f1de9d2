use std::fs::File;
use std::io::{Read, Write};

use super::*;
use crate::sys::fork::LockFile;
use crate::sys::lock::{Mode, Range, first_locked, try_lock};

fn temporary_file() -> std::path::PathBuf {
    let number = u64::from_le_bytes(random().unwrap());
    let path = std::env::temp_dir().join(format!("shmkit-fork-{number:016x}"));
    std::fs::write(&path, b"").unwrap();
    path
}

/// Allows one child at a time: until its handlers have run, a child keeps the locks of all tests.
static NO_OTHER_CHILD: Mutex<()> = Mutex::new(());

/// Forks; the child runs `inside` and exits with what it returns.
fn in_a_child(inside: impl FnOnce() -> bool) -> RawChild {
    let alone = NO_OTHER_CHILD.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the child calls `inside` and `_exit`. The closures of the tests do not allocate, and
    // take no locks that another thread may hold.
    match unsafe { libc::fork() } {
        0 => {
            let code = i32::from(!inside());
            // SAFETY: ends the child without running code of the parent.
            unsafe { libc::_exit(code) }
        }
        child => RawChild(child, alone),
    }
}

struct RawChild(libc::pid_t, #[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

impl RawChild {
    fn succeeded(self) -> bool {
        let mut status = 0;
        // SAFETY: waits for a child of this process, and writes to a local variable.
        let waited = unsafe { libc::waitpid(self.0, &raw mut status, 0) };
        waited == self.0 && libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
    }
}

#[test]
fn a_forked_child_does_not_own_the_stamp() {
    let stamp = ProcessStamp::of_this_process().unwrap();
    assert!(stamp.is_mine());
    let number = stamp.number();
    assert_eq!(ProcessStamp::of_this_process().unwrap().number(), number);
    let child = in_a_child(|| {
        let own = ProcessStamp::of_this_process();
        !stamp.is_mine() && own.is_ok_and(|own| own.is_mine() && own.number() != number)
    });
    assert!(child.succeeded());
    assert!(stamp.is_mine());
}

#[test]
fn a_forked_child_finds_no_second_in_the_stamp_and_stores_none_there() {
    let stamp = ProcessStamp::of_this_process().unwrap();
    ProcessStamp::set_second(7);
    assert_ne!(stamp.second(), 0);
    let child = in_a_child(|| {
        ProcessStamp::set_second(8);
        let before = stamp.second();
        let own = ProcessStamp::of_this_process();
        ProcessStamp::set_second(9);
        (before, stamp.second()) == (0, 0) && own.is_ok_and(|own| own.second() == 9)
    });
    assert!(child.succeeded());
    assert_ne!(stamp.second(), 0);
}

#[test]
fn a_forked_child_finds_zeros_in_wiped_pages_while_they_are_registered() {
    use crate::sys::mapping::{Mapping, Placement, Protection};
    use crate::sys::pages::page_size;
    let path = temporary_file();
    std::fs::write(&path, [7; 10]).unwrap();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let map = || Mapping::map(&file, 0, 10, Protection::ReadWrite);
    // SAFETY: the byte belongs to a mapping that lives, and no thread writes it.
    let first_of = |mapping: &Mapping| unsafe { mapping.as_ptr().read_volatile() };

    let pages_of = |it: &Mapping| (NonNull::new(it.as_ptr()).unwrap(), page_size());
    // SAFETY: the page belongs to the mapping.
    let make = || unsafe { WipedOnFork::new(map, pages_of) }.unwrap();
    let (mut wiped, shared) = (make(), map().unwrap());
    let child = in_a_child(|| (first_of(&wiped), first_of(&shared)) == (0, 7));
    assert!(child.succeeded());
    assert_eq!(first_of(&wiped), 7, "the parent keeps its pages");

    let next = loop {
        let address = Some(wiped.as_ptr() as usize);
        drop(wiped);
        let place = Placement { address, ..Placement::default() };
        match Mapping::place(&file, 0, 10, Protection::ReadWrite, place) {
            Ok(next) => break next,
            // Another test has mapped something there.
            Err(_) => wiped = make(),
        }
    };
    let child = in_a_child(|| first_of(&next) == 7);
    assert!(child.succeeded(), "pages that are not registered any more stay");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_forked_child_does_not_keep_the_locks_of_its_parent() {
    let path = temporary_file();
    let range = Range::byte(1 << 40);
    let observer = File::options().read(true).write(true).open(&path).unwrap();
    let lock_file = LockFile::open(|| {
        File::options().read(true).write(true).open(&path).map_err(Error::from_os)
    })
    .unwrap();
    assert!(try_lock(&lock_file, range, Mode::Exclusive).unwrap());

    let (mut end_reader, end_writer) = std::io::pipe().unwrap();
    let (mut ready_reader, ready_writer) = std::io::pipe().unwrap();
    let mut end_writer = Some(end_writer);
    let child = in_a_child(|| {
        // The handlers have run. The pipe ends when the parent drops the only other writer.
        drop(end_writer.take());
        (&ready_writer).write_all(b"x").is_ok() && end_reader.read(&mut [0]).is_ok()
    });
    ready_reader.read_exact(&mut [0]).unwrap();
    assert!(
        first_locked(&observer, range).unwrap().is_some(),
        "the parent keeps its lock after the fork"
    );
    drop(lock_file);
    assert_eq!(
        first_locked(&observer, range).unwrap(),
        None,
        "the living child does not keep the lock"
    );
    drop(end_writer);
    assert!(child.succeeded());
    std::fs::remove_file(path).unwrap();
}
