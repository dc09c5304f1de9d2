//! The targets for speed: which figures must be how good. A run ends with those that it measured.

use std::io;

use Bound::{AtLeast, AtMost};
use Figure::{Median, Ratio, RatioTo};

use crate::harness::report::{Report, Row, Verdict};

/// A target, and the cases that must meet it: all that were measured.
struct Target {
    what: &'static str,
    suite: &'static str,
    /// What the names of the cases begin with, and what they end with.
    case: (&'static str, &'static str),
    /// The sizes of the values; empty: all.
    bytes: &'static [usize],
    figure: Figure,
    bound: Bound,
}

/// The figure of a case that is compared.
#[derive(Clone, Copy)]
enum Figure {
    /// The median of the ratios to the floor.
    Ratio,
    Median,
    /// The ratio to the same case of another peer, whose name begins with this.
    RatioTo(&'static str),
}

#[derive(Clone, Copy)]
enum Bound {
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

const TARGETS: &[Target] = &[
    Target {
        what: "get without a writer, 8 B",
        suite: "get",
        case: ("no set", ""),
        bytes: &[8],
        figure: Ratio,
        bound: AtMost(2.0),
    },
    Target {
        what: "get without a writer, 64 B",
        suite: "get",
        case: ("no set", ""),
        bytes: &[64],
        figure: Ratio,
        bound: AtMost(1.3),
    },
    Target {
        what: "set to sight and back, both awake",
        suite: "sight",
        case: ("", ""),
        bytes: &[],
        figure: Ratio,
        bound: AtMost(1.5),
    },
    Target {
        what: "retries in 1,000 under a writer that never pauses",
        suite: "get",
        case: ("retries", ""),
        bytes: &[],
        figure: Median,
        bound: AtMost(1.0),
    },
    Target {
        what: "wake-up and back, two processors",
        suite: "asleep",
        case: ("", "two processors"),
        bytes: &[],
        figure: Ratio,
        bound: AtMost(1.15),
    },
    Target {
        what: "wake-up and back, one processor",
        suite: "asleep",
        case: ("", "one processor"),
        bytes: &[],
        figure: Ratio,
        bound: AtMost(1.3),
    },
    Target {
        what: "lock and unlock / std",
        suite: "lock",
        case: ("shmkit Mutex", ""),
        bytes: &[],
        figure: Ratio,
        bound: AtMost(1.15),
    },
    Target {
        what: "semaphore alone / std mutex",
        suite: "lock",
        case: ("shmkit Semaphore", ""),
        bytes: &[],
        figure: Ratio,
        bound: AtMost(2.0),
    },
    Target {
        what: "contended throughput / robust pthread",
        suite: "contend",
        case: ("shmkit", "/ robust"),
        bytes: &[],
        figure: Ratio,
        bound: AtLeast(1.0),
    },
    Target {
        what: "least share of 8 in a second, %",
        suite: "fair",
        case: ("shmkit, 8", ": least"),
        bytes: &[],
        figure: Median,
        bound: AtLeast(50.0),
    },
    Target {
        what: "longest lock() of 8 / robust pthread",
        suite: "fair",
        case: ("shmkit, 8", ": longest"),
        bytes: &[],
        figure: RatioTo("robust"),
        bound: AtMost(0.1),
    },
    Target {
        what: "throughput of 8 / robust pthread",
        suite: "fair",
        case: ("shmkit, 8", " us"),
        bytes: &[],
        figure: RatioTo("robust"),
        bound: AtLeast(1.0),
    },
    Target {
        what: "take-over after a kill / robust pthread",
        suite: "takeover",
        case: ("shmkit", " waiting / robust pthread"),
        bytes: &[],
        figure: Ratio,
        bound: AtMost(5.0),
    },
    Target {
        what: "p99 of lock() beside attempts, us",
        suite: "attempts",
        case: ("shmkit", ": p99"),
        bytes: &[],
        figure: Median,
        bound: AtMost(10_000.0),
    },
    Target {
        what: "100 that time out every 10 ms / robust pthread",
        suite: "timeouts",
        case: ("shmkit", ", 10 ms / robust pthread"),
        bytes: &[],
        figure: Ratio,
        bound: AtMost(1.5),
    },
    Target {
        what: "an idle waiter, % of a core",
        suite: "idle",
        case: ("1 waiter, shmkit", ""),
        bytes: &[],
        figure: Median,
        bound: AtMost(0.02),
    },
    Target {
        what: "800 idle waiters, % of a core",
        suite: "idle",
        case: ("800 waiters, shmkit", ""),
        bytes: &[],
        figure: Median,
        bound: AtMost(5.0),
    },
    Target {
        what: "a waiter beside 1,023 holders, % of a core",
        suite: "holders",
        case: ("shmkit", ""),
        bytes: &[],
        figure: Median,
        bound: AtMost(0.1),
    },
    Target {
        what: "open and drop / open, mmap, close",
        suite: "attach",
        case: ("Latest / ", ""),
        bytes: &[],
        figure: Ratio,
        bound: AtMost(2.0),
    },
    Target {
        what: "the same beside 10,000 others",
        suite: "attach",
        case: ("Latest, beside 10,000 / ", ""),
        bytes: &[],
        figure: Ratio,
        bound: AtMost(2.0),
    },
];

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

impl Target {
    /// Compares the worst case with the bound. `None`: there is no case.
    fn verdict(&self, rows: &[Row]) -> Option<Verdict> {
        let covered = rows.iter().filter(|row| self.covers(row));
        let figures = covered.filter_map(|row| Some((self.value(row, rows)?, row)));
        let (value, row) = figures.reduce(|one, other| match self.bound.worse(one.0, other.0) {
            worse if worse == one.0 => one,
            _ => other,
        })?;
        let target = format!("{}: {}", self.what, self.bound.shown());
        Some(Verdict { target, value, row: row.clone(), holds: self.bound.holds(value) })
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
            Ratio => row.ratio,
            Median => Some(row.median),
            RatioTo(peer) => {
                let case = row.case.replacen("shmkit", peer, 1);
                let same = |it: &&Row| it.suite == row.suite && it.case == case;
                rows.iter().find(same).map(|other| row.median / other.median)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(case: &str, median: f64, ratio: Option<f64>) -> Row {
        let (suite, case) = ("fair".to_owned(), case.to_owned());
        Row { suite, case, bytes: 8, median, ratio, floor_moved: false }
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
        assert_eq!((missed.value, missed.holds), (49.0, false));
        assert_eq!(missed.row.case, "shmkit, 8 free: least");
        assert!(verdict(AtLeast(49.0)).unwrap().holds);
        assert_eq!(verdict(AtMost(69.0)).unwrap().value, 70.0);
        assert!(target(AtMost(1.0), &[64]).verdict(&rows).is_none());
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
