//! The bytes of an open object, found by its layout, whatever memory they are in.

use super::header::{Header, RETIRED};
use super::layout::ObjectLayout;
use super::planner::{SLEEP, WAIT};
use crate::memory::View;
use crate::memory::atomic::{AtomicU64, Ordering};
use crate::participant::{Participant, Participants, SlotLocks};
use crate::shareable::Schema;
use crate::shareable::schema::{Shape, VALUE};
use crate::wait::WaitWord;

/// The bytes of an object, from its header on.
#[derive(Clone, Copy)]
pub(super) struct ObjectBytes<'a> {
    /// INVARIANT: it has the bytes of `layout`.
    view: View<'a>,
    layout: &'a ObjectLayout,
}

impl<'a> ObjectBytes<'a> {
    pub(super) fn new(view: View<'a>, layout: &'a ObjectLayout) -> Self {
        Self { view, layout }
    }

    pub(super) fn participants(self, locks: &'a dyn SlotLocks) -> Participants<'a> {
        let words = self.layout.participants_count as usize * size_of::<Participant>() / 8;
        let offset = self.layout.participants_offset as usize;
        let words = self.view.words(offset, words).expect("a part of a checked layout");
        Participants::new(words, locks)
    }

    pub(super) fn payload(self) -> View<'a> {
        let (offset, size) = (self.layout.payload_offset, self.layout.payload_size);
        self.view.sub(offset as usize, size as usize).expect("a part of a checked layout")
    }

    /// Whether the object was retired.
    pub(super) fn is_retired(self) -> bool {
        // ORDERING: Acquire; pairs with the Release in `retire`.
        self.state().load(Ordering::Acquire) == RETIRED
    }

    /// Marks the object retired, closes every word of its payload that can be waited on, and wakes
    /// the waiters.
    pub(super) fn retire(self) {
        // ORDERING: Release; pairs with the Acquire in `is_retired`.
        self.state().store(RETIRED, Ordering::Release);
        crash_point!("retire: marked");
        // With a damaged description no word is found: waiters look again when their slice ends.
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

    fn state(self) -> &'a AtomicU64 {
        self.view.word(Header::STATE_OFFSET as usize).expect("a part of a checked layout")
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
