//! What a `Latest` shows to who only looks: nobody is present by it, nothing is changed.

use super::handle::{BEGUN, FLAG_SHARED_WRITERS, LATEST, OWNER, SLOTS, geometry_in};
use super::register::{LAST, Register};
use crate::error::Result;
use crate::object::{ObjectFile, ParticipantId};
use crate::sync::owner::OwnerWord;

/// A `Latest` at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed {
    /// The newest value's sequence number.
    pub(crate) sequence: u64,
    /// The one that is being written, or that its writer left half-written.
    pub(crate) half_written: Option<u64>,
    /// Who has the right to write, dead or alive.
    pub(crate) owner: Option<ParticipantId>,
    /// How many dead writers were replaced, modulo 2^16.
    pub(crate) deaths: u16,
    /// Whether its words are such that it can be read and written.
    pub(crate) sound: bool,
    pub(crate) shared_writers: bool,
    pub(crate) value_bytes: usize,
}

/// Looks at the words of a `Latest`.
pub(crate) fn observe(object_file: &ObjectFile) -> Result<Observed> {
    let (payload, geometry) = (object_file.payload(), geometry_in(&object_file.layout)?);
    let slots = payload.words(SLOTS, geometry.words())?;
    let register = Register::new(payload.word(LATEST)?, payload.word(BEGUN)?, slots, geometry)
        .expect("the words were counted by the geometry");
    let owner = OwnerWord::role(payload.word(OWNER)?).look();
    Ok(Observed {
        sequence: register.newest().sequence,
        half_written: register.half_written(),
        owner: owner.holder(),
        deaths: owner.deaths(),
        sound: register.is_sound() && register.newest().sequence < LAST && owner.is_sound(),
        shared_writers: object_file.layout.flags & FLAG_SHARED_WRITERS != 0,
        value_bytes: geometry.value_bytes(),
    })
}
