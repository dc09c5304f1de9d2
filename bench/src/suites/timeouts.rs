//! The cost of waits that end by their timeout: how much of a processor 100 processes use together
//! that wait again and again, while another process holds what they wait for.

use std::io;
use std::thread;
use std::time::Duration;

use crate::harness::mailbox::RUN;
use crate::harness::pair::Pair;
use crate::harness::report::Report;
use crate::harness::workers::{Harness, PINNED, Workers, cpus};
use crate::workloads::takeover::{WAITER, hold};

const WAITERS: usize = 100;
const TIMEOUTS: [(&str, Duration); 2] =
    [("10 ms", Duration::from_millis(10)), ("100 ms", Duration::from_millis(100))];
/// How long a sample is, at least.
const COUNTED: Duration = Duration::from_millis(500);

const FLOOR: &str = "timeouts/robust";
const SUBJECTS: [(&str, &str); 4] = [
    ("shmkit Mutex", "timeouts/shmkit"),
    ("shmkit RwLock, write", "timeouts-write/shmkit"),
    ("shmkit Semaphore", "timeouts-permit/shmkit"),
    ("robust pthread mutex", "timeouts/robust"),
];

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    let cpus = cpus(PINNED, WAITERS + 1);
    for (label, timeout) in TIMEOUTS {
        for (name, workload) in SUBJECTS {
            let case = format!("{name}, {label} / robust pthread");
            if !harness.wants(&case) {
                continue;
            }
            let timeout_ns = timeout.as_nanos() as usize;
            let pair = Pair::start(harness, FLOOR, workload, timeout_ns, &cpus);
            let Some(pair) = pair else { continue };
            pair.each(hold);
            let samples = pair.sample(processor_share);
            report.tell(&case, 0, "% of a core", &samples)?;
        }
    }
    Ok(())
}

/// Returns how much of a processor all waiters use together, in per cent. The holder holds.
fn processor_share(workers: &Workers<'_>) -> f64 {
    let waiters = WAITER..workers.len();
    workers.during_each(waiters.clone(), |_| RUN, || thread::sleep(COUNTED));
    waiters.map(|waiter| workers.spent(waiter)).map(|it| it.used_ns / it.elapsed_ns * 100.0).sum()
}
