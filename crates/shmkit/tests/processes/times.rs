//! How long tests wait.

use std::time::Duration;

/// No wait in a passing test takes this long.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);
/// Several slow checks: a waiter checks at the latest every 50 ms whether another process died.
pub(crate) const SLOW_CHECKS: Duration = Duration::from_millis(200);
