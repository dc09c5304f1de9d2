//! Where primitives are in an object's payload, and how the object describes them.
//!
//! ```text
//! payload  | line | line | ...            | data     | data | ...
//!            128 bytes each, whose first    of each that needs more, at multiples of 128
//!            word can be waited on
//! ```
//!
//! Places follow from the types alone and from how many participants there can be; so two programs
//! that agree on these agree on all, and the object's description, which is compared, says the same
//! in words.

use std::sync::Arc;

use super::membership::{LINE_WORDS, Line, Membership, Words};
use crate::error::Result;
use crate::object::{Kind, NewObject, WAIT_WORD_STRIDE};
use crate::shareable::{Layout, Schema};

/// Something that processes share to be in step: a lock, a condition, a semaphore and so on; or a
/// tuple or an array of such, as one object.
#[allow(private_interfaces, private_bounds, reason = "nobody else makes primitives")]
pub trait Primitive: sealed::Parts {}

impl<P: sealed::Parts> Primitive for P {}

pub(crate) mod sealed {
    use super::*;

    /// What a named object needs to know of what it holds.
    #[allow(private_interfaces, reason = "nobody else makes primitives")]
    pub trait Parts: Sized {
        /// What it begins with.
        type Initial;
        /// What kind of object holds nothing else.
        const KIND: Kind;

        /// Takes its place, describes it, and writes what it begins with.
        #[doc(hidden)]
        fn plan(planner: &mut Planner, initial: Option<&Self::Initial>);

        /// Takes its place in an open object.
        #[doc(hidden)]
        fn build(builder: &mut Builder) -> Result<Self>;

        /// Refuses an initial state that cannot be.
        #[doc(hidden)]
        fn check_initial(_: &Self::Initial) -> Result<()> {
            Ok(())
        }

        /// Refuses an initial state that cannot have been the object's.
        #[doc(hidden)]
        fn check(&self, _: &Self::Initial) -> Result<()> {
            Ok(())
        }
    }
}

/// Bytes of a line.
const LINE: u64 = WAIT_WORD_STRIDE;
const _: () = assert!(LINE_WORDS as u64 * 8 == LINE);

/// Gives primitives their places, one after the other.
#[derive(Clone, Copy, Debug)]
struct Places {
    participants: u32,
    lines: u64,
    /// Bytes of data so far.
    data: u64,
    /// Where the data begin.
    base: u64,
}

impl Places {
    fn line(&mut self) -> u64 {
        self.lines += 1;
        (self.lines - 1) * LINE
    }

    fn data(&mut self, bytes: u64) -> u64 {
        let place = self.base + self.data;
        self.data += bytes.next_multiple_of(LINE);
        place
    }
}

/// Plans an object: what is where in its payload, and what it begins with.
#[derive(Debug)]
pub(crate) struct Planner {
    places: Places,
    /// Set while a group is planned: each of its members has a number.
    prefix: String,
    fields: Vec<(String, u64, Schema)>,
    payload: Vec<u8>,
}

impl Planner {
    /// The plan for an object of `P` with room for so many participants.
    pub(crate) fn plan<P: sealed::Parts>(participants: u32, initial: Option<&P::Initial>) -> Self {
        let places = Places { participants, lines: 0, data: 0, base: 0 };
        let new = |places| Self {
            places,
            prefix: String::new(),
            fields: Vec::new(),
            payload: Vec::new(),
        };
        let mut count = new(places);
        P::plan(&mut count, None);
        let base = count.places.lines * LINE;
        let mut planner = new(Places { base, ..places });
        P::plan(&mut planner, initial);
        planner
    }

    /// A line for a primitive, described under this name.
    pub(crate) fn line(&mut self, name: &str) -> u64 {
        let place = self.places.line();
        self.field(name, place, Schema::of::<u64>());
        place
    }

    /// So many words for each participant, described under this name.
    pub(crate) fn words_for_each(&mut self, name: &str, words: usize) {
        self.words(name, words * self.places.participants as usize);
    }

    /// So many words, described under this name.
    pub(crate) fn words(&mut self, name: &str, words: usize) {
        let place = self.data(words as u64 * 8);
        self.field(name, place, Schema::words(words as u64));
    }

    pub(crate) fn data(&mut self, bytes: u64) -> u64 {
        self.places.data(bytes)
    }

    /// Says what is at `place`.
    pub(crate) fn field(&mut self, name: &str, place: u64, schema: Schema) {
        self.fields.push((format!("{}{name}", self.prefix), place, schema));
    }

    /// Has the payload begin with `bytes` at `place`.
    pub(crate) fn write(&mut self, place: u64, bytes: &[u8]) {
        let (start, end) = (place as usize, place as usize + bytes.len());
        if self.payload.len() < end {
            self.payload.resize(end, 0);
        }
        self.payload[start..end].copy_from_slice(bytes);
    }

    /// Plans the member `number` of a group.
    pub(crate) fn member<P: sealed::Parts>(&mut self, number: usize, initial: Option<&P::Initial>) {
        let length = self.prefix.len();
        self.prefix.push_str(&format!("{number}_"));
        P::plan(self, initial);
        self.prefix.truncate(length);
    }

    pub(crate) fn payload_size(&self) -> u64 {
        self.places.base + self.places.data
    }

    pub(crate) fn wait_words(&self) -> u32 {
        self.places.lines as u32
    }

    /// The description of the whole.
    pub(crate) fn schema(&self, kind: Kind) -> Schema {
        let mut fields = self.fields.clone();
        fields.sort_by_key(|(_, place, _)| *place);
        Schema::of_parts(kind.as_str(), self.payload_size(), LINE, fields)
    }

    /// What is made of it.
    pub(crate) fn contents(self, kind: Kind) -> NewObject {
        let schema = self.schema(kind);
        NewObject {
            kind,
            flags: 0,
            fingerprint: schema.fingerprint(),
            schema: schema.to_string(),
            payload_size: self.payload_size(),
            wait_words: self.wait_words(),
            payload: self.payload,
            participants: self.places.participants,
            parameters: [0; 4],
        }
    }
}

/// Gives primitives their places in an open object.
#[derive(Debug)]
pub(crate) struct Builder {
    membership: Arc<Membership>,
    places: Places,
}

impl Builder {
    /// In the object of `membership`, which has so many lines.
    pub(crate) fn new(membership: Arc<Membership>, wait_words: u32) -> Self {
        let base = u64::from(wait_words) * LINE;
        let places = Places { participants: membership.participants(), lines: 0, data: 0, base };
        Self { membership, places }
    }

    pub(crate) fn line(&mut self) -> Result<Line> {
        Words::new(&self.membership, self.places.line(), LINE_WORDS)
    }

    /// So many words for each participant.
    pub(crate) fn words_for_each(&mut self, words: usize) -> Result<Words<0>> {
        self.words(words * self.places.participants as usize)
    }

    pub(crate) fn words(&mut self, words: usize) -> Result<Words<0>> {
        Words::new(&self.membership, self.places.data(words as u64 * 8), words)
    }
}

/// Where the value is that a lock guards: behind its words, where there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// In the line, from here on.
    Line(u64),
    /// Among the data.
    Data,
}

impl Room {
    /// For a value of this layout, behind so many bytes.
    pub(crate) const fn of(layout: &Layout, behind: u64) -> Self {
        assert!(
            layout.align() as u64 <= LINE,
            "a shared value is aligned to 128 bytes at the most"
        );
        let start = behind.next_multiple_of(layout.align() as u64);
        if start + layout.size() as u64 <= LINE { Self::Line(start) } else { Self::Data }
    }
}
