//! Ways to pass values between processes.

mod latest;

pub(crate) use latest::observe as observe_latest;
pub use latest::{AnyChanges, AnyLatest, Changes, Latest, LatestOptions, LatestWriter};
