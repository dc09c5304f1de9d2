//! What goes to standard output: bytes, lines, colours where somebody sees them.
//!
//! Not `println!`, which panics when the reader has gone.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

/// Standard output, written in large pieces: flush before waiting and at the end.
pub(crate) fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::new(io::stdout().lock())
}

/// Writes one line, at once.
pub(crate) fn line(line: impl std::fmt::Display) -> io::Result<()> {
    let mut stdout = stdout();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Whether a person reads standard output.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether that person wants colours: see <https://no-color.org>.
fn colours() -> bool {
    let said = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    is_terminal() && said("NO_COLOR").is_none() && said("TERM").is_none_or(|term| term != "dumb")
}

/// What stands before and behind what matters less.
pub(crate) fn faint() -> (&'static str, &'static str) {
    if colours() { ("\x1b[2m", "\x1b[0m") } else { ("", "") }
}
