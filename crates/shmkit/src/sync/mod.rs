//! Who may act, and how to wait for others: state machines over words that they are handed.

pub(crate) mod owner;
pub(crate) mod sleepers;
