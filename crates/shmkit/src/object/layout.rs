//! The parts of an object: placed when it is created, checked before they are used.
//!
//! ```text
//! 0        256                            64-aligned     128-aligned           whole pages
//! | header | name | text of the schema |  | participants |  | payload | reserve |
//! ```
//!
//! An object in a region of memory has no name, and does not end in a whole page. The reserve is
//! there if the object can grow: its payload then ends at the `committed` word of the header, and
//! has at most `payload_max` bytes.

use std::mem::size_of;

use super::header::{
    FEATURE_GROWTH, FLAG_GATED, FLAG_READ_ONLY_PEERS, FORMAT_VERSION, Header, KNOWN_FEATURES,
    Lifetime, MAGIC, READY, RETIRED,
};
use super::kind::Kind;
use super::name::Name;
use super::planner::{Counts, LINE, Plan, Planner};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::Access;
use crate::participant::{MAX_PARTICIPANTS, Participant};
use crate::shareable::Schema;
use crate::shareable::schema::MAX_OBJECT_TEXT;
use crate::sys::process;

/// Files are whole pages of the smallest size that systems have.
const PAGE: u64 = 4096;
/// The largest payload, in bytes.
pub(crate) const MAX_PAYLOAD: u64 = 1 << 46;

/// An object that is to be created.
pub(crate) struct NewObject<'a> {
    pub(crate) plan: Plan,
    /// Plans the same parts with what they begin with.
    pub(crate) initial: Box<dyn Fn(&mut Planner<'_>) + 'a>,
    /// [`FLAG_READ_ONLY_PEERS`], [`FLAG_GATED`] and the kind's own flags, from bit 16 on.
    pub(crate) flags: u32,
    pub(crate) access: Access,
    pub(crate) lifetime: Lifetime,
    /// How large the payload can become, if it can grow.
    pub(crate) payload_max: Option<u64>,
}

impl NewObject<'_> {
    /// Hands over what its payload begins with: bytes and their places, in order. All others are
    /// zeros.
    pub(crate) fn write_first_bytes(
        &self,
        mut write: impl FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut written = Ok(());
        let mut each = |place, bytes: &[u8]| {
            if written.is_ok() {
                written = write(place, bytes);
            }
        };
        (self.initial)(&mut Planner::of_first_bytes(self.plan.counts, &mut each));
        written
    }
}

/// The parts of an object, as read from its header and checked once.
///
/// INVARIANT: every part lies inside `size` and is aligned as the picture says;
/// `participants_count` is 1 to [`MAX_PARTICIPANTS`].
#[derive(Clone, Debug)]
pub(crate) struct ObjectLayout {
    pub(crate) kind: Kind,
    /// The bytes of the object, its file's or those in a region.
    pub(crate) size: u64,
    pub(crate) object_id: [u8; 16],
    pub(crate) boot_id: [u8; 16],
    pub(crate) created_unix_ns: u64,
    pub(crate) creator_pid: u32,
    pub(crate) access: Access,
    pub(crate) lifetime: Lifetime,
    pub(crate) flags: u32,
    pub(crate) items: u32,
    pub(crate) item_length: u64,
    /// Whether the object was retired when it was opened.
    pub(crate) was_retired: bool,
    pub(crate) fingerprint: u64,
    pub(crate) schema: String,
    pub(crate) participants_offset: u64,
    pub(crate) participants_count: u32,
    pub(crate) payload_offset: u64,
    /// The bytes of the payload that were committed when the object was opened.
    pub(crate) payload_size: u64,
    pub(crate) payload_max: u64,
}

impl ObjectLayout {
    pub(crate) fn has_read_only_peers(&self) -> bool {
        self.flags & FLAG_READ_ONLY_PEERS != 0
    }

    /// The numbers that were chosen when it was created.
    pub(crate) fn counts(&self) -> Counts {
        let Self { participants_count: participants, items, item_length, .. } = *self;
        Counts { participants, items, item_length }
    }

    pub(crate) fn is_gated(&self) -> bool {
        self.flags & FLAG_GATED != 0
    }
}

