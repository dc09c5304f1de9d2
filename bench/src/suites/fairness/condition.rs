//! Waiters of one condition. One more worker notifies one of them at a time, each time after the
//! last one answered.

use std::io;

use super::shares::{Contest, Group, PLACES, SECTIONS};
use crate::harness::report::Report;
use crate::harness::workers::{Harness, cpus};
use crate::workloads::contention::LOCK;
use crate::workloads::turns::GIVER;

const WAITERS: usize = 8;
const FIRST: usize = GIVER + 1;
const PEERS: &[&str] = &["shmkit", "robust", "boost", "std"];

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    for (section, section_ns) in SECTIONS {
        for (place, place_cpus) in PLACES {
            let contest = Contest {
                task: "fair-condition",
                peers: PEERS,
                label: &format!("{WAITERS} {place}, {section}"),
                section_ns,
                cpus: cpus(place_cpus, FIRST + WAITERS),
                groups: &[Group { label: "", workers: FIRST..FIRST + WAITERS, what: LOCK }],
            };
            contest.run(harness, report)?;
        }
    }
    Ok(())
}
