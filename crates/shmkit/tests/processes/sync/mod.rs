//! Locks, conditions, semaphores, events and barriers between processes, some of which die.

mod actor;
mod crash;
mod fairness;
#[cfg(unix)]
mod fork;
mod holders;
mod hostile;
mod kills;
mod known_failures;
mod ledger;
mod mutex;
#[cfg(unix)]
mod namespaces;
mod semaphore;
#[cfg(unix)]
mod sleeping;
mod stage;
mod stopped;
mod transfers;
mod waiting;
#[cfg(unix)]
mod without_descriptors;
mod words;

use crate::children::Role;

/// What children can be told to be.
pub(crate) const ROLES: &[(&str, Role)] = &[
    ("holder of a mutex", mutex::holder),
    (crash::ROLE, crash::struck),
    ("holder of permits", crash::holder_of_permits),
    ("absent party", crash::absent_party),
    ("slow party", crash::slow_party),
    ("worker", kills::worker),
    ("prey in sync", hostile::prey_in_sync),
    ("holder in sync", holders::holder_in_sync),
    ("waiter in sync", holders::waiter_in_sync),
    ("taker of permits", semaphore::taker_of_permits),
    ("actor", actor::role),
    ("greedy", fairness::greedy),
    ("player", waiting::player),
    ("waiter", stopped::waiter),
    #[cfg(unix)]
    ("forked actor", fork::forked_actor),
    #[cfg(unix)]
    ("forked party", fork::forked_party),
    #[cfg(unix)]
    ("actor under a mask", known_failures::under_a_mask),
    #[cfg(unix)]
    ("sleeper", sleeping::sleeper),
    #[cfg(unix)]
    ("actor without descriptors", without_descriptors::actor),
];
