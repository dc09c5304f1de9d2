//! POSIX primitives that processes share, in the shared words. Worker 0 initialises them.

mod initialiser;
pub(crate) mod mutex;
pub(crate) mod rwlock;
pub(crate) mod turns;
