//! A contended lock for readers and writers: what each kind gets, and each worker of its kind.

use std::io;

use super::shares::{Contest, Group, PLACES, SECTIONS};
use crate::harness::report::Report;
use crate::harness::workers::{Harness, cpus};
use crate::workloads::contention::{READ, WRITE};

const WORKERS: usize = 8;
const WRITERS: [usize; 3] = [1, 4, 7];
/// Robust pthread has no such lock: its readers, too, acquire a mutex. `writers-first` is another
/// kind of pthread's lock.
const PEERS: &[&str] = &["shmkit", "robust", "pthread", "writers-first", "std"];

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    for (section, section_ns) in SECTIONS.into_iter().filter(|(_, ns)| *ns > 0) {
        for writers in WRITERS {
            for (place, place_cpus) in PLACES {
                let readers = WORKERS - writers;
                let contest = Contest {
                    task: "fair-rwlock",
                    peers: PEERS,
                    label: &format!("{writers} + {readers} {place}, {section}"),
                    section_ns,
                    cpus: cpus(place_cpus, WORKERS),
                    groups: &[
                        Group { label: "writers", workers: 0..writers, what: WRITE },
                        Group { label: "readers", workers: writers..WORKERS, what: READ },
                    ],
                };
                contest.run(harness, report)?;
            }
        }
    }
    Ok(())
}
