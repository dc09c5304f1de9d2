//! A directory of its own for each test, in memory, and how it looks from outside.

use std::path::Path;

use shmkit::inspect::{self, Description};
use shmkit::memory::Trust;
use shmkit::{ErrorKind, Latest, LatestOptions, Result, Shareable};

use crate::system::memory_directory;

/// A directory that goes with this value.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(
            tempfile::Builder::new().prefix("shmkit-test-").tempdir_in(memory_directory()).unwrap(),
        )
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn of<T: Shareable>(&self) -> LatestOptions<T> {
        Latest::options().directory(self.path())
    }

    pub(crate) fn describe(&self, name: &str) -> Description {
        inspect::describe(self.path(), name, Trust::Own).unwrap()
    }

    /// The names of the files, in order.
    pub(crate) fn files(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.path()).unwrap();
        let mut files: Vec<_> =
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        files
    }

    /// Has the doctor do all that it can, and checks that nothing is left to do. Returns what it
    /// found.
    pub(crate) fn repair(&self) -> Vec<String> {
        let found = inspect::examine(self.path(), Trust::Own).unwrap();
        let texts = found.iter().map(ToString::to_string).collect();
        for finding in &found {
            assert!(finding.can_be_fixed(), "{finding}");
            finding.fix().unwrap_or_else(|error| panic!("{finding}: {error}"));
        }
        let left = inspect::examine(self.path(), Trust::Own).unwrap();
        assert!(left.is_empty(), "left after the repair: {}", left[0]);
        texts
    }
}

/// The kind of the error that an operation ended with.
#[track_caller]
pub(crate) fn kind<T>(answer: Result<T>) -> ErrorKind {
    answer.err().expect("an error").kind()
}

/// Says aloud that something cannot be tried here; under CI that is a failure.
pub(crate) fn cannot_be_tried(what: &str) {
    // Past the test harness, which shows nothing of a test that passes.
    let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("SKIPPED: {what}\n"));
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "must be tried under CI: {what}");
}
