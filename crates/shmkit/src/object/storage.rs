//! The bytes of an open object, in a file or in a region of memory, and its locks.

use std::borrow::Cow;
use std::sync::Arc;

use super::header::{Header, RETIRED};
use super::layout::ObjectLayout;
use super::planner::{SLEEP, WAIT};
use super::presence::ObjectLocks;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::memory::{Region, View};
use crate::participant::{Participant, Participants};
use crate::shareable::Schema;
use crate::shareable::schema::{Shape, VALUE};
use crate::sys::mapping::{ObjectMapping, PartMapping};
use crate::sys::notices::{Notices, Processes};
use crate::sys::wait::WakeScope;
use crate::wait::WaitWord;

/// The bytes of an object, and the locks that prove that its participants live.
pub(crate) struct Storage {
    pub(super) label: Arc<str>,
    pub(super) layout: ObjectLayout,
    /// INVARIANT: it has the bytes of `layout`, from the header on.
    // Dropped before the files, see `Removable`.
    pub(super) memory: Memory,
    pub(super) notices: Notices,
    pub(crate) locks: ObjectLocks,
    /// The user who owns the object, if this process may only read it because that is the owner's
    /// choice.
    pub(super) only_writer: Option<u32>,
}

/// What keeps the bytes mapped.
pub(super) enum Memory {
    File(ObjectMapping),
    // Fields drop in this order: the scope ends before the bytes are unmapped.
    Region { _wake_scope: WakeScope, region: Region },
}

impl Storage {
    pub(super) fn view(&self) -> View<'_> {
        match &self.memory {
            Memory::File(mapping) => View::of_mapping(mapping),
            Memory::Region { region, .. } => region.view(),
        }
    }

    pub(crate) fn layout(&self) -> &ObjectLayout {
        &self.layout
    }

    /// How messages name the object: its name, or where it is in a memory.
    pub(crate) fn label(&self) -> &Arc<str> {
        &self.label
    }

    /// Whether this process may write to the memory of the object.
    pub(crate) fn is_writable(&self) -> bool {
        self.view().is_writable()
    }

    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.is_writable() {
            return Ok(());
        }
        let why = match self.only_writer {
            Some(owner) => {
                format!("its owner, user {owner}, allows other users only to read").into()
            }
            None => Cow::Borrowed("the object is open for reading only"),
        };
        Err(Error::new(ErrorKind::PermissionDenied, why))
    }

    pub(crate) fn participants(&self) -> Participants<'_> {
        let words = self.layout.participants_count as usize * size_of::<Participant>() / 8;
        let offset = self.layout.participants_offset as usize;
        let words = self.view().words(offset, words).expect("a part of a checked layout");
        Participants::new(words, &self.locks)
    }

    pub(crate) fn payload(&self) -> View<'_> {
        let (offset, size) = (self.layout.payload_offset, self.layout.payload_size);
        self.view().sub(offset as usize, size as usize).expect("a part of a checked layout")
    }

    /// Maps the payload once more, for a writer that fills a part of it in place.
    pub(crate) fn map_payload(&self) -> Result<PartMapping> {
        let Memory::File(_) = &self.memory else {
            let why = "an object in a region of memory is mapped by its region only";
            return Err(Error::new(ErrorKind::Unsupported, why));
        };
        self.locks.check_open()?;
        let (offset, size) = (self.layout.payload_offset, self.layout.payload_size);
        PartMapping::map(&self.locks.file, offset, size as usize)
    }

    /// Whether the object was retired.
    pub(crate) fn is_retired(&self) -> bool {
        // ORDERING: Acquire; pairs with the Release in `retire`.
        self.state().load(Ordering::Acquire) == RETIRED
    }

    /// Marks the object retired, closes every word of its payload that can be waited on, and wakes
    /// the waiters.
    pub(crate) fn retire(&self) {
        // ORDERING: Release; pairs with the Acquire in `is_retired`.
        self.state().store(RETIRED, Ordering::Release);
        crash_point!("retire: marked");
        // With a damaged schema no word is found: waiters look again when their slice ends.
        let schema = Schema::parse(&self.layout.schema).ok();
        if let Some(schema) = schema.filter(|schema| schema.size() <= self.layout.payload_size) {
            for_each_wait_word(&schema, &mut |place, closes| {
                let Ok(word) = self.payload().word(place as usize) else { return };
                match closes {
                    true => WaitWord::new(word).close(),
                    false => WaitWord::new(word).wake_if_asleep(),
                }
            });
        }
        crash_point!("retire: waiters told");
    }

    fn state(&self) -> &AtomicU64 {
        self.view().word(Header::STATE_OFFSET as usize).expect("a part of a checked layout")
    }
}

impl Processes for Storage {
    fn changes(&self) -> u64 {
        self.participants().changes()
    }

    fn ids(&self) -> Vec<u32> {
        self.participants().process_ids()
    }
}

/// Calls `each` with the place in the payload of every word that can be slept on, and whether
/// it is one to close.
pub(super) fn for_each_wait_word(schema: &Schema, each: &mut impl FnMut(u64, bool)) {
    visit(schema, "", 0, each);
}

fn visit(schema: &Schema, role: &str, offset: u64, each: &mut impl FnMut(u64, bool)) {
    match schema.shape() {
        Shape::Struct { fields } => {
            for field in fields.iter().filter(|field| field.role != VALUE) {
                visit(&field.schema, &field.role, offset + field.offset, each);
            }
        }
        // Without a look at each item of what has no such words.
        Shape::Array { item, len } if has_wait_words(item, role) => {
            for index in 0..*len {
                visit(item, role, offset + index * item.size(), each);
            }
        }
        Shape::Scalar(_) if role == WAIT => each(offset, true),
        Shape::Scalar(_) if role == SLEEP => each(offset, false),
        _ => {}
    }
}

fn has_wait_words(schema: &Schema, role: &str) -> bool {
    match schema.shape() {
        Shape::Struct { fields } => {
            let mut fields = fields.iter().filter(|field| field.role != VALUE);
            fields.any(|field| has_wait_words(&field.schema, &field.role))
        }
        Shape::Array { item, .. } => has_wait_words(item, role),
        Shape::Scalar(_) => role == WAIT || role == SLEEP,
        _ => false,
    }
}
