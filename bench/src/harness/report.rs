//! Prints the figures of each case as soon as they are measured: a table, or lines of JSON.

use std::io::{self, Write};

use hdrhistogram::Histogram;
use serde_json::json;

use super::samples::{Samples, extremes, median};

/// The width of the column of cases.
const CASE: usize = 60;
/// The width of the column of targets.
const TARGET: usize = 70;
/// If the floor changed by more than this fraction during a case, the ratio is doubtful.
const MOVED: f64 = 0.2;
/// How such a case is marked.
const FLOOR_MOVED: &str = " (the floor moved: measure again)";

/// What was printed of a case.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) suite: String,
    pub(crate) case: String,
    pub(crate) bytes: usize,
    pub(crate) median: f64,
    /// The least sample.
    pub(crate) min: f64,
    /// The median of the ratios to the floor.
    pub(crate) ratio: Option<f64>,
    /// Whether the floor changed so much during the case that the ratio is doubtful.
    pub(crate) floor_moved: bool,
}

/// Whether a target holds.
pub(crate) struct Verdict {
    pub(crate) target: String,
    /// The worst case, and its figure.
    pub(crate) row: Row,
    pub(crate) value: f64,
    /// How many cases miss the target, and how many there are.
    pub(crate) missed: usize,
    pub(crate) cases: usize,
}

/// Where figures are printed, and what was printed.
pub(crate) struct Report {
    json: bool,
    suite: String,
    rows: Vec<Row>,
    output: io::Stdout,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, suite: String::new(), rows: Vec::new(), output: io::stdout() }
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Begins with the cases of another suite.
    pub(crate) fn begin(&mut self, suite: &str) -> io::Result<()> {
        suite.clone_into(&mut self.suite);
        if self.json {
            return Ok(());
        }
        let titles = ["median", "min", "max", "floor", "ratio"].map(|it| format!("{it:>11}"));
        writeln!(self.output, "\n{suite:<CASE$}{:>9}{} unit", "bytes", titles.concat())
    }

    /// Prints the figures of a case.
    pub(crate) fn tell(
        &mut self,
        case: &str,
        bytes: usize,
        unit: &str,
        samples: &Samples,
    ) -> io::Result<()> {
        let value = median(&samples.values).expect("a case has at least one sample");
        let (min, max) = extremes(&samples.values);
        let (floor, ratio) = (median(&samples.floors), median(&samples.ratios));
        let floor_moved = samples.floor_moved_by().is_some_and(|it| it > MOVED);
        let (suite, case_of_row) = (self.suite.clone(), case.to_owned());
        let row = Row { suite, case: case_of_row, bytes, median: value, min, ratio, floor_moved };
        self.rows.push(row);
        if self.json {
            let line = json!({
                "suite": self.suite, "case": case, "bytes": bytes, "unit": unit,
                "median": rounded(value), "min": rounded(min), "max": rounded(max),
                "floor": floor.map(rounded), "ratio": ratio.map(rounded),
                "floor_moved": floor_moved,
            });
            return writeln!(self.output, "{line}");
        }
        let [floor, ratio] = [floor, ratio].map(|it| it.map_or_else(|| "-".into(), shown));
        let figures = [shown(value), shown(min), shown(max), floor, ratio];
        let figures = figures.map(|it| format!("{it:>11}")).concat();
        let mark = if floor_moved { FLOOR_MOVED } else { "" };
        writeln!(self.output, "{case:<CASE$}{bytes:>9}{figures} {unit}{mark}")
    }

    /// Prints which targets hold.
    pub(crate) fn tell_verdicts(&mut self, verdicts: &[Verdict]) -> io::Result<()> {
        if !self.json && !verdicts.is_empty() {
            writeln!(self.output, "\n{:<TARGET$}{:>8}  {:<8}the worst case", "target", "", "")?;
        }
        for Verdict { target, row, value, missed, cases } in verdicts {
            if self.json {
                let line = json!({
                    "target": target, "holds": *missed == 0, "value": rounded(*value),
                    "suite": row.suite, "case": row.case, "bytes": row.bytes,
                    "floor_moved": row.floor_moved, "missed": missed, "cases": cases,
                });
                writeln!(self.output, "{line}")?;
                continue;
            }
            let verdict = if *missed == 0 { "holds" } else { "MISSED" };
            let mark = if row.floor_moved { FLOOR_MOVED } else { "" };
            let (value, case) = (shown(*value), &row.case);
            write!(self.output, "{target:<TARGET$}{value:>8}  {verdict:<8}{case}")?;
            if row.bytes != 0 {
                write!(self.output, ", {} B", row.bytes)?;
            }
            write!(self.output, "{mark}")?;
            match missed {
                0 => writeln!(self.output)?,
                missed => writeln!(self.output, "; missed in {missed} of {cases} cases")?,
            }
        }
        Ok(())
    }

    /// Prints how long acquisitions took. Each figure is named after a prefix.
    pub(crate) fn tell_waits(&mut self, prefix: &str, waits: &Histogram<u64>) -> io::Result<()> {
        for (label, quantile) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("longest", 1.0)] {
            let us = waits.value_at_quantile(quantile) as f64 / 1e3;
            self.tell_count(&format!("{prefix}{label}"), 0, "us", us)?;
        }
        Ok(())
    }

    /// Prints a figure that was counted once.
    pub(crate) fn tell_count(
        &mut self,
        case: &str,
        bytes: usize,
        unit: &str,
        value: f64,
    ) -> io::Result<()> {
        self.tell(case, bytes, unit, &Samples::of(vec![value]))
    }
}

fn shown(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        ..0.1 => format!("{value:.4}"),
        ..100.0 => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
