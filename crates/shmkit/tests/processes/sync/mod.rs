//! Locks, conditions, semaphores, events and barriers between processes, some of which die.

mod mutex;

use crate::children::Role;

/// What children can be told to be.
pub(crate) const ROLES: &[(&str, Role)] = &[("holder of a mutex", mutex::holder)];
