//! The cost of a long wait beside as many holders as an object can have: how much of a processor
//! the waiter uses.

use std::io;

use crate::harness::report::Report;
use crate::harness::samples::Samples;
use crate::harness::workers::{Harness, PINNED, Workers};
use crate::workloads::crowd::{processor_share, settle};

const SAMPLES: usize = 3;

const SUBJECTS: [(&str, &str); 2] = [
    ("shmkit RwLock, write, 1,023 readers", "holders-write/shmkit"),
    ("shmkit Semaphore, 1,023 holders", "holders-permit/shmkit"),
];

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    for (case, workload) in SUBJECTS {
        if !harness.wants(case) {
            continue;
        }
        let Some(workers) = Workers::start(harness, 0, workload, 1, &PINNED) else { continue };
        settle(&workers);
        let shares = (0..SAMPLES).map(|_| processor_share(&workers));
        report.tell(case, 0, "% of a core", &Samples::of(shares.collect()))?;
    }
    Ok(())
}
