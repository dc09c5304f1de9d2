//! Named points at which a test has its child killed: nothing without the feature `crash-points`.

/// Where a process may be killed by a test, half-way through a step that others can see.
macro_rules! crash_point {
    ($name:literal) => {};
}
