//! A `Latest` whose type only the object knows: for the command, for C and Python.

use std::mem::MaybeUninit;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::changes::Cursor;
use super::geometry::Geometry;
use super::handle::Handle;
use super::payload::plan;
use super::writing::UntypedWriter;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::Trust;
use crate::object::{
    Choices, Kind, Name, OpenMode, OpenObject, Planner, ValueType, check_kind, size_and_fingerprint,
};
use crate::shareable::Schema;
use crate::wait::Until;

/// An open [`Latest`](super::Latest) of a type that is known at run time: the object describes it.
///
/// Values are bytes, which [`schema`](Self::schema) reads, prints and changes. All bytes that are
/// returned were checked against the schema.
#[derive(Debug)]
pub struct AnyLatest {
    handle: Arc<Handle>,
    schema: Arc<Schema>,
}

impl AnyLatest {
    /// Opens the object in `directory`, or in the default directory.
    ///
    /// # Errors
    ///
    /// `NotFound`, `InvalidName`, `PermissionDenied`, `WrongKind`, `WrongVersion`, `Corrupt`,
    /// `Busy`.
    pub fn open(directory: Option<&Path>, name: &str, trust: Trust) -> Result<Self> {
        let choices = Choices { directory: directory.map(Into::into), trust, ..Choices::new() };
        let open = || {
            Self::over(OpenObject::open(&Name::new(name)?, &choices, OpenMode::WritableIfAllowed)?)
        };
        open().map_err(|error| error.doing("open").on(name))
    }

    /// Takes over an object, if its schema is that of a `Latest` of some type.
    pub(super) fn over(object: OpenObject) -> Result<Self> {
        let layout = object.layout();
        check_kind(layout.kind, Kind::Latest)?;
        let schema = Schema::parse(&layout.schema)?.value().cloned();
        let typed = schema.and_then(|schema| {
            let geometry = Geometry::of(usize::try_from(schema.size()).ok()?)?;
            let value = ValueType::Schema(&schema);
            let flags = layout.flags;
            let plan = |planner: &mut Planner<'_>| plan(planner.with_flags(flags), value, geometry);
            let found = (layout.payload_size, layout.fingerprint);
            let expected = size_and_fingerprint(Kind::Latest, layout.counts(), &plan);
            (expected == found).then_some((schema, geometry))
        });
        let Some((schema, geometry)) = typed else {
            let why = "its schema is not that of a latest";
            return Err(Error::new(ErrorKind::Corrupt, why));
        };
        let handle = Handle::over(Arc::new(object), geometry)?;
        Ok(Self { handle: handle.into(), schema: schema.into() })
    }

    /// Returns the type of its values, as the object describes it.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Returns the bytes of the newest value, checked.
    ///
    /// # Errors
    ///
    /// `Empty` before the first value is set; `Closed`; `Busy`; `Corrupt`; `Forked`; `OutOfSpace`
    /// if there is no memory for the value.
    pub fn get(&self) -> Result<Vec<u8>> {
        self.handle.check_use()?;
        let mut bytes = self.handle.room_for_value()?;
        let read = self.handle.read_newest(&mut bytes);
        read.map_err(|error| self.handle.read_error(error))?;
        check(&self.handle, &self.schema, initialised(bytes))
    }

    /// Sets the value, with zeros as its padding, as a writer that joins and leaves. Unless writers
    /// are shared, it fails while another writer lives.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the bytes are not a value of the type; `RoleTaken`, `Full`,
    /// `PermissionDenied`, `Closed`, `Busy`, `Corrupt`, `Forked`; `OutOfSpace` if there is no
    /// memory for a copy of a value with padding.
    pub fn set(&self, value: &[u8]) -> Result<u64> {
        self.set_in_turn(UntypedWriter::join(&self.handle, Until::Now)?, None, || Ok(value))
    }

    /// Sets the value to what `change` returns for the newest value, if there is one, with zeros as
    /// its padding.
    ///
    /// It is one step: no other process sets a value in between.
    ///
    /// # Errors
    ///
    /// Those of `change`, and those of [`set`](Self::set).
    pub fn set_with(&self, change: impl FnOnce(Option<Vec<u8>>) -> Result<Vec<u8>>) -> Result<u64> {
        let writer = UntypedWriter::join(&self.handle, Until::Now)?;
        self.set_in_turn(writer, None, || change(self.newest()?))
    }

