//! Shared memory with eventfd: a counter of the kernel, which one read takes whole.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use rustix::event::{EventfdFlags, eventfd};

use super::super::mechanism::{Cannot, Family, Mechanism, Prepared};
use super::super::system;
use super::super::worker::{Part, Worker};
use super::ring::{self, Rings, Wakes};

pub(super) const MECHANISM: Mechanism = Mechanism {
    name: "memory-eventfd",
    title: "shared memory, eventfd",
    family: Family::SharedMemory,
    keeps_all: true,
    prepare,
    run,
};

fn prepare(directory: &Path, size: usize) -> Result<Prepared, Cannot> {
    ring::create(directory, size)?;
    let mut prepared = Prepared::default();
    // Filled and free slots of the ring there, then of the ring back.
    for _ in 0..4 {
        let counter = eventfd(0, EventfdFlags::CLOEXEC).map_err(io::Error::from)?;
        prepared.ends.push(system::inheritable(&counter)?);
        prepared.keep.push(Box::new(counter));
    }
    Ok(prepared)
}

/// A counter of the kernel, and what was read from it and is left.
struct Counter {
    file: File,
    left: u64,
}

impl Counter {
    fn add(&mut self) -> anyhow::Result<()> {
        Ok(self.file.write_all(&1_u64.to_ne_bytes())?)
    }

    fn take(&mut self) -> anyhow::Result<()> {
        if self.left == 0 {
            let mut count = [0; 8];
            self.file.read_exact(&mut count)?;
            self.left = u64::from_ne_bytes(count);
        }
        self.left -= 1;
        Ok(())
    }
}

struct Counters {
    filled_to: Counter,
    free_to: Counter,
    filled_from: Counter,
    free_from: Counter,
}

fn run(worker: &Worker) -> anyhow::Result<()> {
    worker.run(|worker| {
        let own = match worker.part() {
            Part::First => [0, 1, 2, 3],
            Part::Second => [2, 3, 0, 1],
        };
        let counter = |end: usize| -> anyhow::Result<_> {
            Ok(Counter { file: system::inherited(&worker.ends()[end])?, left: 0 })
        };
        let [filled_to, free_to, filled_from, free_from] = own;
        let counters = Counters {
            filled_to: counter(filled_to)?,
            free_to: counter(free_to)?,
            filled_from: counter(filled_from)?,
            free_from: counter(free_from)?,
        };
        Ok(Rings::new(ring::open(worker)?, worker, counters))
    })
}

impl Wakes for Counters {
    fn tell_filled(&mut self) -> anyhow::Result<()> {
        self.filled_to.add()
    }

    fn await_filled(&mut self) -> anyhow::Result<()> {
        self.filled_from.take()
    }

    fn tell_free(&mut self) -> anyhow::Result<()> {
        self.free_from.add()
    }

    fn await_free(&mut self) -> anyhow::Result<()> {
        self.free_to.take()
    }
}
