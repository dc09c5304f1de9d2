//! What is measured: one file or folder for each kind of suite. None knows another.

pub(crate) mod attach;
pub(crate) mod attempts;
pub(crate) mod call;
pub(crate) mod contended;
pub(crate) mod fairness;
pub(crate) mod floor;
pub(crate) mod get;
pub(crate) mod holders;
pub(crate) mod idle;
pub(crate) mod lock;
pub(crate) mod naive;
pub(crate) mod pipe;
pub(crate) mod queue;
pub(crate) mod readers;
pub(crate) mod set;
pub(crate) mod sight;
pub(crate) mod takeover;
pub(crate) mod timeouts;
pub(crate) mod topic;
pub(crate) mod turns;
