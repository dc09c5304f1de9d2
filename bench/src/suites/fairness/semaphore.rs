//! A contended semaphore with one permit, and with two.

use std::io;

use super::shares::{Contest, Group, PLACES, SECTIONS};
use crate::harness::report::Report;
use crate::harness::workers::{Harness, cpus};
use crate::workloads::contention::LOCK;

const WORKERS: usize = 8;
/// The label and the task, and the peers that have it. Robust pthread has no semaphore: its mutex
/// is one permit.
const PERMITS: [(&str, &str, &[&str]); 2] = [
    ("1 permit", "fair-permit", &["shmkit", "sem_t", "boost", "robust"]),
    ("2 permits", "fair-permits", &["shmkit", "sem_t", "boost"]),
];

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    for (section, section_ns) in SECTIONS.into_iter().filter(|(_, ns)| *ns > 0) {
        for (permits, task, peers) in PERMITS {
            for (place, place_cpus) in PLACES {
                let contest = Contest {
                    task,
                    peers,
                    label: &format!("{permits}, {WORKERS} {place}, {section}"),
                    section_ns,
                    cpus: cpus(place_cpus, WORKERS),
                    groups: &[Group { label: "", workers: 0..WORKERS, what: LOCK }],
                };
                contest.run(harness, report)?;
            }
        }
    }
    Ok(())
}
