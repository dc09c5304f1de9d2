//! What a person can do where notices cannot be armed.

/// Why notices cannot be armed, and what to do about it.
pub(crate) struct Obstacle {
    pub(crate) what: String,
    pub(crate) remedy: String,
}
