//! Standard output and standard error: bytes, lines, and styles on a terminal.
//!
//! `println!` panics when the reader has closed the pipe, so nothing here uses it.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use crate::sys;

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
    let is_closed = sys::is_closed_pipe(&error);
    let kind = if is_closed { io::ErrorKind::BrokenPipe } else { error.kind() };
    io::Error::new(kind, format!("cannot write to standard output: {error}"))
}

/// Writes any bytes to what takes only UTF-8: `U+FFFD` in place of other bytes.
struct AsText<W> {
    inner: W,
    /// The bytes that were written last, if they begin a character.
    begun: Vec<u8>,
}

impl<W: Write> Write for AsText<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = std::mem::take(&mut self.begun);
        text.extend_from_slice(bytes);
        let mut chunks = text.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.inner.write_all(chunk.valid().as_bytes())?;
            let begins = |it| std::str::from_utf8(it).is_err_and(|it| it.error_len().is_none());
            match chunk.invalid() {
                [] => {}
                begun if chunks.peek().is_none() && begins(begun) => self.begun = begun.to_vec(),
                _ => self.inner.write_all(REPLACEMENT)?,
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !std::mem::take(&mut self.begun).is_empty() {
            self.inner.write_all(REPLACEMENT)?;
        }
        self.inner.flush()
    }
}

const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// Returns buffered standard output. The caller flushes it before it waits and at the end.
pub(crate) fn stdout() -> Box<dyn Write> {
    let stdout = Stdout(io::stdout().lock());
    if sys::TERMINAL_TAKES_ONLY_TEXT && is_terminal() {
        return Box::new(BufWriter::new(AsText { inner: stdout, begun: Vec::new() }));
    }
    Box::new(BufWriter::new(stdout))
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

/// Returns whether standard output is a terminal that has more than lines.
pub(crate) fn has_cursor() -> bool {
    is_terminal() && variable("TERM").is_none_or(|term| term != "dumb")
}

/// Returns whether to use styles: on a terminal, unless NO_COLOR is set (<https://no-color.org>).
fn has_styles() -> bool {
    has_cursor() && variable("NO_COLOR").is_none()
}

fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
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

    #[test]
    fn what_is_not_utf_8_is_replaced_wherever_the_pieces_end() {
        let bytes = b"a\xff\xfe\xc3\xa4\xe2\x82x\xf0\x9f\x98\x80\xe2\x82";
        let expected = "a\u{fffd}\u{fffd}\u{e4}\u{fffd}x\u{1f600}\u{fffd}";
        for length in 1..=bytes.len() {
            let mut text = AsText { inner: Vec::new(), begun: Vec::new() };
            bytes.chunks(length).for_each(|piece| text.write_all(piece).unwrap());
            text.flush().unwrap();
            text.flush().unwrap();
            assert_eq!(String::from_utf8(text.inner).unwrap(), expected, "{length}");
        }
    }

    #[test]
    fn a_closed_pipe_is_told_from_other_errors_and_keeps_its_words() {
        // EPIPE and EIO; ERROR_NO_DATA, ERROR_PIPE_NOT_CONNECTED and ERROR_WRITE_FAULT.
        let (closed, other) = if cfg!(windows) { (&[232, 233][..], 29) } else { (&[32][..], 5) };
        for code in closed {
            let error = cannot_write(io::Error::from_raw_os_error(*code));
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{error}");
            assert!(error.to_string().starts_with("cannot write to standard output: "), "{error}");
        }
        let error = cannot_write(io::Error::from_raw_os_error(other));
        assert_ne!(error.kind(), io::ErrorKind::BrokenPipe, "{error}");
    }
}
