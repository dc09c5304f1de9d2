//! Checks that hold the rules of CONTRIBUTING.md which a machine can hold.
//!
//! ```text
//! Tree: every file, parsed once ──> floors, sizes, names, ... ──> Findings
//! ```
//!
//! A check reads a [`Tree`], never the disk, so that its test plants a violation in a line of text.

mod boxes;
mod documents;
mod floors;
mod leftovers;
mod names;
mod orderings;
mod paths;
mod sizes;
mod systems;
mod tree;

use std::fmt;
use std::path::Path;

pub use boxes::boxes;
pub use tree::Tree;

/// One broken rule: where, what, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, from the root of the workspace, with `/` on every system.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is there, and what to do.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// Every finding in the workspace at `root`, by file and line.
///
/// # Panics
///
/// When a file cannot be read.
pub fn check(root: &Path) -> Vec<Finding> {
    check_tree(&Tree::load(root))
}

/// Every finding in `tree`, by file and line.
pub fn check_tree(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let checks = [
        tree::check,
        floors::check,
        sizes::check,
        names::check,
        leftovers::check,
        systems::check,
        orderings::check,
        documents::check,
        documents::check_present,
        boxes::check,
    ];
    for check in checks {
        findings.extend(check(tree));
    }
    findings.sort();
    findings.dedup();
    findings
}
