//! Ways to pass values between processes.

mod latest;

pub use latest::{AnyChanges, AnyLatest, Changes, Latest, LatestOptions, LatestWriter};
