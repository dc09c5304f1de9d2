//! Shared memory with POSIX semaphores in it: `sem_t`.

#![allow(unsafe_code, reason = "calls that only libc has")]

use std::io;
use std::path::Path;

use shmkit::Region;

use super::super::mechanism::{Cannot, Family, Mechanism, Prepared};
use super::super::worker::{Part, Worker};
use super::ring::{self, HEAD, Rings, Wakes};

pub(super) const MECHANISM: Mechanism = Mechanism {
    name: "memory-semaphore",
    title: "shared memory, sem_t",
    family: Family::SharedMemory,
    keeps_all: true,
    prepare,
    run,
};

/// The bytes from one semaphore to the next, in cache lines of their own.
const STRIDE: usize = 128;
/// Filled and free slots of the ring there, then of the ring back.
const SEMAPHORES: usize = 4;
const _: () = assert!(SEMAPHORES * STRIDE <= HEAD && size_of::<libc::sem_t>() <= STRIDE);

fn semaphore(region: &Region, number: usize) -> *mut libc::sem_t {
    // SAFETY: the semaphores lie in the head of the region.
    unsafe { region.as_ptr().add(number * STRIDE) }.cast()
}

fn prepare(directory: &Path, size: usize) -> Result<Prepared, Cannot> {
    let region = ring::create(directory, size)?;
    for number in 0..SEMAPHORES {
        // SAFETY: there is room for it in the region, where no process uses it yet.
        check(unsafe { libc::sem_init(semaphore(&region, number), 1, 0) })?;
    }
    Ok(Prepared::default())
}

struct Semaphores {
    /// Of the same memory as the ring's.
    region: Region,
    /// Filled slots of the ring to the other side, then its free slots.
    to: usize,
    /// The same for the ring from the other side.
    from: usize,
}

fn run(worker: &Worker) -> anyhow::Result<()> {
    worker.run(|worker| {
        let (to, from) = match worker.part() {
            Part::First => (0, 2),
            Part::Second => (2, 0),
        };
        let semaphores = Semaphores { region: ring::open(worker)?, to, from };
        Ok(Rings::new(ring::open(worker)?, worker, semaphores))
    })
}

impl Semaphores {
    fn post(&self, number: usize) -> anyhow::Result<()> {
        // SAFETY: the command has initialised it.
        Ok(check(unsafe { libc::sem_post(semaphore(&self.region, number)) })?)
    }

    fn wait(&self, number: usize) -> anyhow::Result<()> {
        loop {
            // SAFETY: the command has initialised it.
            match check(unsafe { libc::sem_wait(semaphore(&self.region, number)) }) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => return Ok(answer?),
            }
        }
    }
}

impl Wakes for Semaphores {
    fn tell_filled(&mut self) -> anyhow::Result<()> {
        self.post(self.to)
    }

    fn await_filled(&mut self) -> anyhow::Result<()> {
        self.wait(self.from)
    }

    fn tell_free(&mut self) -> anyhow::Result<()> {
        self.post(self.from + 1)
    }

    fn await_free(&mut self) -> anyhow::Result<()> {
        self.wait(self.to + 1)
    }
}

fn check(answer: libc::c_int) -> io::Result<()> {
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
