//! Whether something is watched for an open object.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ringer::Ringer;
use crate::sys::fork::ProcessStamp;

/// How long after they were refused or ended notices are not armed again.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// What is watched for an open object: `W`.
pub(super) enum State<W> {
    /// No waiter has needed it yet.
    Idle,
    /// Not wanted.
    Off,
    /// It is watched, or the watch has ended.
    Armed(Armed<W>),
    /// The system refused.
    Refused(Instant),
}

/// The ringer that watches, and the process that has it.
pub(super) struct Armed<W> {
    pub(super) ringer: Arc<Ringer>,
    pub(super) watches: W,
    pub(super) stamp: ProcessStamp,
    pub(super) at: Instant,
}

impl<W> State<W> {
    /// Returns whether what is not watched can be.
    pub(super) fn is_possible(&self) -> bool {
        match self {
            Self::Idle => true,
            Self::Off => false,
            // What ended soon would end soon again.
            Self::Refused(at) | Self::Armed(Armed { at, .. }) => at.elapsed() > RETRY_AFTER,
        }
    }
}
