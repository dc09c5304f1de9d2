//! Opening an object that exists, and dropping it.
//!
//! The system calls alone cost nearly all of it: those of the floor, two `fstat`, `fstatfs`,
//! `geteuid`, `pread`, a lock and its release. A page fault, which `get` causes, costs a third of
//! the floor to twice the floor, by the machine. A second open file, which a participant needs,
//! costs half of the floor to four fifths of it.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::ptr;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use shmkit::Latest;
use shmkit::sync::Mutex;

use crate::harness::report::Report;
use crate::harness::samples::{Samples, time};
use crate::harness::workers::Harness;
use crate::objects::{latest, latest_options, primitive};

/// The words of the value.
const N: usize = 8;
const ROUNDS: u64 = 500;
/// How many other objects the directory has in the last case.
const OTHERS: usize = 10_000;
const FLOOR: &str = "open, mmap, close";

/// Opens, maps and closes a file: the least that an object can cost. `touch` may read the memory,
/// as a real use does.
fn map_and_close(path: &Path, bytes: usize, touch: impl FnOnce(*const u8)) {
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = file.expect("cannot open the object's file");
    let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
    // SAFETY: a new mapping at an address that the system chooses.
    let mapped = unsafe { mmap(ptr::null_mut(), bytes, protection, flags, &file, 0) };
    let mapped = mapped.expect("cannot map the object's file");
    touch(mapped.cast());
    // SAFETY: mapped above, without a reference into it.
    unsafe { munmap(mapped, bytes) }.expect("cannot unmap the object's file");
}

/// Reads a byte, which causes a page fault.
fn touch_page(mapped: *const u8) {
    // SAFETY: the first byte of the mapping; what it holds does not matter.
    unsafe { mapped.read_volatile() };
}

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    let directory = harness.arena.directory();
    let latest = latest::<N>(directory, "attach");
    latest.writer().expect("a sole writer").set(&[1; N]).expect("a sole writer");
    let path = directory.join(format!("{}.shmkit", latest.name()));
    let bytes = path.metadata()?.len() as usize;
    let floor = || time(ROUNDS, || map_and_close(&path, bytes, |_| ())) / 1_000.0;
    let mut tell = |case: &str, operation: &mut dyn FnMut()| {
        let samples = Samples::beside(floor, || time(ROUNDS, &mut *operation) / 1_000.0);
        report.tell(&format!("{case} / {FLOOR}"), N * 8, "us", &samples)
    };

    tell("floor and one page read", &mut || map_and_close(&path, bytes, touch_page))?;
    let options = latest_options::<N>(directory);
    let open = || options.open(latest.name()).expect("cannot open the object");
    tell("Latest", &mut || drop(open()))?;
    let get = |latest: Latest<[u64; N]>| latest.get().expect("it has a value");
    tell("Latest, and get", &mut || _ = get(open()))?;
    let open_or_create = || options.open_or_create(latest.name()).expect("cannot open the object");
    tell("Latest, open_or_create", &mut || drop(open_or_create()))?;
    let become_writer = || latest.writer().expect("a sole writer");
    tell("writer of a Latest", &mut || drop(become_writer()))?;
    let mutex = || primitive::<Mutex<[u64; N]>>(directory, "attach-mutex", [0; N]);
    let _used = mutex();
    tell("Mutex, open_or_create", &mut || drop(mutex()))?;

    let others: Vec<_> = (0..OTHERS).map(|number| format!("other-{number}")).collect();
    for name in &others {
        drop(options.create(name).expect("cannot create another object"));
    }
    tell("Latest, beside 10,000", &mut || drop(open()))?;
    for name in &others {
        options.remove(name).expect("cannot remove another object");
    }
    report.tell_count("size of the file", N * 8, "bytes", bytes as f64)
}
