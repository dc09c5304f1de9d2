//! What users of a contended primitive feel: how even the shares are over whole seconds, and how
//! long a single acquisition takes.

pub(crate) mod condition;
pub(crate) mod mutex;
pub(crate) mod rwlock;
pub(crate) mod semaphore;
mod shares;
