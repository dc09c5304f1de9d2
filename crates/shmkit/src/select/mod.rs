//! Waiting for any of many objects: [`WaitSet`], futures, and handles for event loops.
//!
//! | file | contents |
//! |---|---|
//! | `wait_set` | the set: keys, and a group of sources |
//! | `flag` | what an event loop polls in place of a set |
//! | `futures`, `any_futures`, `until_ready` | `recv_async` and so on |
//! | `tokio` | the traits of tokio for the ends of a pipe |
//! | `reactor` | the thread that watches for the last three |
//!
//! What a handle is ready for, its own folder says: see `wait::source`.

#[cfg(all(feature = "async", not(loom)))]
mod any_futures;
#[cfg(not(loom))]
mod flag;
#[cfg(all(feature = "async", not(loom)))]
mod futures;
#[cfg(not(loom))]
mod reactor;
#[cfg(all(feature = "tokio", not(loom)))]
mod tokio;
#[cfg(all(feature = "async", not(loom)))]
mod until_ready;
#[cfg(not(loom))]
mod wait_set;

#[cfg(not(loom))]
pub use crate::sys::pollable::PollHandle;
#[cfg(all(feature = "tokio", not(loom)))]
pub use tokio::{TokioPipeReader, TokioPipeWriter};
#[cfg(not(loom))]
pub use wait_set::WaitSet;
