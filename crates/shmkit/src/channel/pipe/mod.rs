//! A named stream of bytes.
//!
//! ```text
//!  PipeWriter ── write ──> tail ┌──────────┐ head ── read ──> PipeReader
//!  PipeWriter ── in turns ──>   │   ring   │        ──> each byte to one of several
//!                               └──────────┘
//! ```
//!
//! | file | contents |
//! |---|---|
//! | `stream` | the ring and its two positions: why each byte is read once, and none is torn |
//! | `ends` | who is there, has left, or died: when the stream ends, and for whom |
//! | `waits` | waiting for bytes and for room |
//! | `places` | where the words are, and how large the ring can be |
//! | `payload` | its parts, and how `shm` describes them |
//! | `handle` | an open pipe |
//! | `options` | creating and opening |
//! | `writer`, `reader` | the two ends, as programs use them |
//!
//! A writer acquires the *turn*, an owner word, for each write, and keeps it until all bytes are in
//! the stream. A reader acquires nothing.

mod ends;
mod handle;
mod options;
mod payload;
mod places;
mod reader;
mod sources;
mod stream;
mod waits;
mod writer;

use std::sync::Arc;

pub use self::reader::PipeReader;
pub use self::writer::PipeWriter;

use self::handle::Handle;
use crate::error::Result;
use crate::object::Options;

/// A named stream of bytes, as a FIFO is: writers and readers use [`Write`](std::io::Write) and
/// [`Read`](std::io::Read). The bytes do not pass through the kernel.
///
/// There can be several writers: each write is one sequence of bytes in the stream. There can be
/// several readers: each byte goes to one of them. A writer that finds the pipe full waits for
/// readers. A clone is another handle on the same open pipe.
///
/// | event | here | a FIFO |
/// |---|---|---|
/// | a writer comes before the first reader | writes while there is room | waits in `open` |
/// | a reader comes before the first writer | waits in the first read | waits in `open` |
/// | the last writer has left | readers get 0 bytes after the last byte | the same |
/// | a writer was killed | readers get `PeerDied` after its last byte | 0 bytes, as at an end |
/// | the last reader has left or was killed | writers get `BrokenPipe` | the same, or a signal |
/// | writers and readers have all left | unread bytes stay for the next reader | they are lost |
/// | two writers write long texts | each text stays together | they mix beyond 4 KiB |
///
/// # When the stream ends
///
/// All bytes are read, no writer is there, and one was there since readers were last told the end:
/// then a read returns 0. A reader that joins afterwards waits for the next writer. A program that
/// ran before the first reader came is read like any other, also if it wrote nothing.
///
/// A process that ends without dropping its writer counts as killed: by `std::process::exit`, or by
/// a signal. With the lifetime [`WhileUsed`](crate::Lifetime::WhileUsed), unread bytes go with the
/// last process that has the pipe open.
///
/// # If a process dies
///
/// What a killed writer had not completed is not in the stream: a write of up to 4 KiB is there as
/// a whole, or not at all. Readers get `PeerDied` once for each death. A killed reader takes only
/// bytes that it had read. No living process waits for a dead process.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
///
/// use shmkit::Pipe;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let options = Pipe::options().directory(directory.path());
/// # let open_or_create = |name| options.open_or_create(name);
/// # /*
/// let pipe = Pipe::open_or_create("log")?;
/// # */
/// # let pipe = open_or_create("log")?;
/// let mut writer = pipe.writer()?;
/// writer.write_all(b"hello\n")?;
/// drop(writer);
///
/// // in this process or in another
/// # /*
/// let pipe = Pipe::open_or_create("log")?;
/// # */
/// # let pipe = open_or_create("log")?;
/// let mut text = String::new();
/// pipe.reader()?.read_to_string(&mut text)?;
/// assert_eq!(text, "hello\n");
/// # Ok(())
/// # }
/// ```
///
/// In the folder `examples` of the source, `dashboard` reads a pipe beside other objects, and
/// `with_tokio` by tokio's traits.
#[derive(Clone, Debug)]
pub struct Pipe {
    handle: Arc<Handle>,
}

impl Pipe {
    /// Returns options other than the defaults: capacity, directory, access, lifetime.
    pub const fn options() -> Options<Self> {
        Options::new()
    }

    /// Creates the pipe with the default options: see [`Options::create`].
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `InvalidName`, `OutOfSpace`, `PermissionDenied`; `Unsupported` in a
    /// directory on a network.
    pub fn create(name: &str) -> Result<Self> {
        Self::options().create(name)
    }

    /// Opens the pipe with the default options: see [`Options::open`].
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`, `WrongKind`, `WrongVersion`, `Corrupt`,
    /// `Busy`.
    pub fn open(name: &str) -> Result<Self> {
        Self::options().open(name)
    }

    /// Opens the pipe, or creates it, with the default options: see [`Options::open_or_create`].
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and [`open`](Self::open).
    pub fn open_or_create(name: &str) -> Result<Self> {
        Self::options().open_or_create(name)
    }

    /// Returns a new writer. It takes a slot until it is dropped.
    ///
    /// # Errors
    ///
    /// `Full` if all slots are taken; `Closed`, `Forked`; `PermissionDenied` if the process may
    /// only read the object.
    pub fn writer(&self) -> Result<PipeWriter> {
        PipeWriter::join(&self.handle)
    }

    /// Returns a new reader. It takes a slot until it is dropped: until then, the pipe has a
    /// reader.
    ///
    /// # Errors
    ///
    /// Those of [`writer`](Self::writer).
    pub fn reader(&self) -> Result<PipeReader> {
        PipeReader::join(&self.handle)
    }

    /// Returns how many bytes the pipe holds.
    pub fn capacity(&self) -> usize {
        self.handle.capacity()
    }

    /// Returns how many bytes are unread at this moment.
    ///
    /// # Errors
    ///
    /// `Forked` in a forked child; `Corrupt` if another process wrote garbage into the object.
    pub fn unread(&self) -> Result<usize> {
        self.handle.object.check_not_forked()?;
        let unread = self.handle.stream().unread();
        unread.map(|bytes| bytes as usize).map_err(|_| self.handle.garbage("look at"))
    }

    /// Returns whether this handle, or the one that it is a clone of, created the pipe. False: it
    /// opened a pipe that was there.
    pub fn was_created(&self) -> bool {
        self.handle.object.was_created()
    }

    /// Returns the name of the pipe.
    pub fn name(&self) -> &str {
        self.handle.object.label()
    }

    /// Removes the pipe from the default directory: see [`Options::remove`].
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`, `Busy`.
    pub fn remove(name: &str) -> Result<()> {
        Self::options().remove(name)
    }
}
