//! Events of a console.

use std::io::Write;
use std::os::windows::process::CommandExt;
use std::process::{Child, Command};

use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent};
use windows_sys::Win32::System::Threading::CREATE_NEW_PROCESS_GROUP;

/// Has the command start in a group of its own, for [`interrupt`].
pub(crate) fn group(command: &mut Command) -> &mut Command {
    command.creation_flags(CREATE_NEW_PROCESS_GROUP)
}

/// Sends ctrl-break to a group, which ctrl-c does not reach. Returns false without a console.
///
/// Wine has none without a display, so this is printed, but no failure under CI.
pub(crate) fn interrupt(child: &Child) -> bool {
    // SAFETY: the arguments are numbers.
    let sent = unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, child.id()) } != 0;
    if !sent {
        let why = std::io::Error::last_os_error();
        let _ = writeln!(std::io::stderr(), "SKIPPED: ctrl-break: no console sends it: {why}");
    }
    sent
}
