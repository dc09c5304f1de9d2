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

/// Says something beside the output, on standard error. Where nobody listens, it is not said.
pub(crate) fn note(note: impl std::fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "shm: {note}");
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

fn styled(code: &'static str) -> (&'static str, &'static str) {
    if colours() { (code, "\x1b[0m") } else { ("", "") }
}

/// What stands before and behind what matters less.
pub(crate) fn faint() -> (&'static str, &'static str) {
    styled("\x1b[2m")
}

/// What stands before and behind headings.
pub(crate) fn bold() -> (&'static str, &'static str) {
    styled("\x1b[1m")
}

/// What stands before and behind what is wrong.
pub(crate) fn red() -> (&'static str, &'static str) {
    styled("\x1b[31m")
}

/// The text without what would control a terminal, where it goes to one.
pub(crate) fn harmless(text: String) -> String {
    if !is_terminal() || !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t') {
        return text;
    }
    let mut plain = String::new();
    for letter in text.chars() {
        match letter {
            '\n' | '\t' => plain.push(letter),
            _ if letter.is_control() => plain.extend(letter.escape_default()),
            _ => plain.push(letter),
        }
    }
    plain
}
