//! The participants of an object, and what a participant can hold: ids, the table of slots, deaths,
//! and the owner word.
//!
//! | file | contents |
//! |---|---|
//! | `id` | [`ParticipantId`]: a slot and a generation, packed in one place |
//! | `role` | [`Role`]: what a participant joined as |
//! | `table` | the entries of all slots: claim, leave, reap; deaths, counted by role |
//! | `liveness` | [`Liveness`]: what a protocol asks about other participants |
//! | `owner` | the owner word: one participant at a time holds it, a dead holder is replaced |
//!
//! This floor uses words and a few traits. It uses no file, no name and no mapping.

mod id;
mod liveness;
pub(crate) mod owner;
mod role;
mod table;

pub(crate) use id::{
    GENERATION_MASK, MAX_PARTICIPANTS, ParticipantId, slot_from_bits, slot_to_bits,
};
pub(crate) use liveness::Liveness;
#[cfg(all(test, loom))]
pub(crate) use liveness::models;
pub use role::Role;
pub(crate) use table::{Participant, ParticipantInfo, Participants, SlotLocks};
