//! Waiting for a word that another process changes: the wait word, one waiter, one spin policy.
//!
//! | file | contents |
//! |---|---|
//! | `word` | the wait word: marks of sleepers, a change with its wake, why no wake is lost |
//! | `waiter` | [`Poll`], and the one loop that looks, spins, checks, marks and sleeps |
//! | `checks` | when the slow check is due: on a death notice, or at intervals |
//! | `extent` | how many holders it asks about |
//! | `remembered` | what a handle remembers of its waits |
//! | `shared_moment` | a moment that the waiters of all processes compare |
//! | `spin` | how long to look before sleeping |
//! | `stop` | what ends waits early: a [`CancelToken`], a signal |
//! | `until` | how long to wait |
//! | `source` | what can be waited for together with others: [`Waitable`] |
//! | `group`, `entries`, `lookouts` | waiting for any of many sources |
//!
//! A protocol gives a wait its `poll` function, which returns either the result or the word to
//! sleep on. Nothing above this floor calls the system's wait functions.

mod checks;
mod entries;
mod extent;
mod group;
mod lookouts;
mod remembered;
mod shared_moment;
mod source;
mod spin;
mod stop;
mod until;
mod waiter;
mod word;

pub(crate) use extent::Extent;
pub(crate) use group::{Group, NotReady};
pub(crate) use shared_moment::SharedMoment;
pub use source::Waitable;
pub(crate) use source::{Patience, Readiness, Source};
pub use stop::{CancelToken, interruptible};
pub(crate) use stop::{Stop, Stops, pause};
pub(crate) use until::Until;
#[cfg(all(feature = "crash-points", not(loom)))]
pub(crate) use waiter::figures;
pub(crate) use waiter::{Checked, Poll, RUN, SleepTicket, Standing, WaitLoop, Waited};
pub(crate) use word::{ASLEEP, CLOSED, WaitWord, Wake};

#[cfg(all(test, loom))]
mod models;

#[cfg(all(test, not(loom)))]
mod tests;
