//! Prints the figures of each case as soon as they are measured: a table, or lines of JSON.

use std::io::{self, Write};

use serde_json::json;

use super::samples::{Samples, extremes, median};

/// The width of the column of cases.
const CASE: usize = 50;

/// Where figures are printed, and of which suite they are.
pub(crate) struct Report {
    json: bool,
    suite: String,
    output: io::Stdout,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, suite: String::new(), output: io::stdout() }
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
        if self.json {
            let line = json!({
                "suite": self.suite, "case": case, "bytes": bytes, "unit": unit,
                "median": rounded(value), "min": rounded(min), "max": rounded(max),
                "floor": floor.map(rounded), "ratio": ratio.map(rounded),
            });
            return writeln!(self.output, "{line}");
        }
        let [floor, ratio] = [floor, ratio].map(|it| it.map_or_else(|| "-".into(), shown));
        let [value, min, max] = [value, min, max].map(shown);
        writeln!(
            self.output,
            "{case:<CASE$}{bytes:>9}{value:>11}{min:>11}{max:>11}{floor:>11}{ratio:>11} {unit}",
        )
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
    if value.abs() < 100.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}

fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
