//! An object's parts: how they are laid out at creation, and checked before they are believed.
//!
//! ```text
//! 0        256                            64-aligned     128-aligned           whole pages
//! | header | name | text of the schema |  | participants |  | payload |        |
//! ```

use std::mem::size_of;

use super::header::{FLAG_READ_ONLY_PEERS, FORMAT_VERSION, Header, MAGIC, READY, RETIRED};
use super::name::Name;
use super::options::Lifetime;
use super::participants::Participant;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::Access;
use crate::shareable::schema::MAX_TEXT;
use crate::sys::process;

/// What kinds of object there are. The numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u32)]
pub enum Kind {
    /// A register that holds the latest value.
    Latest = 1,
    /// A value that one at a time may use.
    Mutex = 2,
    /// The same, which its holder may lock again.
    ReentrantMutex = 3,
    /// A value that many may read at a time, or one change.
    RwLock = 4,
    /// A condition that others wait for, together with a lock.
    Condvar = 5,
    /// Permits, which are taken and come back.
    Semaphore = 6,
    /// Something that has happened, or has not yet.
    Event = 7,
    /// A place where several meet, again and again.
    Barrier = 8,
    /// A gate that opens when all have come.
    Latch = 9,
    /// Something that is done once.
    Once = 10,
    /// Several of these, in one object.
    Group = 11,
}

impl Kind {
    const ALL: [Self; 11] = [
        Self::Latest,
        Self::Mutex,
        Self::ReentrantMutex,
        Self::RwLock,
        Self::Condvar,
        Self::Semaphore,
        Self::Event,
        Self::Barrier,
        Self::Latch,
        Self::Once,
        Self::Group,
    ];

    /// The word for it, as `shm` prints it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Latest => "latest",
            Self::Mutex => "mutex",
            Self::ReentrantMutex => "reentrant mutex",
            Self::RwLock => "rwlock",
            Self::Condvar => "condvar",
            Self::Semaphore => "semaphore",
            Self::Event => "event",
            Self::Barrier => "barrier",
            Self::Latch => "latch",
            Self::Once => "once",
            Self::Group => "group",
        }
    }

    /// The kind that is called so in an object's description.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str().replace(' ', "_") == name)
    }

    fn of_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|it| *it as u32 == number)
    }
}

/// Bytes from one word that can be waited on to the next: each has two cache lines to itself.
pub(crate) const WAIT_WORD_STRIDE: u64 = 128;

/// The bit of every word that can be waited on which says that the object was retired.
pub(crate) const CLOSED: u64 = 1;

/// Files are whole pages of the smallest size that systems have.
const PAGE: u64 = 4096;

/// What a kind asks for when an object is made.
pub(crate) struct NewObject {
    pub(crate) kind: Kind,
    /// The kind's own, from bit 16.
    pub(crate) flags: u32,
    pub(crate) fingerprint: u64,
    pub(crate) schema: String,
    pub(crate) payload_size: u64,
    /// How many participants there can be, unless the options say.
    pub(crate) participants: u32,
    /// What the payload begins with; zeros follow.
    pub(crate) payload: Vec<u8>,
    pub(crate) wait_words: u32,
    pub(crate) parameters: [u64; 4],
}

/// An object's parts, as read from its header and checked. Never read again.
///
/// INVARIANT: every part lies inside `file_size` and is aligned as the picture says;
/// `participants_count` is 1 to [`ObjectLayout::MAX_PARTICIPANTS`]; the wait words
/// lie in the payload.
#[derive(Clone, Debug)]
pub(crate) struct ObjectLayout {
    pub(crate) kind: Kind,
    pub(crate) file_size: u64,
    pub(crate) object_id: [u8; 16],
    pub(crate) boot_id: [u8; 16],
    pub(crate) created_unix_ns: u64,
    pub(crate) creator_pid: u32,
    pub(crate) access: Access,
    pub(crate) lifetime: Lifetime,
    pub(crate) flags: u32,
    pub(crate) wait_words: u32,
    pub(crate) fingerprint: u64,
    pub(crate) schema: String,
    pub(crate) participants_offset: u64,
    pub(crate) participants_count: u32,
    pub(crate) payload_offset: u64,
    pub(crate) payload_size: u64,
    pub(crate) parameters: [u64; 4],
}

