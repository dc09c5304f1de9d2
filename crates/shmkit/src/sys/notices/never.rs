//! No notices: waiters look at intervals.

use std::path::Path;
use std::sync::Arc;

use super::bell::Bell;
use super::obstacle::Obstacle;
use crate::sys::fork::OwnedFile;

/// Never arms notices.
#[derive(Debug)]
pub(super) struct Arming;

impl Arming {
    pub(super) fn new(_file: &OwnedFile, _path: &Arc<Path>) -> Self {
        Self
    }

    pub(super) fn turn_off(&self) {}

    pub(super) fn is_possible(&self) -> bool {
        false
    }

    pub(super) fn arm(&self, _bell: &Arc<Bell>) {}

    pub(super) fn end(&mut self, _bell: &Arc<Bell>) {}
}

/// Returns `None`: a person can do nothing about it.
pub(crate) fn find_obstacle(_directory: &Path) -> Option<Obstacle> {
    None
}
