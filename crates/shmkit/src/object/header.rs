//! The first 256 bytes of every object.
//!
//! They are untrusted: [`ObjectLayout`](super::layout::ObjectLayout) is what was read from them
//! once and checked.

use std::mem::{offset_of, size_of};

/// The first eight bytes: a name, and a line end that a transfer in text mode would change.
pub(crate) const MAGIC: [u8; 8] = *b"shmkit\r\n";

/// The version of the format that this code writes and reads.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// `state`: the object can be used. A removal leaves this state, under the gate.
pub(crate) const READY: u64 = 1;
/// `state`: the object is removed, or is being removed. No process leaves this state.
pub(crate) const RETIRED: u64 = 2;

/// `flags`: users other than the owner can only read the object. A kind's own flags start at bit
/// 16.
pub(crate) const FLAG_READ_ONLY_PEERS: u32 = 1;
/// `flags`: every process that opens the object passes the gate, which its creator held until the
/// object was as it was to be seen.
pub(crate) const FLAG_GATED: u32 = 2;

/// `features`: the payload has a reserve beyond its committed bytes.
pub(crate) const FEATURE_GROWTH: u64 = 1;
/// The features that this code reads.
pub(crate) const KNOWN_FEATURES: u64 = FEATURE_GROWTH;

/// The first bytes of an object. Little-endian.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Header {
    /// [`MAGIC`].
    pub(crate) magic: [u8; 8],
    /// [`FORMAT_VERSION`].
    pub(crate) format_version: u32,
    /// A number of [`Kind`](super::kind::Kind).
    pub(crate) kind: u32,
    /// Extensions that a reader must know: [`FEATURE_GROWTH`].
    pub(crate) features: u64,
    /// The size of the object in bytes when it was created.
    pub(crate) size: u64,
    /// Random: no two objects have the same.
    pub(crate) object_id: [u8; 16],
    /// The run of the machine in which it was created; zeros where the system does not say.
    pub(crate) boot_id: [u8; 16],
    /// When it was created: nanoseconds since 1970.
    pub(crate) created_unix_ns: u64,
    /// The process that created it, in its own PID namespace.
    pub(crate) creator_pid: u32,
    /// The user who created it.
    pub(crate) creator_uid: u32,
    /// A number of [`Access`](crate::memory::Access).
    pub(crate) access: u32,
    /// A number of [`Lifetime`].
    pub(crate) lifetime: u32,
    /// [`FLAG_READ_ONLY_PEERS`], [`FLAG_GATED`] and the kind's own.
    pub(crate) flags: u32,
    /// The run-time number of items in the payload; 0 if its type decides.
    pub(crate) items: u32,
    /// The fingerprint of the schema.
    pub(crate) fingerprint: u64,
    /// Where the name is.
    pub(crate) name_offset: u32,
    /// The bytes of the name; 0 for an object in a region.
    pub(crate) name_length: u32,
    /// Where the text of the schema is.
    pub(crate) schema_offset: u32,
    /// The bytes of the schema.
    pub(crate) schema_length: u32,
    /// Where the participants are.
    pub(crate) participants_offset: u32,
    /// The largest number of participants.
    pub(crate) participants_count: u32,
    /// Where the payload is.
    pub(crate) payload_offset: u64,
    /// The bytes of the payload when it was created.
    pub(crate) payload_size: u64,
    /// How many bytes the payload can have; `payload_size` if it cannot grow.
    pub(crate) payload_max: u64,
    /// The most elements of an item whose length varies; 0 if its type decides.
    pub(crate) item_length: u64,
    /// Zeros.
    pub(crate) reserved: [u64; 2],
    /// CRC-32 of everything above, the name and the schema text.
    pub(crate) checksum: u32,
    /// Zeros.
    pub(crate) reserved_words: [u32; 3],
    /// [`READY`] or [`RETIRED`]. Changes.
    pub(crate) state: u64,
    /// The bytes of the payload that are committed. Grows.
    pub(crate) committed: u64,
    /// Zeros.
    pub(crate) reserved_line: [u64; 6],
}

const _: () = {
    assert!(size_of::<Header>() == 256);
    assert!(offset_of!(Header, object_id) == 32);
    assert!(offset_of!(Header, access) == 80);
    assert!(offset_of!(Header, fingerprint) == 96);
    assert!(offset_of!(Header, payload_offset) == 128);
    assert!(offset_of!(Header, checksum) == 176);
    assert!(offset_of!(Header, state) == 192);
    assert!(offset_of!(Header, committed) == 200);
    assert!(cfg!(target_endian = "little"), "the format is little-endian");
};

impl Header {
    /// Where the size is.
    pub(crate) const SIZE_OFFSET: usize = offset_of!(Header, size);
    /// Where the state word is.
    pub(crate) const STATE_OFFSET: u64 = offset_of!(Header, state) as u64;

    #[allow(unsafe_code, reason = "the bytes of a plain struct")]
    pub(crate) fn as_bytes(&self) -> &[u8; size_of::<Self>()] {
        // SAFETY: `repr(C)` and without padding (its fields end at 256, the asserted size), so
        // all its bytes are initialised; an array of bytes asks no alignment.
        unsafe { &*std::ptr::from_ref(self).cast() }
    }

    #[allow(unsafe_code, reason = "a plain struct of bytes")]
    pub(crate) fn of_bytes(bytes: &[u8; size_of::<Self>()]) -> Self {
        // SAFETY: every pattern of 256 bytes is a `Header`; the read asks no alignment.
        unsafe { bytes.as_ptr().cast::<Self>().read_unaligned() }
    }

    /// Computes what the field `checksum` has to be.
    ///
    /// CRC-32 as in zlib and Ethernet: <https://www.rfc-editor.org/rfc/rfc1952#section-8>.
    pub(crate) fn checksum(&self, name_and_schema: &[u8]) -> u32 {
        const COVERED: usize = offset_of!(Header, checksum);
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&self.as_bytes()[..COVERED]);
        checksum.update(name_and_schema);
        checksum.finalize()
    }
}

/// How long an object stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u32)]
pub enum Lifetime {
    /// Until it is removed or the machine restarts. The default.
    Persistent = 1,
    /// As long as a process has it open. The last process that closes it removes it. If that
    /// process was killed, or could only read, the next process that opens the name removes it.
    WhileUsed = 2,
    /// Until it is removed; it survives restarts of the machine if its directory is on a disk.
    Durable = 3,
}

impl Lifetime {
    /// The lifetime with this number in the format.
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        let all = [Self::Persistent, Self::WhileUsed, Self::Durable];
        all.into_iter().find(|it| *it as u32 == number)
    }

    /// The name of the lifetime, as `shm` prints it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Persistent => "persistent",
            Self::WhileUsed => "while used",
            Self::Durable => "durable",
        }
    }
}
