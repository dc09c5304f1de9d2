//! Share data between processes: typed, at memory speed, and still right when a process is killed.
#![deny(unsafe_code)]

mod error;
pub mod memory;
#[allow(dead_code, unused_imports, reason = "the floors above arrive next")]
mod sys;

pub use error::{Error, ErrorKind, Result};
