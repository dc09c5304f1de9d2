//! Two FIFOs: pipes of the kernel under names.

use std::fs::File;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::super::mechanism::{Cannot, Family, Mechanism, Prepared};
use super::super::stream::Stream;
use super::super::worker::{Part, Worker};

pub(super) const MECHANISM: Mechanism =
    Mechanism { name: "fifo", title: "FIFO", family: Family::Pipe, keeps_all: true, prepare, run };

fn prepare(directory: &Path, _size: usize) -> Result<Prepared, Cannot> {
    for name in ["there", "back"] {
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, directory.join(name), FileType::Fifo, mode, 0)
            .map_err(std::io::Error::from)?;
    }
    Ok(Prepared::default())
}

fn run(worker: &Worker) -> anyhow::Result<()> {
    worker.run(|worker| {
        let writer = |name| File::options().write(true).open(worker.path(name));
        let reader = |name| File::open(worker.path(name));
        // Opening waits for the other side, so both open the same one first.
        let (reader, writer) = match worker.part() {
            Part::First => {
                let writer = writer("there")?;
                (reader("back")?, writer)
            }
            Part::Second => {
                let reader = reader("there")?;
                (reader, writer("back")?)
            }
        };
        Ok(Stream::new(reader, writer, worker.size()))
    })
}
