//! Standard output and standard error: bytes, lines, and styles on a terminal.
//!
//! `println!` panics when the reader has closed the pipe, so nothing here uses it.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

/// Standard output. Its errors say so.
struct Stdout(StdoutLock<'static>);

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(cannot_write)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(cannot_write)
    }
}

fn cannot_write(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write to standard output: {error}"))
}

/// Returns buffered standard output. The caller flushes it before it waits and at the end.
pub(crate) fn stdout() -> impl Write {
    BufWriter::new(Stdout(io::stdout().lock()))
}

/// Writes one line and flushes it.
pub(crate) fn line(line: impl std::fmt::Display) -> io::Result<()> {
    let mut stdout = stdout();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Writes a message to standard error, with control characters escaped: it can contain names and
/// paths of other users. A closed standard error is not a failure.
pub(crate) fn note(note: impl std::fmt::Display) {
    let note = escaped(&note.to_string(), |letter| letter == '\n');
    let _ = writeln!(io::stderr().lock(), "shm: {note}");
}

/// Returns whether standard output is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Returns whether to use styles: on a terminal, unless NO_COLOR is set (<https://no-color.org>).
fn has_styles() -> bool {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let is_dumb = variable("TERM").is_some_and(|term| term == "dumb");
    is_terminal() && variable("NO_COLOR").is_none() && !is_dumb
}

fn styled(code: &'static str) -> (&'static str, &'static str) {
    if has_styles() { (code, "\x1b[0m") } else { ("", "") }
}

/// Returns the start and the end of text that matters less.
pub(crate) fn faint() -> (&'static str, &'static str) {
    styled("\x1b[2m")
}

/// Returns the start and the end of a heading.
pub(crate) fn bold() -> (&'static str, &'static str) {
    styled("\x1b[1m")
}

/// Returns the start and the end of an error.
pub(crate) fn red() -> (&'static str, &'static str) {
    styled("\x1b[31m")
}

/// Returns the text unchanged, but on a terminal with control characters escaped.
pub(crate) fn printable(text: String) -> String {
    if is_terminal() { escaped(&text, |letter| letter == '\n' || letter == '\t') } else { text }
}

/// Returns the text with its control characters escaped, except those that are allowed.
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
    fn control_characters_are_escaped() {
        let text = "a\\b\n\tö\x1b[2J\u{9b}";
        assert_eq!(escaped(text, |_| false), r"a\b\n\tö\u{1b}[2J\u{9b}");
        assert_eq!(escaped(text, |it| it == '\n'), "a\\b\n\\tö\\u{1b}[2J\\u{9b}");
    }
}
