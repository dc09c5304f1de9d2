//! What a person can do where notices cannot be armed.

/// Why notices cannot be armed, and what to do about it.
pub(crate) struct Obstacle {
    pub(crate) what: String,
    pub(crate) remedy: String,
}

impl Obstacle {
    /// Waiters look at intervals, for this reason.
    #[cfg_attr(
        any(loom, not(any(target_os = "linux", windows))),
        allow(dead_code, reason = "nothing is refused")
    )]
    pub(super) fn new(why: &str, remedy: &str) -> Self {
        let what = format!("a death is noticed only after 50 ms: {why}");
        Self { what, remedy: remedy.into() }
    }
}
