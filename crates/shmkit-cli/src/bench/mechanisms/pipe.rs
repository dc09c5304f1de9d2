//! Two pipes without names, which the processes inherit.

use std::path::Path;

use super::super::mechanism::{Cannot, Family, Mechanism, Prepared};
use super::super::stream::Stream;
use super::super::system;
use super::super::worker::{Part, Worker};

pub(super) const MECHANISM: Mechanism =
    Mechanism { name: "pipe", title: "pipe", family: Family::Pipe, keeps_all: true, prepare, run };

fn prepare(_directory: &Path, _size: usize) -> Result<Prepared, Cannot> {
    let mut prepared = Prepared::default();
    for _ in 0..2 {
        let (reader, writer) = std::io::pipe()?;
        prepared.ends.extend([system::inheritable(&reader)?, system::inheritable(&writer)?]);
        prepared.keep.push(Box::new((reader, writer)));
    }
    Ok(prepared)
}

fn run(worker: &Worker) -> anyhow::Result<()> {
    worker.run(|worker| {
        let mut ends = Vec::new();
        for end in worker.ends() {
            ends.push(system::inherited(end)?);
        }
        let ends: [_; 4] = ends.try_into().expect("the command made two pipes");
        let [read_there, write_there, read_back, write_back] = ends;
        // The ends of the other process are closed here.
        let (reader, writer) = match worker.part() {
            Part::First => (read_back, write_there),
            Part::Second => (read_there, write_back),
        };
        Ok(Stream::new(reader, writer, worker.size()))
    })
}
