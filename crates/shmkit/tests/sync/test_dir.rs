//! A directory for each test, and what tests ask of the objects in it.

use std::io::{Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use shmkit::memory::Trust;
use shmkit::{Error, ErrorKind, Object, Options, Primitive, inspect};

/// No wait in a passing test takes this long.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);
/// A timeout that is to expire.
pub(crate) const SHORT: Duration = Duration::from_millis(1);

/// Creates an object in a new directory, and opens it a second time.
pub(crate) fn two_handles<P>(name: &str, initial: P::Initial) -> (TestDir, [Object<P>; 2])
where
    P: Primitive,
{
    let dir = TestDir::new();
    let handles = dir.two_handles(name, initial);
    (dir, handles)
}

/// A directory that is removed with this value.
pub(crate) struct TestDir(tempfile::TempDir);

impl TestDir {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn options<P: Primitive>(&self) -> Options<P> {
        Object::<P>::options().directory(self.path())
    }

    /// Creates an object, and opens it a second time.
    pub(crate) fn two_handles<P>(&self, name: &str, initial: P::Initial) -> [Object<P>; 2]
    where
        P: Primitive,
    {
        let options = self.options::<P>();
        [options.create(name, initial).unwrap(), options.open(name).unwrap()]
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.0.path()
    }

    /// Waits until exactly `count` threads wait in the object.
    #[track_caller]
    pub(crate) fn wait_for_waiters(&self, name: &str, count: u32) {
        let waiters = || {
            let participants =
                inspect::describe(self.path(), name, Trust::Own).unwrap().participants;
            participants.iter().map(|it| it.waiting).sum::<u32>()
        };
        let start = Instant::now();
        while waiters() != count {
            assert!(start.elapsed() < TIMEOUT, "{} threads wait, not {count}", waiters());
            std::thread::yield_now();
        }
    }

    /// Removes an object while a thread waits in it for each of `waits`, all of which must return
    /// `Closed`.
    #[track_caller]
    pub(crate) fn remove_while_waiting<P, W>(&self, name: &str, waits: impl IntoIterator<Item = W>)
    where
        P: Primitive,
        W: FnOnce() -> ErrorKind + Send,
    {
        std::thread::scope(|scope| {
            let waiting: Vec<_> = waits.into_iter().map(|wait| scope.spawn(wait)).collect();
            self.wait_for_waiters(name, waiting.len() as u32);
            self.options::<P>().remove(name).unwrap();
            for waiting in waiting {
                assert_eq!(waiting.join().unwrap(), ErrorKind::Closed);
            }
        });
    }

    /// Overwrites the byte at an offset from the only place where `found_by` is in the object.
    pub(crate) fn overwrite(&self, name: &str, found_by: &[u8], offset: usize, byte: u8) {
        let path = self.path().join(format!("{name}.shmkit"));
        let mut file = std::fs::File::options().read(true).write(true).open(path).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let mut found = bytes.windows(found_by.len()).enumerate().filter(|(_, at)| *at == found_by);
        let at = found.next().expect("the bytes are there").0 + offset;
        assert!(found.next().is_none(), "the bytes are there twice");
        file.seek(SeekFrom::Start(at as u64)).unwrap();
        file.write_all(&[byte]).unwrap();
    }
}

/// The kind of the error that an operation returned.
#[track_caller]
pub(crate) fn kind<T, E: Into<Error>>(answer: Result<T, E>) -> ErrorKind {
    answer.err().expect("an error").into().kind()
}

/// Checks the kind of the error that an operation returned, and that its message contains `words`.
#[track_caller]
pub(crate) fn assert_error<T, E: Into<Error>>(answer: Result<T, E>, kind: ErrorKind, words: &str) {
    let error = answer.err().expect("an error").into();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(words), "{error}\ndoes not contain: {words}");
}

/// How messages name this process.
pub(crate) fn this_process() -> String {
    format!("process {} (", std::process::id())
}
