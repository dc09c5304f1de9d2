//! What the parsers of declarations and of values have in common.

use std::borrow::Cow;

/// The part of a text that is not parsed yet.
#[derive(Clone, Copy)]
pub(super) struct Unparsed<'t> {
    pub(super) rest: &'t str,
}

impl<'t> Unparsed<'t> {
    /// Takes the characters up to the first one that `is_end`, without white space before them.
    pub(super) fn take_until(&mut self, is_end: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest.trim_start();
        let (taken, rest) = rest.split_at(rest.find(is_end).unwrap_or(rest.len()));
        self.rest = rest;
        taken
    }

    /// Takes this character, if it is the next one. Returns whether it was.
    pub(super) fn accept(&mut self, c: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes this character, which must be the next one.
    pub(super) fn expect(&mut self, c: char) -> Result<(), String> {
        match self.rest.trim() {
            _ if self.accept(c) => Ok(()),
            "" => Err(format!("expected {c} at the end")),
            rest => Err(format!("expected {c} before {:?}", shortened(rest))),
        }
    }
}

/// Returns the text, or its beginning if it is long, for a message.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    const MOST: usize = 40;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]).into(),
        None => text.into(),
    }
}
