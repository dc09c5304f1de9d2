//! What locks, conditions, semaphores, events, barriers and latches promise to the threads and the
//! handles of one process. Between processes: `tests/processes/sync`.

mod barrier;
mod condvar;
mod event;
mod group;
mod latch;
mod mutex;
mod named;
mod once;
mod place;
mod reentrant;
mod refused;
mod rwlock;
mod semaphore;
mod transfers;
mod values;