/// The header, name and schema of a new object, and the parts that they describe.
///
/// Without a name it is for a region of memory, and not rounded up to whole pages.
pub(crate) fn compose(name: Option<&Name>, new: &NewObject<'_>) -> Result<(Vec<u8>, ObjectLayout)> {
    check_limits(new)?;
    let plan = &new.plan;
    let name_text = name.map_or("", Name::as_str).as_bytes();
    let schema = plan.schema.as_bytes();
    let name_offset = size_of::<Header>();
    let schema_offset = name_offset + name_text.len();
    let participants_offset = (schema_offset + schema.len()).next_multiple_of(64);
    let participants_size = plan.counts.participants as usize * size_of::<Participant>();
    let payload_offset = participants_offset + participants_size;
    let payload_offset = (payload_offset as u64).next_multiple_of(LINE);
    let page = if name.is_some() { PAGE } else { 8 };
    let mut header = Header {
        magic: MAGIC,
        format_version: FORMAT_VERSION,
        kind: plan.kind as u32,
        features: if new.payload_max.is_some() { FEATURE_GROWTH } else { 0 },
        size: (payload_offset + plan.size).next_multiple_of(page),
        object_id: process::random()?,
        boot_id: process::boot_id(),
        created_unix_ns: process::unix_time_ns(),
        creator_pid: std::process::id(),
        creator_uid: process::user_id(),
        access: new.access as u32,
        lifetime: new.lifetime as u32,
        flags: new.flags,
        items: plan.counts.items,
        fingerprint: plan.fingerprint,
        name_offset: name_offset as u32,
        name_length: name_text.len() as u32,
        schema_offset: schema_offset as u32,
        schema_length: schema.len() as u32,
        participants_offset: participants_offset as u32,
        participants_count: plan.counts.participants,
        payload_offset,
        payload_size: plan.size,
        payload_max: new.payload_max.unwrap_or(plan.size),
        item_length: plan.counts.item_length,
        reserved: [0; 2],
        checksum: 0,
        reserved_words: [0; 3],
        state: READY,
        committed: plan.size,
        reserved_line: [0; 6],
    };
    let text = [name_text, schema].concat();
    header.checksum = header.checksum(&text);
    let bytes = [&header.as_bytes()[..], &text].concat();
    let layout = recognise(&bytes)?.check(name, &bytes, header.size)?;
    Ok((bytes, layout))
}

/// Refuses an object that no process would open, and one whose schema no process could read: it
/// could be neither shown nor ended at once.
fn check_limits(new: &NewObject<'_>) -> Result<()> {
    let plan = &new.plan;
    let invalid = |why| Err(Error::new(ErrorKind::InvalidArgument, why));
    if !(1..=MAX_PARTICIPANTS).contains(&plan.counts.participants) {
        return invalid(format!(
            "{} participants were asked for; 1 to {MAX_PARTICIPANTS} are allowed",
            plan.counts.participants
        ));
    }
    let payload = new.payload_max.unwrap_or(plan.size);
    if payload > MAX_PAYLOAD || plan.size > payload {
        return invalid(format!("a payload of {payload} bytes is larger than {MAX_PAYLOAD}"));
    }
    let text = plan.schema.len();
    if text > MAX_OBJECT_TEXT {
        return invalid(format!(
            "its schema has {text} bytes; at most {MAX_OBJECT_TEXT} are allowed"
        ));
    }
    match Schema::parse(&plan.schema) {
        Ok(_) => Ok(()),
        Err(error) => invalid(format!("its types cannot be described: {}", error.reason())),
    }
}

fn corrupt(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Corrupt, why.into())
}

/// A header with our magic and version. Its parts are not checked yet.
pub(crate) struct Recognised {
    header: Header,
}

/// Checks that the bytes begin a shmkit object, in a version that this program reads.
pub(crate) fn recognise(start: &[u8]) -> Result<Recognised> {
    if start.first_chunk().is_none_or(|magic| *magic != MAGIC) {
        let why = "it is not a shmkit object: it does not begin with \"shmkit\\r\\n\"";
        return Err(Error::new(ErrorKind::WrongKind, why));
    }
    let Some(bytes) = start.first_chunk() else {
        let (length, header) = (start.len(), size_of::<Header>());
        return Err(corrupt(format!("it ends after {length} bytes of a header of {header}")));
    };
    let header = Header::of_bytes(bytes);
    if header.format_version != FORMAT_VERSION || header.features & !KNOWN_FEATURES != 0 {
        let why = format!(
            "the object has format version {} with features {:#x}, and this program reads \
             version {FORMAT_VERSION} with features {KNOWN_FEATURES:#x}",
            header.format_version, header.features
        );
        return Err(Error::new(ErrorKind::WrongVersion, why));
    }
    Ok(Recognised { header })
}

