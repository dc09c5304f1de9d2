//! Synchronization primitives without a type: state machines over words, and the untyped
//! lock handles that use them.
//!
//! | file | contents |
//! |---|---|
//! | `mutex`, `reentrant`, `rwlock` | lock handles, for a guarded value of any type |
//! | `shares`, `waiters`, `permits`, `event`, `rounds` | protocols over words, with their proofs |
//!
//! A typed lock is one of these and a value. [`AnyLock`](super::AnyLock), which the command uses,
//! is built directly on them.

pub(crate) mod event;
pub(crate) mod mutex;
pub(crate) mod permits;
pub(crate) mod reentrant;
pub(crate) mod rounds;
pub(crate) mod rwlock;
pub(crate) mod shares;
pub(crate) mod waiters;
