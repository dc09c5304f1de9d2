//! The harness: it starts workers, takes samples beside a floor, and reports them.
//!
//! ```text
//! report  samples      what is printed; how it is measured
//! pair                 two sets of workers that are measured alternately
//! workers              the controller: starts workers and commands them
//! worker               the other side of each command
//! arena                the mapping that the controller and the workers share
//! waits                how long each acquisition took
//! mailbox sizes futex  its words, the sizes of values, the system call
//! ```
//!
//! Each file imports only from the lines below it. The harness knows no suite and no peer:
//! `main.rs` passes in the table of workloads, and suites refer to them by name.

pub(crate) mod arena;
pub(crate) mod futex;
pub(crate) mod mailbox;
pub(crate) mod pair;
pub(crate) mod report;
pub(crate) mod samples;
pub(crate) mod sizes;
pub(crate) mod waits;
pub(crate) mod worker;
pub(crate) mod workers;
