//! The workloads of locking and waiting: what a peer must offer, and what workers do with it.

pub(crate) mod contention;
pub(crate) mod crowd;
pub(crate) mod locking;
pub(crate) mod messages;
pub(crate) mod primitives;
pub(crate) mod sections;
pub(crate) mod takeover;
pub(crate) mod turns;
