//! Messages of 64 bytes from one worker to another, none of which is lost: the time for each.

use std::io;

use crate::harness::pair::Pair;
use crate::harness::report::Report;
use crate::harness::workers::Harness;
use crate::workloads::messages::WORDS;

const ROUNDS: u64 = 200_000;

const FLOOR: &str = "messages/ring";
/// A name, a workload, and the number of priorities.
const SUBJECTS: [(&str, &str, usize); 6] = [
    ("bare ring", FLOOR, 1),
    ("shmkit, as sent", "messages/shmkit", 1),
    ("shmkit, by 1 priority", "messages/shmkit-priorities", 1),
    ("shmkit, by 8 priorities", "messages/shmkit-priorities", 8),
    ("Boost, by 1 priority", "messages/boost", 1),
    ("Boost, by 8 priorities", "messages/boost", 8),
];

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    for (name, workload, priorities) in SUBJECTS {
        let case = format!("{name} / bare ring");
        if !harness.wants(&case) {
            continue;
        }
        let pair = Pair::start(harness, FLOOR, workload, priorities, &[0, 1]);
        let Some(pair) = pair else { continue };
        let samples = pair.sample(|workers| workers.time(ROUNDS));
        report.tell(&case, 8 * WORDS, "ns", &samples)?;
    }
    Ok(())
}
