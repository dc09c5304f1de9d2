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
    if is_terminal() { escaped(&text, |letter| letter == '\n' || letter == '\t') } else { text }
}

/// The text with its control characters escaped, but for those that are allowed.
pub(crate) fn escaped(text: &str, allowed: impl Fn(char) -> bool) -> String {
    let mut plain = String::new();
    for letter in text.chars() {
        if letter.is_control() && !allowed(letter) {
            plain.extend(letter.escape_default());
        } else {
            plain.push(letter);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_controls_a_terminal_is_escaped() {
        let text = "a\\b\n\tö\x1b[2J\u{9b}";
        assert_eq!(escaped(text, |_| false), r"a\b\n\tö\u{1b}[2J\u{9b}");
        assert_eq!(escaped(text, |it| it == '\n'), "a\\b\n\\tö\\u{1b}[2J\\u{9b}");
    }
}
