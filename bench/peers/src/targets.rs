//! How good the figures must be.

use std::io;

use crate::harness::report::Report;
use crate::target::Bound::{AtLeast, AtMost};
use crate::target::Figure::{Ratio, RatioTo};
use crate::target::Target;

/// A suite, and what the names of its cases begin and end with.
type Cases = (&'static str, &'static str, &'static str);

const ALL_PEERS: Cases = ("round-trip", "", "/ shmkit");

const TARGETS: &[Target] = &[
    Target::new(
        "64 B there and back / the same bytes copied",
        ("round-trip", "shmkit", "copied"),
        Ratio,
        AtMost(1.25),
    ),
    Target::new(
        "64 B there and back: iceoryx2 / shmkit",
        ("round-trip", "iceoryx2", ""),
        Ratio,
        AtLeast(5.0),
    ),
    Target::new("64 B there and back: each peer / shmkit", ALL_PEERS, Ratio, AtLeast(1.0)),
    Target::new("1 MiB loaned / 64 B", ("loaned", "shmkit", ""), Ratio, AtMost(1.1)),
    Target::new(
        "wake-up and back / futex, two cores",
        ("asleep", "shmkit", "two cores"),
        Ratio,
        AtMost(1.15),
    ),
    Target::new(
        "wake-up and back / futex, one core",
        ("asleep", "shmkit", "one core"),
        Ratio,
        AtMost(1.3),
    ),
    Target::new(
        "wake-up and back: iceoryx2\'s events / shmkit",
        ("asleep", "iceoryx2 events", ""),
        Ratio,
        AtLeast(1.0),
    ),
    Target::new("64 B one way / bare ring", ("one-way", "shmkit", ""), Ratio, AtMost(1.05)),
    Target::new(
        "64 B one way: each peer / shmkit",
        ("one-way", "", "/ shmkit"),
        Ratio,
        AtLeast(1.0),
    ),
    Target::new("64 KiB copied / bare ring", ("copied", "shmkit", ""), Ratio, AtMost(1.2)),
    Target::new(
        "publishing to 4, 16 and 64 / to 1",
        ("fan-out", "shmkit", "subscribers / 1"),
        Ratio,
        AtMost(1.7),
    ),
    Target::new(
        "a message through a queue / bare ring",
        ("queue", "shmkit, as sent", ""),
        Ratio,
        AtMost(2.0),
    ),
    Target::new(
        "a message by priority / Boost",
        ("queue", "shmkit, by", ""),
        RatioTo("Boost"),
        AtMost(1.0),
    ),
];

/// Prints which targets hold, of those that were measured.
pub(crate) fn tell(report: &mut Report) -> io::Result<()> {
    let verdicts = TARGETS.iter().filter_map(|target| target.verdict(report.rows()));
    let verdicts: Vec<_> = verdicts.collect();
    report.tell_verdicts(&verdicts)
}