impl Recognised {
    /// The number of bytes that hold header, name and schema.
    pub(crate) fn described_size(&self) -> Result<usize> {
        let Header { name_offset, name_length, schema_offset, schema_length, .. } = self.header;
        if name_length as usize > Name::MAX_LENGTH || schema_length as usize > MAX_OBJECT_TEXT {
            return Err(corrupt(format!(
                "a name of {name_length} bytes and a schema of {schema_length}: at most {} and \
                 {MAX_OBJECT_TEXT} are allowed",
                Name::MAX_LENGTH
            )));
        }
        if name_offset as usize != size_of::<Header>() || schema_offset != name_offset + name_length
        {
            return Err(corrupt(format!(
                "name at {name_offset} and schema at {schema_offset} do not follow the header"
            )));
        }
        Ok((schema_offset + schema_length) as usize)
    }

    /// Returns the layout, if all parts agree with each other, with the name and with `size`, the
    /// bytes that exist.
    ///
    /// `described` holds the first [`described_size`](Self::described_size) bytes.
    pub(crate) fn check(
        &self,
        name: Option<&Name>,
        described: &[u8],
        size: u64,
    ) -> Result<ObjectLayout> {
        let header = &self.header;
        let end = self.described_size()?;
        let Some(text) = described.get(size_of::<Header>()..end) else {
            return Err(corrupt(format!(
                "it has {size} bytes, but its header, name and schema need {end}"
            )));
        };
        if header.checksum != header.checksum(text) {
            return Err(corrupt("the header does not match its checksum"));
        }
        let (found_name, schema) = text.split_at(header.name_length as usize);
        if found_name != name.map_or("", Name::as_str).as_bytes() {
            let found = String::from_utf8_lossy(found_name);
            return Err(corrupt(format!("the object in this file has the name {found:?}")));
        }
        if ![READY, RETIRED].contains(&header.state) {
            return Err(corrupt(format!("state {} is not defined", header.state)));
        }
        self.check_size(name.is_some(), size)?;
        self.check_parts(end as u64, size)?;
        self.layout(schema, size)
    }

    /// A file has the size that its header says; more if the object grew. A region may go on.
    fn check_size(&self, is_file: bool, found: u64) -> Result<()> {
        let Header { size, features, .. } = self.header;
        let exact = is_file && features & FEATURE_GROWTH == 0;
        if found < size || exact && found != size {
            return Err(corrupt(format!("its header says {size} bytes, but {found} exist")));
        }
        Ok(())
    }

    fn check_parts(&self, described_end: u64, found: u64) -> Result<()> {
        let Header { participants_offset, participants_count, .. } = self.header;
        let Header { payload_offset, payload_size, payload_max, committed, .. } = self.header;
        let participants = u64::from(participants_offset);
        let participants_size = u64::from(participants_count) * size_of::<Participant>() as u64;
        if participants % 64 != 0
            || participants < described_end
            || !(1..=MAX_PARTICIPANTS).contains(&participants_count)
            || participants + participants_size > payload_offset
        {
            return Err(corrupt(format!(
                "{participants_count} participants at {participants_offset} do not fit between the \
                 schema, which ends at {described_end}, and the payload at {payload_offset}"
            )));
        }
        let grows = self.header.features & FEATURE_GROWTH != 0;
        let end = payload_offset.checked_add(committed);
        if payload_offset % LINE != 0
            || committed % 8 != 0
            || end.is_none_or(|end| end > found)
            || !(payload_size..=payload_max).contains(&committed)
            || payload_max > MAX_PAYLOAD
            || !grows && payload_max != payload_size
        {
            return Err(corrupt(format!(
                "a payload of {committed} bytes at {payload_offset}, created with {payload_size} \
                 and with at most {payload_max}, does not fit {found} bytes"
            )));
        }
        Ok(())
    }

