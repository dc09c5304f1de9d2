//! Locks, condition variables, semaphores, events and barriers between processes, some of which
//! die.

mod actor;
#[cfg(unix)]
mod closed_descriptors;
mod crash;
mod created_locked;
mod doctor;
mod fairness;
mod fixture;
#[cfg(unix)]
mod fork;
mod guarded;
mod holders;
mod hostile;
mod kills;
mod known_failures;
mod many_holders;
mod mutex;
#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(any(target_os = "linux", windows))]
mod notices;
mod removal;
mod semaphore;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod sleeping;
mod stopped;
mod upgrades;
mod waiting;
mod words;

use crate::children::Role;

pub(crate) const ROLES: &[(&str, Role)] = &[
    ("mutex holder", mutex::holder),
    ("creator of a locked mutex", created_locked::creator),
    (crash::ROLE, crash::role),
    ("permit holder", crash::permit_holder),
    ("party that never waits", crash::party_that_never_waits),
    ("party that waits once", crash::party_that_waits_once),
    ("worker", kills::worker),
    ("victim in sync", hostile::victim),
    ("holder", holders::holder),
    ("waiter", holders::waiter),
    ("acquirer", semaphore::acquirer),
    ("one of many holders", many_holders::holder),
    ("waiter beside many", many_holders::waiter),
    ("actor", actor::role),
    ("impatient", fairness::impatient),
    ("greedy", fairness::greedy),
    ("player", waiting::player),
    ("event waiter", stopped::event_waiter),
    (removal::ROLE, removal::waiter),
];

#[cfg(unix)]
pub(crate) const SYSTEM_ROLES: &[(&str, Role)] = &[
    ("forking actor", fork::forking_actor),
    ("forking creator of a locked mutex", created_locked::forking_creator),
    ("forking party", fork::forking_party),
    ("forking under a token", fork::forking_under_a_token),
    ("creator under a umask", known_failures::creator_under_umask),
    ("measured actor", sleeping::measured_actor),
    ("actor without descriptors", closed_descriptors::actor),
];

#[cfg(windows)]
pub(crate) const SYSTEM_ROLES: &[(&str, Role)] = &[("loader", notices::windows::loader)];
