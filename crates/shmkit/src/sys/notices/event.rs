//! What a watch reports.

/// What the watch with an id reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(windows, allow(dead_code, reason = "watches of processes do not end, and lose nothing"))]
pub(super) enum Event<Id> {
    /// Something happened to what is watched.
    Of(Id),
    /// The watch ended: the file is gone, or its file system.
    Ended(Id),
    /// Events of any watch were lost.
    Lost,
}
