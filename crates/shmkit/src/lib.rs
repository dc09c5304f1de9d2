#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

#[cfg(not(target_pointer_width = "64"))]
compile_error!("shmkit needs a 64-bit target: object sizes and lock offsets exceed 32 bits");

extern crate self as shmkit;

#[macro_use]
#[cfg_attr(feature = "crash-points", doc(hidden))]
pub mod crash;

mod channel;
mod error;
pub mod inspect;
pub mod memory;
mod object;
mod participant;
pub mod shareable;
pub mod sync;
mod sys;
mod wait;

#[cfg(feature = "count-retries")]
#[doc(hidden)]
pub use channel::read_retries;
pub use channel::{AnyChanges, AnyLatest, Changes, Latest, LatestWriter};
pub use error::{Error, ErrorKind, Peer, ProgramName, Result};
pub use memory::{Access, FileMapping, Region, SharedMemory, Trust};
pub use object::{
    Contents, Kind, Lifetime, Object, Options, Payload, Primitive, default_directory,
};
pub use participant::Role;
pub use shareable::{FixedString, FixedVec, Maybe, Shareable};
pub use shmkit_derive::Shareable;
