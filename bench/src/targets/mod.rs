//! The targets for speed: which figures must be how good. A run ends with those that it measured.

mod table;
mod target;

use std::io;

use crate::harness::report::Report;
use table::TARGETS;

/// Prints which targets hold, of those whose suite was run. Where all cases of the suite were
/// measured, each target has one.
pub(crate) fn tell(report: &mut Report, all_cases: bool) -> io::Result<()> {
    let rows = report.rows();
    let mut verdicts = Vec::new();
    for target in TARGETS.iter().filter(|it| rows.iter().any(|row| row.suite == it.suite)) {
        let verdict = target.verdict(rows);
        assert!(verdict.is_some() || !all_cases, "no case has: {}", target.what);
        verdicts.extend(verdict);
    }
    report.tell_verdicts(&verdicts)
}
