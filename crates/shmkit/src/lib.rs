#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

extern crate self as shmkit;

#[macro_use]
#[cfg_attr(feature = "crash-points", doc(hidden))]
pub mod crash;

mod channel;
mod error;
pub mod inspect;
pub mod memory;
mod object;
pub mod shareable;
pub mod sync;
mod sys;

#[cfg(feature = "count-retries")]
#[doc(hidden)]
pub use channel::read_retries;
pub use channel::{AnyChanges, AnyLatest, Changes, Latest, LatestOptions, LatestWriter};
pub use error::{Error, ErrorKind, Result};
pub use memory::{Access, FileMapping, Region, SharedMemory, Trust};
pub use object::{Kind, Lifetime, Role, default_directory};
pub use shareable::{FixedString, FixedVec, Maybe, Shareable};
pub use shmkit_derive::Shareable;