    /// The same, but waits for a slot and for the right to write: up to `timeout`, or without a
    /// limit if it is `None`.
    ///
    /// # Errors
    ///
    /// `TimedOut`, with the current writer as [`peer`](crate::Error::peer), or `RoleTaken` for a
    /// timeout of 0; and those of [`set_with`](Self::set_with).
    pub fn set_with_timeout(
        &self,
        timeout: Option<Duration>,
        change: impl FnOnce(Option<Vec<u8>>) -> Result<Vec<u8>>,
    ) -> Result<u64> {
        let until = match timeout {
            None => Until::Ever,
            Some(Duration::ZERO) => Until::Now,
            Some(timeout) => Until::after(timeout),
        };
        let writer = UntypedWriter::join(&self.handle, until)?;
        self.set_in_turn(writer, Some(until), || change(self.newest()?))
    }

    /// Returns the newest value, if there is one that is a value of the type.
    fn newest(&self) -> Result<Option<Vec<u8>>> {
        match self.get() {
            Err(error) if matches!(error.kind(), ErrorKind::Empty | ErrorKind::Corrupt) => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// Sets what `value` returns in the writer's turn.
    fn set_in_turn<B: AsRef<[u8]>>(
        &self,
        mut writer: UntypedWriter,
        until: Option<Until>,
        value: impl FnOnce() -> Result<B>,
    ) -> Result<u64> {
        writer.in_turn(until, |writer| {
            let value = value()?;
            let value = self.schema.to_set(value.as_ref());
            let value = value.map_err(|error| error.doing("set").on(self.handle.object.label()))?;
            writer.publish_next(self.handle.geometry, &value)
        })
    }

    /// Returns the values after the one with this sequence number.
    pub fn changes_since(&self, sequence: u64) -> AnyChanges {
        let cursor = Cursor::new(self.handle.clone(), sequence);
        AnyChanges { cursor, schema: self.schema.clone() }
    }

    /// Returns the sequence number of the newest value. 0: none yet.
    pub fn sequence(&self) -> u64 {
        self.handle.sequence()
    }

    /// Returns the sequence number of the value that [`get`](Self::get) returns. 0: none.
    ///
    /// It is that of the newest value, except in a copy of a file that was made while a value was
    /// set: there it is that of the newest whole value.
    pub fn newest_whole(&self) -> u64 {
        self.handle.newest_whole()
    }

    /// Returns the sequence number of the value that is half-written: a writer is writing it, or
    /// died while writing it.
    pub fn half_written(&self) -> Option<u64> {
        self.handle.register().half_written()
    }
}

/// The values of an [`AnyLatest`], one after the other, like [`Changes`](super::Changes).
#[derive(Debug)]
pub struct AnyChanges {
    cursor: Cursor,
    schema: Arc<Schema>,
}

impl AnyChanges {
    /// Waits for the bytes of the next value: up to `timeout`, or without a limit if it is `None`.
    ///
    /// # Errors
    ///
    /// `OutOfSpace`; and those of [`Changes::next_timeout`](super::Changes::next_timeout).
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Vec<u8>> {
        let until = timeout.map_or(Until::Ever, Until::after);
        let Cursor { handle, reading, .. } = &mut self.cursor;
        let mut bytes = handle.room_for_value()?;
        reading.next(handle, handle.geometry, &mut bytes, until)?;
        check(handle, &self.schema, initialised(bytes))
    }

    pub(super) fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Returns the sequence number of the value that was returned last.
    pub fn sequence(&self) -> u64 {
        self.cursor.sequence()
    }

    /// Returns how many values were overwritten before this reader read them.
    pub fn missed(&self) -> u64 {
        self.cursor.missed()
    }
}

/// Returns the bytes, which a read has filled.
fn initialised(bytes: Vec<MaybeUninit<u8>>) -> Vec<u8> {
    // SAFETY: every caller passes bytes that were all written.
    #[allow(unsafe_code, reason = "bytes that were just written")]
    bytes.into_iter().map(|byte| unsafe { byte.assume_init() }).collect()
}

fn check(handle: &Handle, schema: &Schema, value: Vec<u8>) -> Result<Vec<u8>> {
    match schema.check(&value) {
        Ok(()) => Ok(value),
        Err(error) => Err(error.doing("read").on(handle.object.label())),
    }
}
