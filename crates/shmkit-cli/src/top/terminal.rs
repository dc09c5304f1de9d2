//! The terminal while `shm top` fills it. However the command ends, it is left as it was.
//!
//! | end | who restores it |
//! |---|---|
//! | `q`, ctrl-c, SIGTERM, SIGHUP, an error | the drop of [`Screen`] |
//! | a panic | the hook, before it prints the message |
//! | a bus error, a lack of memory | the handler in `sys` |

use std::io::{self, Stdout, Write};
use std::panic;

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::{Frame, Terminal};

use crate::sys;

/// The terminal, filled by this command.
pub(super) struct Screen(Terminal<CrosstermBackend<Stdout>>);

/// What a terminal with the codes of xterm takes for: leave the other screen, show the cursor.
const RESTORE: &[u8] = b"\x1b[?1049l\x1b[?25h";

impl Screen {
    /// Takes the terminal.
    pub(super) fn open() -> io::Result<Self> {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            restore();
            hook(panic);
        }));
        sys::restore_at_sudden_end(RESTORE);
        enable_raw_mode()?;
        // From here on, dropping it restores the terminal.
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()));
        let screen = terminal.map(Self).inspect_err(|_| restore())?;
        execute!(io::stdout(), EnterAlternateScreen, Hide)?;
        Ok(screen)
    }

    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.0.draw(draw).map(drop)
    }

    /// Draws everything again at the next `draw`, also where nothing has changed.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.0.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Leaves the terminal as it was. It can be gone by now.
fn restore() {
    let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
    let _ = io::stdout().flush();
    let _ = disable_raw_mode();
}

#[cfg(all(test, target_os = "linux"))]
#[path = "../../tests/running/pseudo_terminal.rs"]
#[allow(dead_code, reason = "the tests of the command need the rest")]
mod pseudo_terminal;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::pseudo_terminal::PseudoTerminal;
    use super::*;

    /// In a process of its own, which this starts again, because a panic of a test is captured.
    const ROLE: &str = "SHM_TEST_PANICS_ON_A_SCREEN";

    #[test]
    fn a_panic_is_printed_after_the_terminal_was_restored() {
        if std::env::var_os(ROLE).is_some() {
            let mut screen = Screen::open().unwrap();
            screen.draw(|frame| frame.render_widget("drawn", frame.area())).unwrap();
            panic!("on purpose");
        }
        let mut command = Command::new(std::env::current_exe().unwrap());
        let this = "top::terminal::tests::a_panic_is_printed_after_the_terminal_was_restored";
        command.args(["--exact", this, "--nocapture"]).env(ROLE, "1");
        let mut terminal = PseudoTerminal::new();
        let mode = terminal.mode();
        terminal.start(&command);
        assert!(!terminal.end().success());
        assert_eq!(terminal.mode(), mode);
        let seen = &terminal.seen;
        let [drawn, left, panic] =
            ["drawn", "\x1b[?1049l", "on purpose"].map(|it| seen.find(it).expect(it));
        assert!(drawn < left && left < panic, "{seen:?}");
    }
}
