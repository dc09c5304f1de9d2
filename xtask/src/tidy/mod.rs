//! Checks for the rules of CONTRIBUTING.md that a machine can check.
//!
//! ```text
//! Tree: every file, parsed once ──> floors, sizes, names, ... ──> Findings
//! ```
//!
//! A check reads a [`Tree`] and never the disk, so a test of a check is a few lines of text.

mod boxes;
mod cycles;
mod documents;
mod finding;
mod floors;
mod leftovers;
mod modules;
mod names;
mod orderings;
mod paths;
mod prose;
mod sizes;
mod systems;
mod tree;
mod words;

use std::path::Path;

pub use boxes::boxes;
pub use finding::Finding;
pub use tree::Tree;

/// Returns all findings in the workspace at `root`, by file and line.
///
/// # Panics
///
/// If a file cannot be read.
pub fn check(root: &Path) -> Vec<Finding> {
    check_tree(&Tree::load(root))
}

/// Returns all findings in `tree`, by file and line.
pub fn check_tree(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let checks = [
        tree::check,
        floors::check,
        cycles::check,
        sizes::check,
        names::check,
        words::check,
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
