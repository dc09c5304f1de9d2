//! Slots in shared memory: a ring in each direction. What wakes the other side is exchangeable.
//!
//! ```text
//!  sender                                  receiver
//!  a slot is free ── fills it in place ──> reads it in place
//!        ^── wakes: filled ──────────────────>
//!        └───────────────────── wakes: free ──┘
//! ```
//!
//! This is what programs build on `shm_open`. Messages are made where they lie, without a copy.

#![allow(unsafe_code, reason = "messages in shared memory")]

use std::path::Path;
use std::slice;
use std::sync::atomic::{Ordering, fence};

use shmkit::{FileMapping, Region};

use super::super::mechanism::Cannot;
use super::super::payload::{self, WORD};
use super::super::side::Side;
use super::super::worker::{Part, Worker};

/// The bytes before the slots, for what wakes the other side.
pub(super) const HEAD: usize = 4096;
const NAME: &str = "memory";

/// Returns how many messages of this size a ring holds.
fn slots(size: usize) -> usize {
    ((256 << 10) / size).clamp(2, 64)
}

/// Creates the memory, which is zeroed.
pub(super) fn create(directory: &Path, size: usize) -> Result<Region, Cannot> {
    let bytes = HEAD + 2 * slots(size) * size;
    Ok(FileMapping::create(directory.join(NAME), bytes as u64)?.map()?)
}

/// Opens the memory.
pub(super) fn open(worker: &Worker) -> anyhow::Result<Region> {
    let region = FileMapping::open(worker.path(NAME))?.map()?;
    region.prefault()?;
    Ok(region)
}

/// What wakes the other side, and waits for it. Each call of one side ends one wait of the other.
pub(super) trait Wakes {
    /// Says that a slot is filled.
    fn tell_filled(&mut self) -> anyhow::Result<()>;
    /// Waits for a filled slot.
    fn await_filled(&mut self) -> anyhow::Result<()>;
    /// Says that a slot is free.
    fn tell_free(&mut self) -> anyhow::Result<()>;
    /// Waits for a free slot.
    fn await_free(&mut self) -> anyhow::Result<()>;
}

/// A side of the two rings.
pub(super) struct Rings<W> {
    region: Region,
    wakes: W,
    words: usize,
    /// The byte at which each ring begins.
    to: usize,
    from: usize,
    sent: usize,
    received: usize,
}

impl<W: Wakes> Rings<W> {
    pub(super) fn new(region: Region, worker: &Worker, wakes: W) -> Self {
        let size = worker.size();
        let (there, back) = (HEAD, HEAD + slots(size) * size);
        let (to, from) = match worker.part() {
            Part::First => (there, back),
            Part::Second => (back, there),
        };
        Self { region, wakes, words: size / WORD, to, from, sent: 0, received: 0 }
    }

    /// Returns where the slot of a message begins.
    fn slot(&self, ring: usize, message: usize) -> *mut u64 {
        let size = self.words * WORD;
        let at = ring + message % slots(size) * size;
        debug_assert!(at + size <= self.region.len());
        // SAFETY: the slot lies in the region.
        unsafe { self.region.as_ptr().add(at) }.cast()
    }
}

impl<W: Wakes> Side for Rings<W> {
    fn send(&mut self, number: u64) -> anyhow::Result<()> {
        if self.sent >= slots(self.words * WORD) {
            self.wakes.await_free()?;
        }
        // ORDERING: Acquire; pairs with the Release in `receive` of the other side.
        fence(Ordering::Acquire);
        let slot = self.slot(self.to, self.sent);
        // SAFETY: the slot is in the region and aligned, and free: the other side does not read it.
        payload::fill(unsafe { slice::from_raw_parts_mut(slot, self.words) }, number);
        // ORDERING: Release; pairs with the Acquire in `receive` of the other side.
        fence(Ordering::Release);
        self.sent += 1;
        self.wakes.tell_filled()
    }

    fn receive(&mut self) -> anyhow::Result<Option<u64>> {
        self.wakes.await_filled()?;
        // ORDERING: Acquire; pairs with the Release in `send` of the other side.
        fence(Ordering::Acquire);
        let slot = self.slot(self.from, self.received);
        // SAFETY: the slot is in the region and aligned, and filled: the other side does not write
        // to it.
        let number = payload::number(unsafe { slice::from_raw_parts(slot, self.words) });
        // ORDERING: Release; pairs with the Acquire in `send` of the other side.
        fence(Ordering::Release);
        self.received += 1;
        self.wakes.tell_free()?;
        Ok(number)
    }
}
