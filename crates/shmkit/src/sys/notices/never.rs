//! No notices: waiters look at intervals.

use std::path::Path;
use std::sync::Arc;

use super::bell::Bell;
use super::obstacle::Obstacle;
use super::processes::Processes;
use crate::sys::fork::OwnedFile;

/// Notices are never armed.
pub(crate) const ANNOUNCES_EVERY_DEATH: bool = false;
/// Notices are never armed.
pub(crate) const ARM_AT_SLEEP: u64 = 17;

/// Never arms notices.
#[derive(Debug)]
pub(super) struct Arming;

impl Arming {
    pub(super) fn new(_file: &OwnedFile, _path: &Arc<Path>) -> Self {
        Self
    }

    pub(super) fn turn_off(&self) {}

    pub(super) fn is_possible(&self, _bell: &Bell) -> bool {
        false
    }

    pub(super) fn arm(&self, _bell: &Arc<Bell>, _processes: &dyn Processes) -> bool {
        false
    }

    pub(super) fn end(&mut self, _bell: &Arc<Bell>) {}
}

/// Returns `None`: a person can do nothing about it.
pub(crate) fn find_obstacle(_directory: &Path) -> Option<Obstacle> {
    None
}

/// Returns `None`, as above.
pub(crate) fn find_obstacle_of(_processes: &dyn Processes) -> Option<Obstacle> {
    None
}
