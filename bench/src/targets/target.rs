//! A target, and whether it holds.

use crate::harness::report::{Row, Verdict};

/// A target, and the cases that must meet it: all that were measured.
pub(super) struct Target {
    pub(super) what: &'static str,
    pub(super) suite: &'static str,
    /// What the names of the cases begin with, and what they end with.
    case: (&'static str, &'static str),
    /// The sizes of the values; empty: all.
    bytes: &'static [usize],
    figure: Figure,
    bound: Bound,
}

/// The figure of a case that is compared.
#[derive(Clone, Copy)]
pub(super) enum Figure {
    /// The median of the ratios to the floor.
    Ratio,
    Median,
    /// The least sample.
    Minimum,
    /// The ratio to the same case of another peer, whose name begins with this.
    RatioTo(&'static str),
}

#[derive(Clone, Copy)]
pub(super) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }

    /// Returns the value that is farther from the bound.
    fn worse(self, one: f64, other: f64) -> f64 {
        match self {
            Self::AtMost(_) => one.max(other),
            Self::AtLeast(_) => one.min(other),
        }
    }

    fn shown(self) -> String {
        match self {
            Self::AtMost(most) => format!("at most {most}"),
            Self::AtLeast(least) => format!("at least {least}"),
        }
    }
}

impl Target {
    /// `cases` are the suite, and what the names of its cases begin and end with.
    pub(super) const fn new(
        what: &'static str,
        cases: (&'static str, &'static str, &'static str),
        figure: Figure,
        bound: Bound,
    ) -> Self {
        let (suite, begin, end) = cases;
        Self { what, suite, case: (begin, end), bytes: &[], figure, bound }
    }

    /// Restricts it to values of some sizes.
    pub(super) const fn of(self, bytes: &'static [usize]) -> Self {
        Self { bytes, ..self }
    }

    /// Compares the worst case with the bound. `None`: there is no case.
    pub(super) fn verdict(&self, rows: &[Row]) -> Option<Verdict> {
        let covered = rows.iter().filter(|row| self.covers(row));
        let figures: Vec<_> =
            covered.filter_map(|row| Some((self.value(row, rows)?, row))).collect();
        let worst = figures.iter().copied();
        let (value, row) = worst.reduce(|one, other| match self.bound.worse(one.0, other.0) {
            worse if worse == one.0 => one,
            _ => other,
        })?;
        let missed = figures.iter().filter(|(value, _)| !self.bound.holds(*value)).count();
        let target = format!("{}: {}", self.what, self.bound.shown());
        Some(Verdict { target, value, row: row.clone(), missed, cases: figures.len() })
    }

    fn covers(&self, row: &Row) -> bool {
        let (begin, end) = self.case;
        row.suite == self.suite
            && row.case.starts_with(begin)
            && row.case.ends_with(end)
            && (self.bytes.is_empty() || self.bytes.contains(&row.bytes))
    }

    fn value(&self, row: &Row, rows: &[Row]) -> Option<f64> {
        match self.figure {
            Figure::Ratio => row.ratio,
            Figure::Median => Some(row.median),
            Figure::Minimum => Some(row.min),
            Figure::RatioTo(peer) => {
                let case = row.case.replacen("shmkit", peer, 1);
                let same = |it: &&Row| it.suite == row.suite && it.case == case;
                rows.iter().find(same).map(|other| row.median / other.median)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Bound::{AtLeast, AtMost};
    use super::Figure::{Median, Minimum, RatioTo};
    use super::*;

    fn row(case: &str, median: f64, ratio: Option<f64>) -> Row {
        let (suite, case) = ("fair".to_owned(), case.to_owned());
        Row { suite, case, bytes: 8, median, min: median, ratio, floor_moved: false }
    }

    #[test]
    fn the_worst_case_decides_and_others_are_not_covered() {
        let rows = [
            row("shmkit, 8 pinned: least", 70.0, None),
            row("shmkit, 8 free: least", 49.0, None),
            row("robust, 8 pinned: least", 1.0, None),
            row("shmkit, 8 pinned: most", 2.0, None),
        ];
        let case = ("shmkit, 8", ": least");
        let target = |bound, bytes| {
            let what = "least share";
            Target { what, suite: "fair", case, bytes, figure: Median, bound }
        };
        let verdict = |bound| target(bound, &[]).verdict(&rows);
        let missed = verdict(AtLeast(50.0)).unwrap();
        assert_eq!((missed.value, missed.missed, missed.cases), (49.0, 1, 2));
        assert_eq!(missed.row.case, "shmkit, 8 free: least");
        assert_eq!(verdict(AtLeast(49.0)).unwrap().missed, 0);
        assert_eq!(verdict(AtMost(69.0)).unwrap().value, 70.0);
        assert!(target(AtMost(1.0), &[64]).verdict(&rows).is_none());
    }

    #[test]
    fn the_least_sample_is_compared_where_the_target_says_so() {
        let rows = [Row { min: 20.0, ..row("shmkit, 8: least", 70.0, None) }];
        let cases = ("fair", "shmkit", ": least");
        let value = |figure| {
            let target = Target::new("least share", cases, figure, AtLeast(50.0));
            target.verdict(&rows).unwrap().value
        };
        assert_eq!((value(Median), value(Minimum)), (70.0, 20.0));
    }

    #[test]
    fn a_figure_is_compared_with_the_same_case_of_the_peer() {
        let rows = [row("shmkit, 8: longest", 3.0, None), row("robust, 8: longest", 60.0, None)];
        let case = ("shmkit", ": longest");
        let (figure, bound) = (RatioTo("robust"), AtMost(0.1));
        let target = Target { what: "longest", suite: "fair", case, bytes: &[], figure, bound };
        assert_eq!(target.verdict(&rows).unwrap().value, 0.05);
        assert!(target.verdict(&rows[..1]).is_none());
    }
}
