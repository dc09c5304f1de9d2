//! The access that a file is opened for.

/// The access that a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    ReadOnly,
    ReadWrite,
}
