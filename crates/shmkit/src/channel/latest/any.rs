//! A `Latest` whose type only the object knows: for the command, for C and Python.

use std::mem::MaybeUninit;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::changes::Cursor;
use super::handle::{Asked, Handle};
use super::writing::WriterMembership;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::Trust;
use crate::object::{Name, OpenMode, Options};
use crate::shareable::Schema;
use crate::sync::until::Until;

/// An open [`Latest`](super::Latest) of a type that is known at run time: the object describes it.
///
/// Values are bytes, which [`schema`](Self::schema) reads, prints and changes. What comes out was
/// checked against the schema.
#[derive(Debug)]
pub struct AnyLatest {
    handle: Arc<Handle>,
    schema: Arc<Schema>,
}

impl AnyLatest {
    /// Opens the object in `directory`, or in the default one.
    ///
    /// # Errors
    ///
    /// As [`LatestOptions::open`](super::LatestOptions::open), but for `WrongType`.
    pub fn open(directory: Option<&Path>, name: &str, trust: Trust) -> Result<Self> {
        let finish = |error: Error| error.doing("open").on(name);
        let directory = directory.map(Into::into);
        let options = Options { directory, trust, ..Options::new() };
        let asked = Asked { options: &options, shared_writers: None };
        let handle = Handle::open(&Name::new(name)?, &asked, OpenMode::Allowed).map_err(finish)?;
        let schema = handle.schema().map_err(finish)?.into();
        Ok(Self { handle: handle.into(), schema })
    }

    /// The description of its values, which the object carries.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The newest value's bytes, checked.
    ///
    /// # Errors
    ///
    /// As [`Latest::get`](super::Latest::get).
    pub fn get(&self) -> Result<Vec<u8>> {
        self.handle.object.check_not_forked()?;
        let mut bytes = room_for(&self.handle)?;
        let read = self.handle.register().read_newest(&mut bytes);
        read.map_err(|miss| self.handle.missed(miss))?;
        check(&self.handle, &self.schema, initialised(bytes))
    }

    /// Sets the value, as a writer that joins and leaves: refused while a sole writer lives.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the bytes are no value; as [`Latest::writer`](super::Latest::writer)
    /// and [`LatestWriter::set`](super::LatestWriter::set).
    pub fn set(&self, value: &[u8]) -> Result<u64> {
        self.set_with(|_| Ok(value.to_vec()))
    }

    /// Sets the value to what `change` makes of the newest one, which it is given if there is one.
    /// Nobody else writes in between, unless writers are shared.
    ///
    /// # Errors
    ///
    /// Those of `change`, and as [`set`](Self::set).
    pub fn set_with(&self, change: impl FnOnce(Option<Vec<u8>>) -> Result<Vec<u8>>) -> Result<u64> {
        let mut writer = WriterMembership::take(&self.handle)?;
        let old = match self.get() {
            Err(error) if matches!(error.kind(), ErrorKind::Empty | ErrorKind::Corrupt) => None,
            answer => Some(answer?),
        };
        let value = change(old)?;
        self.schema.check(&value).map_err(|error| {
            error.of_kind(ErrorKind::InvalidArgument).doing("set").on(self.handle.object.name())
        })?;
        writer.set(self.handle.geometry(), &value)
    }

    /// The values after the one with this sequence number.
    pub fn changes_since(&self, sequence: u64) -> AnyChanges {
        let cursor = Cursor::new(self.handle.clone(), sequence);
        AnyChanges { cursor, schema: self.schema.clone() }
    }

    /// The newest value's sequence number. 0: none yet.
    pub fn sequence(&self) -> u64 {
        self.handle.register().newest().sequence
    }

    /// The sequence number of a value that is half-written at this moment, or was when its writer
    /// died.
    pub fn half_written(&self) -> Option<u64> {
        self.handle.register().half_written()
    }
}

/// The values of an [`AnyLatest`], one after the other, as [`Changes`](super::Changes).
#[derive(Debug)]
pub struct AnyChanges {
    cursor: Cursor,
    schema: Arc<Schema>,
}

impl AnyChanges {
    /// Waits for the next value's bytes, for `timeout` at the most; without one, for ever.
    ///
    /// # Errors
    ///
    /// As [`Changes::next_timeout`](super::Changes::next_timeout).
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Vec<u8>> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let until = deadline.map_or(Until::Ever, Until::Deadline);
        let Cursor { handle, reading } = &mut self.cursor;
        let geometry = handle.geometry();
        let mut bytes = room_for(handle)?;
        reading.next(handle, geometry, &mut bytes, until)?;
        check(handle, &self.schema, initialised(bytes))
    }

    /// The sequence number of the value that was handed out last.
    pub fn sequence(&self) -> u64 {
        self.cursor.sequence()
    }

    /// How many values were overwritten before this reader came to them.
    pub fn missed(&self) -> u64 {
        self.cursor.missed()
    }
}

/// Room for a value, whose size another process chose.
fn room_for(handle: &Handle) -> Result<Vec<MaybeUninit<u8>>> {
    let (size, mut room) = (handle.value_bytes(), Vec::new());
    if room.try_reserve_exact(size).is_err() {
        let error = Error::new(ErrorKind::OutOfSpace, format!("no memory for {size} bytes"));
        return Err(error.doing("read").on(handle.object.name()));
    }
    room.resize(size, MaybeUninit::uninit());
    Ok(room)
}

/// The bytes that a read has filled.
fn initialised(bytes: Vec<MaybeUninit<u8>>) -> Vec<u8> {
    // SAFETY: the callers have had every byte written.
    #[allow(unsafe_code, reason = "bytes that were just written")]
    bytes.into_iter().map(|byte| unsafe { byte.assume_init() }).collect()
}

fn check(handle: &Handle, schema: &Schema, value: Vec<u8>) -> Result<Vec<u8>> {
    match schema.check(&value) {
        Ok(()) => Ok(value),
        Err(error) => Err(error.doing("read").on(handle.object.name())),
    }
}
