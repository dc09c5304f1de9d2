//! The implementations that are compared, each with the workloads that it can run.

pub(crate) mod bare_futex;
pub(crate) mod boost;
pub(crate) mod fifo;
pub(crate) mod pthread;
pub(crate) mod ring;
pub(crate) mod shmkit;
pub(crate) mod threads;
