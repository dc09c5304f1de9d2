//! Locks, conditions, semaphores, events and barriers between processes, some of which die.

mod crash;
mod holders;
mod hostile;
mod kills;
mod ledger;
mod mutex;
mod semaphore;
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
];
