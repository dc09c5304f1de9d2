//! The words by which the controller commands a worker, and the words that workers share.
//!
//! ```text
//! controller                        worker
//! ROUNDS, STOP
//! COMMAND = number << 8 | what ───> loads COMMAND
//!                                   ANSWER = COMMAND            it begins
//! loads ANSWER <─────────────────── ANSWER = COMMAND | ENDED    it has finished
//! ```
//!
//! `COMMAND` and `ANSWER` are stored with Release and loaded with Acquire: they publish the other
//! words, which are Relaxed. `peers/boost.cpp` is given the same constants when it is compiled.

/// Word: the number of the command above the lowest byte, which says what to do. Here the
/// controller's cache line begins.
pub(crate) const COMMAND: usize = 0;
/// Word: how many rounds to run; 0: until `STOP` is 1.
pub(crate) const ROUNDS: usize = 1;
/// Word: 1 to end a command without a number of rounds.
pub(crate) const STOP: usize = 2;
/// Word: the command that the worker last began or ended. Here the worker's cache line begins.
pub(crate) const ANSWER: usize = 16;
/// Word: when the worker began the last command, on the monotonic clock.
pub(crate) const BEGAN_NS: usize = 17;
/// Word: when it ended the last command.
pub(crate) const ENDED_NS: usize = 18;
/// Word: how many operations it completed in commands without a number of rounds.
pub(crate) const COUNT: usize = 19;
/// Word: how much processor time the last command took.
pub(crate) const USED_NS: usize = 20;
/// The size of a mailbox.
pub(crate) const MAILBOX_WORDS: usize = 32;

/// What to do: exit.
pub(crate) const LEAVE: u64 = 0;
/// What to do: the measured operation. A workload may define further values, below `ENDED`.
pub(crate) const RUN: u64 = 1;
/// The lowest byte of an answer when the worker has finished a command, or has started up.
pub(crate) const ENDED: u64 = 0xff;

/// The size of the memory that the workers of a set share for what is measured.
pub(crate) const SHARED_WORDS: usize = 64;
/// The shared word that counts operations under a mutex: in the mutex's cache line, behind it.
pub(crate) const TOTAL: usize = 7;
