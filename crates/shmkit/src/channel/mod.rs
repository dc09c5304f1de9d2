//! Ways to pass values between processes.

pub(crate) mod latest;
