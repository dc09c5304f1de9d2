//! What the command asks of the operating system itself: clocks, signals, the state of a child.

use std::io;
use std::process::Child;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use rustix::time::{ClockId, Timespec, clock_gettime};

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
