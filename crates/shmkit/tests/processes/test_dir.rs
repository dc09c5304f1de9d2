//! A directory for each test, in memory, and the objects in it.

use std::path::Path;
use std::time::Instant;

use shmkit::inspect::{self, Description};
use shmkit::memory::Trust;
use shmkit::{ErrorKind, Latest, Object, Options, Primitive, Result, Shareable};

pub(crate) use crate::skipping::skip;
use crate::system::memory_directory;
use crate::times::TIMEOUT;

/// How a `Latest` is created and opened.
pub(crate) type LatestOptions<T> = Options<Latest<T>>;

/// Opens an object of primitives in a child, whose default directory is that of its test.
pub(crate) fn open<P: Primitive>(name: &str) -> Object<P> {
    Object::open(name).unwrap()
}

/// How an object of primitives is created and opened.
pub(crate) fn primitive_in<P: Primitive>(directory: &Path) -> Options<P> {
    Object::options().directory(directory)
}

/// A directory that is removed with this value.
pub(crate) struct TestDir(tempfile::TempDir);

impl TestDir {
    pub(crate) fn new() -> Self {
        Self(
            tempfile::Builder::new().prefix("shmkit-test-").tempdir_in(memory_directory()).unwrap(),
        )
    }

    /// A directory on a disk, if the sources are on one.
    pub(crate) fn on_disk() -> Self {
        let parent = std::path::absolute(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self(tempfile::Builder::new().prefix("shmkit-test-").tempdir_in(parent).unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn latest<T: Shareable>(&self) -> Options<Latest<T>> {
        Latest::options().directory(self.path())
    }

    pub(crate) fn primitive<P: Primitive>(&self) -> Options<P> {
        primitive_in(self.path())
    }

    /// Opens an object of primitives `N` times, at first by creating it.
    pub(crate) fn handles<P, const N: usize>(
        &self,
        name: &str,
        initial: P::Initial,
    ) -> [Object<P>; N]
    where
        P: Primitive<Initial: Copy>,
    {
        [(); N].map(|()| self.primitive::<P>().open_or_create(name, initial).unwrap())
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

    /// Repairs all that `inspect` finds, and checks that it then finds nothing but inconsistent
    /// locks. Returns the findings.
    pub(crate) fn repair(&self) -> Vec<String> {
        let examine = || {
            let found = inspect::examine(self.path(), Trust::Own).unwrap().into_iter();
            found.filter(|it| !matches!(it.remedy(), inspect::Remedy::MarkConsistent(_)))
        };
        let found: Vec<_> = examine().collect();
        let texts = found.iter().map(ToString::to_string).collect();
        for finding in &found {
            assert!(finding.can_be_fixed(), "{finding}");
            finding.fix().unwrap_or_else(|error| panic!("{finding}: {error}"));
        }
        let left: Vec<_> = examine().collect();
        assert!(left.is_empty(), "found after the repair: {}", left[0]);
        texts
    }

    /// Checks that no participant is taken for dead, and that nothing needs repair.
    #[track_caller]
    pub(crate) fn assert_all_alive(&self, name: &str) {
        assert_eq!(self.repair(), [""; 0], "a living participant was taken for dead");
        assert!(self.describe(name).participants.iter().all(|participant| participant.is_alive));
    }

    /// Waits until exactly `count` threads of living participants wait in the object.
    #[track_caller]
    pub(crate) fn wait_for_waiters(&self, name: &str, count: u32) {
        let waiters = || {
            let participants = self.describe(name).participants;
            participants.iter().filter(|it| it.is_alive).map(|it| it.waiting).sum::<u32>()
        };
        let start = Instant::now();
        while waiters() != count {
            assert!(start.elapsed() < TIMEOUT, "{} threads wait, not {count}", waiters());
            std::thread::yield_now();
        }
    }
}

/// The kind of the error that an operation returned.
#[track_caller]
pub(crate) fn kind<T>(answer: Result<T>) -> ErrorKind {
    answer.err().expect("an error").kind()
}
