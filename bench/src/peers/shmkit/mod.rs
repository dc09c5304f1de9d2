//! shmkit's primitives: objects in the arena's directory. The worker that opens one first creates
//! it.

pub(crate) mod idle;
pub(crate) mod locking;
pub(crate) mod messages;
mod primitives;
pub(crate) mod takeover;
pub(crate) mod timeouts;
