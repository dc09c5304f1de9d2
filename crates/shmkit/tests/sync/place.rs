//! A directory of its own for each test, and what is asked of the objects in it.

use std::io::{Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use shmkit::memory::Trust;
use shmkit::sync::Primitive;
use shmkit::sync::named::{Named, NamedOptions};
use shmkit::{Error, ErrorKind, inspect};

/// Long enough for whatever is certain to come.
pub(crate) const SOON: Duration = Duration::from_secs(60);
/// Over at once.
pub(crate) const MOMENT: Duration = Duration::from_millis(1);

/// A directory that goes with this value.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn of<P: Primitive>(&self) -> NamedOptions<P> {
        Named::<P>::options().directory(self.path())
    }

    /// A new object, and another handle on it.
    pub(crate) fn two<P: Primitive>(&self, name: &str, initial: P::Initial) -> [Named<P>; 2] {
        [self.of().create(name, initial).unwrap(), self.of().open(name).unwrap()]
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.0.path()
    }

    /// Waits until so many threads wait for something in the object.
    pub(crate) fn until_threads_wait(&self, name: &str, threads: u32) {
        let waiting = || {
            let participants =
                inspect::describe(self.path(), name, Trust::Own).unwrap().participants;
            participants.iter().map(|member| member.waiting).sum::<u32>()
        };
        let begun = Instant::now();
        while waiting() != threads {
            assert!(begun.elapsed() < SOON, "{} wait, and not {threads}", waiting());
            std::thread::yield_now();
        }
    }

    /// Overwrites a byte of the object, so far behind the one place where these bytes are.
    pub(crate) fn spoil(&self, name: &str, found_by: &[u8], behind: usize, byte: u8) {
        let path = self.path().join(format!("{name}.shmkit"));
        let mut file = std::fs::File::options().read(true).write(true).open(path).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let mut places =
            bytes.windows(found_by.len()).enumerate().filter(|(_, at)| *at == found_by);
        let at = places.next().expect("the bytes are there").0 + behind;
        assert!(places.next().is_none(), "and nowhere else");
        file.seek(SeekFrom::Start(at as u64)).unwrap();
        file.write_all(&[byte]).unwrap();
    }
}

/// The kind of the error that an operation ended with, whatever error it gives.
#[track_caller]
pub(crate) fn kind<T, E: Into<Error>>(answer: Result<T, E>) -> ErrorKind {
    answer.err().expect("an error").into().kind()
}

/// Asserts that it ended with this kind of error, and that the message has these words.
#[track_caller]
pub(crate) fn refused<T, E: Into<Error>>(answer: Result<T, E>, kind: ErrorKind, words: &str) {
    let error = answer.err().expect("an error").into();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(words), "{error}\nwas to contain: {words}");
}

/// How messages name this process.
pub(crate) fn this_process() -> String {
    format!("process {} (", std::process::id())
}
