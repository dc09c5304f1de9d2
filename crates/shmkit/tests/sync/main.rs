//! What locks, condition variables, semaphores, events, barriers and latches promise to the threads
//! and handles of one process. Between processes: `tests/processes/sync`.

mod barrier;
mod bounded;
mod cancel;
mod condvar;
mod counter;
mod descriptions;
mod event;
mod group;
mod latch;
mod limits;
mod mutex;
mod named;
mod once;
mod reentrant;
mod refused;
mod regions;
mod rwlock;
mod semaphore;
mod test_dir;
mod upgrades;
mod values;
