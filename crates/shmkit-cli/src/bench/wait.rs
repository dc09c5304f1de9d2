//! How a process waits for the other one.

/// How a process waits for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wait {
    /// As shmkit does by default: it spins for some time, and only then sleeps.
    Spinning,
    /// It sleeps at once.
    Asleep,
}

impl Wait {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Spinning => "spinning",
            Self::Asleep => "asleep",
        }
    }
}