impl ObjectLayout {
    pub(crate) const MAX_PARTICIPANTS: u32 = 1024;
    /// The most bytes of a schema's text.
    pub(crate) const MAX_SCHEMA: u32 = MAX_TEXT as u32;
    /// The most words that can be waited on.
    pub(crate) const MAX_WAIT_WORDS: u32 = 1_024;
    /// The most bytes of a payload.
    pub(crate) const MAX_PAYLOAD: u64 = 1 << 46;

    pub(crate) fn admits_read_only_peers(&self) -> bool {
        self.flags & FLAG_READ_ONLY_PEERS != 0
    }
}

/// The first bytes of a new object, and the size of its file; what follows them is zeros.
pub(crate) fn compose(
    name: &Name,
    contents: &NewObject,
    flags: u32,
    access: Access,
    lifetime: Lifetime,
    participants: u32,
) -> Result<(Vec<u8>, u64)> {
    let (name, schema) = (name.as_str().as_bytes(), contents.schema.as_bytes());
    if schema.len() > ObjectLayout::MAX_SCHEMA as usize
        || contents.payload_size > ObjectLayout::MAX_PAYLOAD
    {
        let (text, payload) = (schema.len(), contents.payload_size);
        let why = format!("a description of {text} bytes or a payload of {payload} is too large");
        return Err(Error::new(ErrorKind::InvalidArgument, why));
    }
    if !(1..=ObjectLayout::MAX_PARTICIPANTS).contains(&participants) {
        let why =
            format!("{participants} participants: 1 to {} can be", ObjectLayout::MAX_PARTICIPANTS);
        return Err(Error::new(ErrorKind::InvalidArgument, why));
    }
    let name_offset = size_of::<Header>();
    let schema_offset = name_offset + name.len();
    let participants_offset = (schema_offset + schema.len()).next_multiple_of(64);
    let participants_size = participants as usize * size_of::<Participant>();
    let payload_offset = (participants_offset + participants_size).next_multiple_of(128) as u64;
    let mut header = Header {
        magic: MAGIC,
        format_version: FORMAT_VERSION,
        kind: contents.kind as u32,
        features: 0,
        file_size: (payload_offset + contents.payload_size).next_multiple_of(PAGE),
        object_id: process::random()?,
        boot_id: process::boot_id(),
        created_unix_ns: process::unix_time_ns(),
        creator_pid: std::process::id(),
        creator_uid: process::user_id(),
        access: access as u32,
        lifetime: lifetime as u32,
        flags,
        wait_words: contents.wait_words,
        fingerprint: contents.fingerprint,
        name_offset: name_offset as u32,
        name_length: name.len() as u32,
        schema_offset: schema_offset as u32,
        schema_length: schema.len() as u32,
        participants_offset: participants_offset as u32,
        participants_count: participants,
        payload_offset,
        payload_size: contents.payload_size,
        parameters: contents.parameters,
        checksum: 0,
        reserved: 0,
        state: READY,
        reserved_line: [0; 7],
    };
    header.checksum = header.checksum(name, schema);
    Ok(([header.as_bytes(), name, schema].concat(), header.file_size))
}

fn corrupt(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Corrupt, why.into())
}

/// A header that is ours and of our version, before its parts are believed.
pub(crate) struct Recognised {
    header: Header,
}

/// Says whether the bytes begin an object of ours, in a version that we read.
pub(crate) fn recognise(start: &[u8]) -> Result<Recognised> {
    let not_ours = "the file is no object of shmkit: it does not begin with \"shmkit\\r\\n\"";
    if start.first_chunk().is_none_or(|magic| *magic != MAGIC) {
        return Err(Error::new(ErrorKind::WrongKind, not_ours));
    }
    let Some(bytes) = start.first_chunk() else {
        let (length, header) = (start.len(), size_of::<Header>());
        return Err(corrupt(format!("the file ends after {length} bytes of a header of {header}")));
    };
    let header = Header::of_bytes(bytes);
    if header.format_version != FORMAT_VERSION || header.features != 0 {
        let why = format!(
            "the object has format version {} with features {:#x}, and this program reads \
             version {FORMAT_VERSION} with features 0x0",
            header.format_version, header.features
        );
        return Err(Error::new(ErrorKind::WrongVersion, why));
    }
    Ok(Recognised { header })
}

impl Recognised {
    /// Where the payload is, of an object that was just composed.
    pub(crate) fn payload_offset(&self) -> u64 {
        self.header.payload_offset
    }

