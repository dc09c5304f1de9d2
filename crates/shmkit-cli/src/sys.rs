//! What the command asks of the operating system itself: signals.

use std::io;

/// Has `heard` called in a thread of its own, once, when ctrl-c is pressed or the process is asked
/// to end.
pub(crate) fn on_interrupt(heard: impl FnOnce() + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            heard();
        }
    });
    Ok(())
}
