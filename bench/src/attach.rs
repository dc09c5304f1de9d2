//! Opening an object that is there.

use std::fs::OpenOptions;
use std::path::Path;
use std::ptr;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::ground::Ground;
use crate::latest::time;
use crate::report::{Case, Report, Samples};

/// Words of the value.
const N: usize = 8;
const ROUNDS: u64 = 500;

/// Opens, maps and closes a file: the least that an object can cost.
fn bare(path: &Path, bytes: usize) {
    let file = OpenOptions::new().read(true).write(true).open(path).expect("it is there");
    let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
    // SAFETY: a new mapping, wherever the system puts it.
    let mapped = unsafe { mmap(ptr::null_mut(), bytes, protection, flags, &file, 0) };
    let mapped = mapped.expect("it can be mapped");
    // SAFETY: mapped above, and nothing refers to it.
    unsafe { munmap(mapped, bytes) }.expect("it is mapped");
}

pub(crate) fn run(ground: &Ground, report: &mut Report) {
    let made = ground.latest::<N>("attach");
    made.writer().expect("there is no other").set(&[1; N]).expect("this is the writer");
    let path = ground.directory().join(format!("{}.shmkit", made.name()));
    let bytes = path.metadata().expect("an object is a file").len() as usize;
    let options = ground.options::<N>();
    let floor = || time(ROUNDS, || bare(&path, bytes)) / 1_000.0;

    let opened = || {
        let each = || drop(options.open(made.name()).expect("it is there"));
        time(ROUNDS, each) / 1_000.0
    };
    let case = "open and drop / open, mmap, close";
    let samples = Samples::beside(floor, opened);
    report.tell(&Case { suite: "attach", case, bytes: N * 8, unit: "us" }, &samples);

    let wrote = || {
        let each = || drop(made.writer().expect("there is no other"));
        time(ROUNDS, each) / 1_000.0
    };
    let case = "writer and drop / open, mmap, close";
    let samples = Samples::beside(floor, wrote);
    report.tell(&Case { suite: "attach", case, bytes: N * 8, unit: "us" }, &samples);

    let case = Case { suite: "attach", case: "size of the file", bytes: N * 8, unit: "bytes" };
    report.tell(&case, &Samples::counted(bytes as f64));
}