    /// How many bytes of the file hold header, name and schema.
    pub(crate) fn described_size(&self) -> Result<usize> {
        let Header { name_offset, name_length, schema_offset, schema_length, .. } = self.header;
        if name_length as usize > Name::MAX_LENGTH || schema_length > ObjectLayout::MAX_SCHEMA {
            return Err(corrupt(format!(
                "a name of {name_length} bytes and a schema of {schema_length} are too long"
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

    /// The layout, if all parts agree with each other, with the name and with the file's size.
    ///
    /// `described` holds the file's first [`Recognised::described_size`] bytes.
    pub(crate) fn check(
        &self,
        name: &Name,
        described: &[u8],
        file_size: u64,
    ) -> Result<ObjectLayout> {
        let header = &self.header;
        let (schema_offset, end) = (header.schema_offset as usize, self.described_size()?);
        let found_name = described.get(size_of::<Header>()..schema_offset);
        let (Some(found_name), Some(schema)) = (found_name, described.get(schema_offset..end))
        else {
            let why = format!("the file has {file_size} bytes, and its description {end}");
            return Err(corrupt(why));
        };
        if header.checksum != header.checksum(found_name, schema) {
            return Err(corrupt("the header does not match its checksum"));
        }
        if found_name != name.as_str().as_bytes() {
            let found = String::from_utf8_lossy(found_name);
            return Err(corrupt(format!("the object in this file calls itself {found:?}")));
        }
        if header.file_size != file_size {
            let said = header.file_size;
            return Err(corrupt(format!("it says {said} bytes and the file has {file_size}")));
        }
        if ![READY, RETIRED].contains(&header.state) {
            return Err(corrupt(format!("state {} is not defined", header.state)));
        }
        self.check_parts(end as u64)?;
        self.layout(schema)
    }

    fn check_parts(&self, described_end: u64) -> Result<()> {
        let Header { participants_offset, participants_count, .. } = self.header;
        let Header { payload_offset, payload_size, file_size, wait_words, .. } = self.header;
        let participants = u64::from(participants_offset);
        let participants_size = u64::from(participants_count) * size_of::<Participant>() as u64;
        if participants % 64 != 0
            || participants < described_end
            || !(1..=ObjectLayout::MAX_PARTICIPANTS).contains(&participants_count)
            || participants + participants_size > payload_offset
        {
            return Err(corrupt(format!(
                "{participants_count} participants at {participants_offset} do not fit"
            )));
        }
        if payload_offset % 128 != 0
            || payload_size % 8 != 0
            || payload_offset.checked_add(payload_size).is_none_or(|end| end > file_size)
            || wait_words > ObjectLayout::MAX_WAIT_WORDS
            || u64::from(wait_words) * WAIT_WORD_STRIDE > payload_size
        {
            return Err(corrupt(format!(
                "a payload of {payload_size} bytes at {payload_offset} with {wait_words} wait \
                 words does not fit a file of {file_size}"
            )));
        }
        Ok(())
    }

    fn layout(&self, schema: &[u8]) -> Result<ObjectLayout> {
        let header = &self.header;
        let Some(kind) = Kind::of_number(header.kind) else {
            let why = format!("the object is of kind {}, unknown to this program", header.kind);
            return Err(Error::new(ErrorKind::WrongKind, why));
        };
        let numbers = (Access::of_number(header.access), Lifetime::of_number(header.lifetime));
        let (Some(access), Some(lifetime)) = numbers else {
            let (access, lifetime) = (header.access, header.lifetime);
            return Err(corrupt(format!("access {access} or lifetime {lifetime} is not defined")));
        };
        let Ok(schema) = std::str::from_utf8(schema) else {
            return Err(corrupt("the schema is not UTF-8"));
        };
        Ok(ObjectLayout {
            kind,
            file_size: header.file_size,
            object_id: header.object_id,
            boot_id: header.boot_id,
            created_unix_ns: header.created_unix_ns,
            creator_pid: header.creator_pid,
            access,
            lifetime,
            flags: header.flags,
            wait_words: header.wait_words,
            fingerprint: header.fingerprint,
            schema: schema.to_owned(),
            participants_offset: header.participants_offset.into(),
            participants_count: header.participants_count,
            payload_offset: header.payload_offset,
            payload_size: header.payload_size,
            parameters: header.parameters,
        })
    }
}
