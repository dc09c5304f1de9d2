//! Samples, what is told of them, and how.

use serde_json::json;

/// How many samples of a subject are taken: odd, so that there is one in the middle.
pub(crate) const SAMPLES: usize = 15;

/// What was measured.
pub(crate) struct Case<'a> {
    pub(crate) suite: &'a str,
    pub(crate) case: &'a str,
    pub(crate) bytes: usize,
    pub(crate) unit: &'a str,
}

/// Samples, and for each the floor around it.
pub(crate) struct Samples {
    values: Vec<f64>,
    floors: Vec<f64>,
    ratios: Vec<f64>,
}

impl Samples {
    /// Takes a floor, a subject, a floor, a subject, ..., a floor.
    pub(crate) fn beside(mut floor: impl FnMut() -> f64, mut subject: impl FnMut() -> f64) -> Self {
        // Warm both.
        let (mut before, _) = (floor(), subject());
        let mut samples = Self { values: Vec::new(), floors: Vec::new(), ratios: Vec::new() };
        for _ in 0..SAMPLES {
            let value = subject();
            let after = floor();
            samples.values.push(value);
            samples.floors.push(after);
            samples.ratios.push(2.0 * value / (before + after));
            before = after;
        }
        samples
    }

    /// Of something that is a floor itself, or has none.
    pub(crate) fn alone(mut subject: impl FnMut() -> f64) -> Self {
        subject();
        Self::of((0..SAMPLES).map(|_| subject()).collect())
    }

    /// A figure that was counted once.
    pub(crate) fn counted(value: f64) -> Self {
        Self::of(vec![value])
    }

    /// Figures that came with others.
    pub(crate) fn of(values: Vec<f64>) -> Self {
        Self { values, floors: Vec::new(), ratios: Vec::new() }
    }
}

/// Tells of each case as soon as it is measured.
pub(crate) struct Report {
    json: bool,
    suite: String,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, suite: String::new() }
    }

    pub(crate) fn tell(&mut self, case: &Case<'_>, samples: &Samples) {
        let value = median(&samples.values).expect("there is a sample");
        let (min, max) = extremes(&samples.values);
        let (floor, ratio) = (median(&samples.floors), median(&samples.ratios));
        let Case { suite, case, bytes, unit } = case;
        if self.json {
            let line = json!({
                "suite": suite, "case": case, "bytes": bytes, "unit": unit,
                "median": rounded(value), "min": rounded(min), "max": rounded(max),
                "floor": floor.map(rounded), "ratio": ratio.map(rounded),
            });
            println!("{line}");
            return;
        }
        if self.suite != *suite {
            self.suite = (*suite).to_owned();
            let titles = ["median", "min", "max", "floor", "ratio"].map(|it| format!("{it:>11}"));
            println!("\n{suite:<34}{:>9}{} unit", "bytes", titles.concat());
        }
        let [floor, ratio] = [floor, ratio].map(|it| it.map_or_else(|| "-".into(), shown));
        println!(
            "{case:<34}{bytes:>9}{:>11}{:>11}{:>11}{floor:>11}{ratio:>11} {unit}",
            shown(value),
            shown(min),
            shown(max),
        );
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

pub(crate) fn extremes(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::MAX, f64::MIN), |(min, max), value| (min.min(*value), max.max(*value)))
}

fn shown(value: f64) -> String {
    if value.abs() < 100.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}

fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
