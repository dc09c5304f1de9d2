//! Clocks, signals, and memory that `shm_open` knows.

mod running;

use std::io;
use std::process::Child;
use std::time::Duration;

pub(crate) use running::run;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Raw memory here.
pub(crate) mod raw {
    /// Whether it stays when the last who has it leaves.
    pub(crate) const STAYS: bool = true;
    /// Where it is.
    pub(crate) const PLACE: &str =
        if cfg!(target_os = "linux") { "in /dev/shm" } else { "where `shm_open` has it" };
    /// What its name is to other programs.
    pub(crate) const NAME: &str = match cfg!(target_os = "linux") {
        true => {
            "NAME is what `shm_open`, Boost's `shared_memory_object` and Python's `SharedMemory` \
             know by that name: the file of that name in /dev/shm"
        }
        false => "NAME is what `shm_open` and Python's `SharedMemory` know by that name",
    };
}

/// How `Child::kill` ends a child.
pub(crate) const KILL: &str = "SIGKILL";

/// Nanoseconds on the clock that never jumps, the same for all processes of the machine.
pub(crate) fn monotonic_ns() -> u64 {
    duration(clock_gettime(ClockId::Monotonic)).as_nanos() as u64
}

/// The processor time that this process has used, all threads and the system's work included.
pub(crate) fn processor_time() -> Duration {
    duration(clock_gettime(ClockId::ProcessCPUTime))
}

fn duration(time: Timespec) -> Duration {
    Duration::try_from(time).expect("these clocks begin at 0")
}

/// Has `heard` called in a thread of its own, once, when ctrl-c is pressed or the process is asked
/// to end.
pub(crate) fn on_interrupt(heard: impl FnOnce() + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new().spawn(move || {
        if signals.forever().next().is_some() {
            heard();
        }
    })?;
    Ok(())
}

/// Stops a child, wherever it is, and returns once it stands still.
pub(crate) fn stop(child: &Child) -> io::Result<()> {
    let child = Pid::from_child(child);
    rustix::process::kill_process(child, Signal::STOP)?;
    // Its end, should it come instead, is left for `Child::wait`.
    let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    loop {
        match rustix::process::waitid(WaitId::Pid(child), options) {
            Err(rustix::io::Errno::INTR) => {}
            answer => return answer.map(|_| ()).map_err(Into::into),
        }
    }
}

/// Lets a stopped child go on.
pub(crate) fn go_on(child: &Child) -> io::Result<()> {
    Ok(rustix::process::kill_process(Pid::from_child(child), Signal::CONT)?)
}
