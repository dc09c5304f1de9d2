//! A contended mutex.

use std::io;

use super::shares::{Contest, Group, PLACES, SECTIONS};
use crate::harness::report::Report;
use crate::harness::workers::{Harness, cpus};
use crate::workloads::contention::LOCK;

const WORKERS: [usize; 3] = [2, 4, 8];
const PEERS: &[&str] = &["shmkit", "robust", "boost", "std", "parking_lot"];

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    for (section, section_ns) in SECTIONS {
        for workers in WORKERS {
            for (place, place_cpus) in PLACES {
                let contest = Contest {
                    task: "fair",
                    peers: PEERS,
                    label: &format!("{workers} {place}, {section}"),
                    section_ns,
                    cpus: cpus(place_cpus, workers),
                    groups: &[Group { label: "", workers: 0..workers, what: LOCK }],
                };
                contest.run(harness, report)?;
            }
        }
    }
    Ok(())
}
