//! The first 256 bytes of every object, as they stand in its file.
//!
//! Nobody believes them: [`ObjectLayout`](super::layout::ObjectLayout) is what was
//! read from them once and checked against the file.

use std::mem::{offset_of, size_of};

/// The first eight bytes: a name, and line ends that a transfer as text would spoil.
pub(crate) const MAGIC: [u8; 8] = *b"shmkit\r\n";

/// The version of the format that this code writes and reads.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// `state`: the object can be used. Whoever retires it leaves this, under the gate.
pub(crate) const READY: u64 = 1;
/// `state`: its name is, or is about to be, another's. Nobody leaves this.
pub(crate) const RETIRED: u64 = 2;

/// `flags`: others may open the object for reading alone. A kind's own flags start at bit 16.
pub(crate) const FLAG_READ_ONLY_PEERS: u32 = 1;

/// An object's first bytes. Little-endian.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Header {
    /// [`MAGIC`].
    pub(crate) magic: [u8; 8],
    /// [`FORMAT_VERSION`].
    pub(crate) format_version: u32,
    /// A number of [`Kind`](super::layout::Kind).
    pub(crate) kind: u32,
    /// Extensions that a reader must know. None are defined: 0.
    pub(crate) features: u64,
    /// The file's size in bytes.
    pub(crate) file_size: u64,
    /// Random: no two objects have the same.
    pub(crate) object_id: [u8; 16],
    /// The run of the machine in which it was made; zeros where the system does not say.
    pub(crate) boot_id: [u8; 16],
    /// When it was made: nanoseconds since 1970.
    pub(crate) created_unix_ns: u64,
    /// The process that made it, in its own PID namespace.
    pub(crate) creator_pid: u32,
    /// The user who made it.
    pub(crate) creator_uid: u32,
    /// A number of [`Access`](crate::memory::Access).
    pub(crate) access: u32,
    /// A number of [`Lifetime`](super::options::Lifetime).
    pub(crate) lifetime: u32,
    /// [`FLAG_READ_ONLY_PEERS`] and the kind's own.
    pub(crate) flags: u32,
    /// How many words of the payload can be waited on: one each 128 bytes, from its start.
    pub(crate) wait_words: u32,
    /// The type's fingerprint.
    pub(crate) fingerprint: u64,
    /// Where the name is.
    pub(crate) name_offset: u32,
    /// The name's bytes.
    pub(crate) name_length: u32,
    /// Where the text of the schema is.
    pub(crate) schema_offset: u32,
    /// The schema's bytes.
    pub(crate) schema_length: u32,
    /// Where the participants are.
    pub(crate) participants_offset: u32,
    /// How many participants there can be.
    pub(crate) participants_count: u32,
    /// Where the payload is.
    pub(crate) payload_offset: u64,
    /// The payload's bytes.
    pub(crate) payload_size: u64,
    /// The kind's own numbers.
    pub(crate) parameters: [u64; 4],
    /// FNV-1a (64 bit) of everything above, the name and the schema text.
    pub(crate) checksum: u64,
    /// Zeros.
    pub(crate) reserved: u64,
    /// [`READY`] or [`RETIRED`]: the only word here that changes.
    pub(crate) state: u64,
    /// Zeros.
    pub(crate) reserved_line: [u64; 7],
}

const _: () = {
    assert!(size_of::<Header>() == 256);
    assert!(offset_of!(Header, object_id) == 32);
    assert!(offset_of!(Header, access) == 80);
    assert!(offset_of!(Header, fingerprint) == 96);
    assert!(offset_of!(Header, payload_offset) == 128);
    assert!(offset_of!(Header, checksum) == 176);
    assert!(offset_of!(Header, state) == 192);
    assert!(cfg!(target_endian = "little"), "the format is little-endian");
};

impl Header {
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

    /// What [`Header::checksum`] has to be.
    ///
    /// FNV-1a: <http://www.isthe.com/chongo/tech/comp/fnv/>.
    pub(crate) fn checksum(&self, name: &[u8], schema: &[u8]) -> u64 {
        const COVERED: usize = offset_of!(Header, checksum);
        let bytes = [&self.as_bytes()[..COVERED], name, schema].into_iter().flatten();
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }
}
