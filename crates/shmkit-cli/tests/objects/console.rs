//! What a console does to those that it shows.

use std::io::Write;
use std::os::windows::process::CommandExt;
use std::process::{Child, Command};

use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent};
use windows_sys::Win32::System::Threading::CREATE_NEW_PROCESS_GROUP;

/// The command, to be started in a group that [`interrupt`] reaches.
pub(crate) fn group(command: &mut Command) -> &mut Command {
    command.creation_flags(CREATE_NEW_PROCESS_GROUP)
}

/// Presses ctrl-break for a group (ctrl-c is not for groups); `false` where there is no console.
///
/// Wine makes none without a display, so that this is said aloud, but no failure under CI.
pub(crate) fn interrupt(child: &Child) -> bool {
    // SAFETY: takes numbers alone.
    let sent = unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, child.id()) } != 0;
    if !sent {
        let why = std::io::Error::last_os_error();
        let _ = writeln!(std::io::stderr(), "SKIPPED: ctrl-break: no console sends it: {why}");
    }
    sent
}
