//! The arena: a directory, and a mapping in it, that the controller and the workers share.
//!
//! | word | use |
//! |---|---|
//! | `LINE_THERE`, `LINE_BACK` | one cache line in each direction |
//! | `BYTES_THERE`, `BYTES_BACK` | bytes of the largest size in each direction |
//! | `STATIONS` | for each set of workers the mailboxes and the shared words |
//!
//! The directory also holds the files of shmkit's objects.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use rustix::thread::{CpuSet, sched_setaffinity};
use shmkit::{FileMapping, Region};
use tempfile::TempDir;

use super::mailbox::{MAILBOX_WORDS, SHARED_WORDS};
use super::sizes::MAX_WORDS;

pub(crate) const LINE_THERE: usize = 0;
pub(crate) const LINE_BACK: usize = 16;
/// Begins a page, so that plain copies are as well aligned as those of an object.
pub(crate) const BYTES_THERE: usize = 512;
pub(crate) const BYTES_BACK: usize = BYTES_THERE + MAX_WORDS + 16;
const STATIONS: usize = BYTES_BACK + MAX_WORDS + 16;
const WORDS: usize = STATIONS + MAX_STATIONS * STATION_WORDS;

/// How many sets of workers can exist at the same time.
const MAX_STATIONS: usize = 5;
/// How many workers a set can have.
pub(crate) const MAX_WORKERS: usize = 101;
const STATION_WORDS: usize = MAX_WORKERS * MAILBOX_WORDS + SHARED_WORDS;

/// The name of the mapped file in the directory.
const FILE: &str = "arena";

/// A directory under `/dev/shm` with a mapped file.
pub(crate) struct Arena {
    directory: PathBuf,
    region: Region,
    /// Removes the directory in the process that created it.
    _created: Option<TempDir>,
}

impl Arena {
    pub(crate) fn create() -> Self {
        let created = tempfile::Builder::new().prefix("shmkit-bench-").tempdir_in("/dev/shm");
        let created = created.expect("cannot create a directory in /dev/shm");
        let file = FileMapping::create(created.path().join(FILE), (WORDS * 8) as u64);
        let file = file.expect("cannot create the arena's file");
        Self::map(created.path().to_owned(), &file, Some(created))
    }

    pub(crate) fn open(directory: &Path) -> Self {
        let file = FileMapping::open(directory.join(FILE)).expect("cannot open the arena's file");
        Self::map(directory.to_owned(), &file, None)
    }

    fn map(directory: PathBuf, file: &FileMapping, created: Option<TempDir>) -> Self {
        let region = file.map().expect("cannot map the arena");
        region.prefault().expect("cannot touch the arena's pages");
        Self { directory, region, _created: created }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn word(&self, at: usize) -> &AtomicU64 {
        &self.words(at, 1)[0]
    }

    pub(crate) fn words(&self, at: usize, count: usize) -> &[AtomicU64] {
        self.region.words(at * 8, count).expect("the words lie within the arena")
    }
}

/// Returns the first word of a worker's mailbox.
pub(crate) fn mailbox(station: usize, number: usize) -> usize {
    assert!(station < MAX_STATIONS && number < MAX_WORKERS, "the arena has no such mailbox");
    STATIONS + station * STATION_WORDS + number * MAILBOX_WORDS
}

/// Returns the first word of what the workers of a station share.
pub(crate) fn shared(station: usize) -> usize {
    mailbox(station, 0) + MAX_WORKERS * MAILBOX_WORDS
}

/// The processors that workers run on.
pub(crate) const CPUS: [usize; 2] = [0, 1];

/// Restricts this thread to some processors.
pub(crate) fn pin(cpus: &[usize]) {
    let mut set = CpuSet::new();
    cpus.iter().for_each(|cpu| set.set(*cpu));
    let pinned = sched_setaffinity(None, &set);
    pinned.unwrap_or_else(|error| panic!("cannot run on the processors {cpus:?}: {error}"));
}
