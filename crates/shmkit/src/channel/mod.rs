//! Ways to pass values between processes.

mod latest;
mod pipe;

#[cfg(feature = "count-retries")]
pub use latest::read_retries;
pub use latest::{AnyChanges, AnyLatest, Changes, Latest, LatestLoan, LatestObject, LatestWriter};
pub use pipe::{Pipe, PipeReader, PipeWriter};
