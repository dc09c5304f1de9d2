//! Ways to pass values between processes.

mod latest;

pub(crate) use latest::observe as observe_latest;
#[cfg(feature = "count-retries")]
pub use latest::read_retries;
pub use latest::{AnyChanges, AnyLatest, Changes, Latest, LatestOptions, LatestWriter};
