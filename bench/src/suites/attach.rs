//! Opening an object that exists.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::ptr;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::harness::report::Report;
use crate::harness::samples::{Samples, time};
use crate::harness::workers::Harness;
use crate::objects::{latest, latest_options};

/// The words of the value.
const N: usize = 8;
const ROUNDS: u64 = 500;

/// Opens, maps and closes a file: the least that an object can cost.
fn map_and_close(path: &Path, bytes: usize) {
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = file.expect("cannot open the object's file");
    let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
    // SAFETY: a new mapping at an address that the system chooses.
    let mapped = unsafe { mmap(ptr::null_mut(), bytes, protection, flags, &file, 0) };
    let mapped = mapped.expect("cannot map the object's file");
    // SAFETY: mapped above, without a reference into it.
    unsafe { munmap(mapped, bytes) }.expect("cannot unmap the object's file");
}

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    let directory = harness.arena.directory();
    let latest = latest::<N>(directory, "attach");
    latest.writer().expect("a sole writer").set(&[1; N]).expect("a sole writer");
    let path = directory.join(format!("{}.shmkit", latest.name()));
    let bytes = path.metadata()?.len() as usize;
    let options = latest_options::<N>(directory);
    let floor = || time(ROUNDS, || map_and_close(&path, bytes)) / 1_000.0;

    let open = || drop(options.open(latest.name()).expect("cannot open the object"));
    let samples = Samples::beside(floor, || time(ROUNDS, open) / 1_000.0);
    report.tell("open and drop / open, mmap, close", N * 8, "us", &samples)?;

    let become_writer = || drop(latest.writer().expect("a sole writer"));
    let samples = Samples::beside(floor, || time(ROUNDS, become_writer) / 1_000.0);
    report.tell("writer and drop / open, mmap, close", N * 8, "us", &samples)?;

    report.tell_count("size of the file", N * 8, "bytes", bytes as f64)
}