    fn layout(&self, schema: &[u8], size: u64) -> Result<ObjectLayout> {
        let header = &self.header;
        let Some(kind) = Kind::from_number(header.kind) else {
            let why = format!("the object is of kind {}, unknown to this program", header.kind);
            return Err(Error::new(ErrorKind::WrongKind, why));
        };
        let numbers = (Access::of_number(header.access), Lifetime::from_number(header.lifetime));
        let (Some(access), Some(lifetime)) = numbers else {
            let (access, lifetime) = (header.access, header.lifetime);
            return Err(corrupt(format!("access {access} or lifetime {lifetime} is not defined")));
        };
        let Ok(schema) = std::str::from_utf8(schema) else {
            return Err(corrupt("the schema is not UTF-8"));
        };
        Ok(ObjectLayout {
            kind,
            size: if header.name_length == 0 { header.size } else { size },
            object_id: header.object_id,
            boot_id: header.boot_id,
            created_unix_ns: header.created_unix_ns,
            creator_pid: header.creator_pid,
            access,
            lifetime,
            flags: header.flags,
            items: header.items,
            item_length: header.item_length,
            was_retired: header.state == RETIRED,
            fingerprint: header.fingerprint,
            schema: schema.to_owned(),
            participants_offset: header.participants_offset.into(),
            participants_count: header.participants_count,
            payload_offset: header.payload_offset,
            payload_size: header.committed,
            payload_max: header.payload_max,
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn growing() -> (Name, NewObject<'static>) {
        let new = NewObject {
            plan: Plan {
                kind: Kind::Latest,
                counts: Counts::of(2),
                size: 4_096,
                schema: "u64".into(),
                fingerprint: 7,
            },
            initial: Box::new(|_| {}),
            flags: 0,
            access: Access::Owner,
            lifetime: Lifetime::Persistent,
            payload_max: Some(1 << 20),
        };
        (Name::new("grows").unwrap(), new)
    }

    /// The header's word that says how many bytes of the payload are committed.
    fn commit(bytes: &mut [u8], committed: u64) {
        let at = std::mem::offset_of!(Header, committed);
        bytes[at..at + 8].copy_from_slice(&committed.to_le_bytes());
    }

    #[test]
    fn a_payload_that_grew_is_read_with_its_committed_size() {
        let (name, new) = growing();
        let (mut bytes, layout) = compose(Some(&name), &new).unwrap();
        assert_eq!((layout.payload_size, layout.payload_max), (4_096, 1 << 20));
        commit(&mut bytes, 65_536);
        let check = |size| recognise(&bytes).unwrap().check(Some(&name), &bytes, size);
        let grown = check(layout.payload_offset + 65_536).unwrap();
        assert_eq!((grown.payload_size, grown.payload_max), (65_536, 1 << 20));
        let error = check(layout.size).expect_err("the file ends before the committed bytes");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn a_payload_beyond_its_reserve_or_without_one_is_corrupt() {
        let (name, mut new) = growing();
        for (payload_max, committed) in
            [(Some(1 << 20), 2 << 20), (Some(1 << 20), 8), (None, 8_192)]
        {
            new.payload_max = payload_max;
            let (mut bytes, _) = compose(Some(&name), &new).unwrap();
            commit(&mut bytes, committed);
            let error = recognise(&bytes).unwrap().check(Some(&name), &bytes, 4 << 20);
            assert_eq!(error.expect_err("an error").kind(), ErrorKind::Corrupt, "{committed}");
        }
    }

    #[test]
    fn an_object_in_a_region_has_no_name_and_may_be_followed_by_other_bytes() {
        let (_, mut new) = growing();
        (new.payload_max, new.plan.size) = (None, 128);
        let (bytes, layout) = compose(None, &new).unwrap();
        assert_eq!(layout.size, layout.payload_offset + 128);
        let check = |size| recognise(&bytes).unwrap().check(None, &bytes, size);
        assert_eq!(check(layout.size + 1_000).unwrap().size, layout.size);
        assert_eq!(check(layout.size - 8).expect_err("too short").kind(), ErrorKind::Corrupt);
    }
}
