//! How long `lock()` takes beside two processes that attempt to acquire the mutex all the time,
//! without waiting.

use std::io;
use std::thread;
use std::time::Duration;

use crate::harness::report::Report;
use crate::harness::worker::FREE;
use crate::harness::workers::{Harness, Workers};
use crate::workloads::contention::{ATTEMPT, LOCK, LOCK_SELDOM};

const SECTIONS: [(&str, usize); 2] = [("100 us", 100_000), ("1 ms", 1_000_000)];
const PEERS: [&str; 2] = ["shmkit", "robust"];
const MODES: [(&str, u64); 2] = [("at once again", LOCK), ("seldom", LOCK_SELDOM)];
const PLACES: [(&str, [usize; 3]); 2] = [("pinned", [0, 1, 0]), ("free", [FREE; 3])];
/// The worker that locks. The others attempt.
const LOCKER: usize = 0;
const MEASURED: Duration = Duration::from_secs(4);

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    for (section, section_ns) in SECTIONS {
        for (mode, lock) in MODES {
            for (place, cpus) in PLACES {
                for peer in PEERS {
                    let case = format!("{peer}, {mode}, {place}, {section}: ");
                    if !harness.wants(&case) {
                        continue;
                    }
                    let workload = format!("fair/{peer}");
                    let workers = Workers::start(harness, 0, &workload, section_ns, &cpus);
                    let Some(workers) = workers else { continue };
                    let what = |number| if number == LOCKER { lock } else { ATTEMPT };
                    workers.during_each(workers.numbers(), what, || thread::sleep(MEASURED));
                    let waits = workers.waits(LOCKER..LOCKER + 1)?;
                    report.tell_waits(&case, &waits)?;
                }
            }
        }
    }
    Ok(())
}
