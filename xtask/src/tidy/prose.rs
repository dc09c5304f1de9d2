//! The sentences of a file, word by word.
//!
//! ```text
//! /// A comment          ┐
//! /// of two lines.      ┘ one text: "a" "comment" "of" "two" "lines" "."
//! fn f() { g("a text") }   another:  "a" "text"
//! ```

/// A word in lower case, or a full stop, and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) line: usize,
}

/// A block of comments, a string, or a document.
pub(super) type Text = Vec<Word>;

/// Returns the text of a document.
pub(super) fn of_document(text: &str) -> Vec<Text> {
    let mut reader = Reader::of(text);
    let mut words = Text::new();
    while reader.peek(0).is_some() {
        reader.line_into(&mut words, "");
    }
    vec![words]
}

/// Returns the comments and strings of valid Rust source.
pub(super) fn of_rust(source: &str) -> Vec<Text> {
    let mut reader = Reader::of(source);
    let mut texts = Vec::new();
    // Whether only white space came since the last comment of a line.
    let mut goes_on = false;
    while let Some(letter) = reader.peek(0) {
        match (letter, reader.peek(1)) {
            ('/', Some('/')) => {
                if !goes_on {
                    texts.push(Text::new());
                }
                reader.line_into(texts.last_mut().expect("just pushed"), "/!");
                goes_on = true;
                continue;
            }
            ('/', Some('*')) => texts.push(reader.block_comment()),
            ('"', _) => texts.push(reader.string()),
            ('r', Some('"' | '#')) if !reader.within_name() => texts.extend(reader.raw_string()),
            ('\'', _) => reader.skip_quote(),
            _ => reader.skip(1),
        }
        goes_on &= letter.is_whitespace();
    }
    texts
}

/// Reads a source letter by letter.
struct Reader {
    letters: Vec<char>,
    at: usize,
    line: usize,
}

impl Reader {
    fn of(text: &str) -> Self {
        Self { letters: text.chars().collect(), at: 0, line: 1 }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.letters.get(self.at + ahead).copied()
    }

    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.line += usize::from(self.peek(0) == Some('\n'));
            self.at += 1;
        }
    }

    /// Returns whether the letter here continues a name. The `r` of `br"..."` does not.
    fn within_name(&self) -> bool {
        let before = &self.letters[..self.at];
        let is_prefix = matches!(before, [.., 'b' | 'c'])
            && !matches!(before, [.., letter, _] if is_of_word(*letter));
        before.last().is_some_and(|letter| is_of_word(*letter)) && !is_prefix
    }

    /// Reads the rest of the line, without the `marks` at its start. A line without words ends a
    /// sentence.
    fn line_into(&mut self, words: &mut Text, marks: &str) {
        while self.peek(0).is_some_and(|letter| marks.contains(letter)) {
            self.skip(1);
        }
        let start = self.at;
        while self.peek(0).is_some_and(|letter| letter != '\n') {
            self.skip(1);
        }
        let line: String = self.letters[start..self.at].iter().collect();
        if line.trim().is_empty() {
            words.push(Word { text: ".".to_owned(), line: self.line });
        }
        take_words(&line, self.line, words);
        self.skip(1);
    }

    /// Reads a block comment, which can contain others.
    fn block_comment(&mut self) -> Text {
        let mut depth = 0;
        self.take(|reader| {
            match (reader.peek(0), reader.peek(1)) {
                (Some('/'), Some('*')) => depth += 1,
                (Some('*'), Some('/')) => depth -= 1,
                _ => return (1, false),
            }
            (2, depth == 0)
        })
    }

    /// Reads a string.
    fn string(&mut self) -> Text {
        let start = self.at;
        self.take(|reader| match reader.peek(0) {
            Some('\\') => (2, false),
            Some('"') => (1, reader.at > start),
            _ => (1, false),
        })
    }

    /// Reads a raw string. Returns `None` for `r#name`.
    fn raw_string(&mut self) -> Option<Text> {
        self.skip(1);
        let marks = (0..).take_while(|&ahead| self.peek(ahead) == Some('#')).count();
        if self.peek(marks) != Some('"') {
            return None;
        }
        self.skip(marks);
        let start = self.at;
        Some(self.take(|reader| {
            let ends = reader.peek(0) == Some('"')
                && reader.at > start
                && (1..=marks).all(|ahead| reader.peek(ahead) == Some('#'));
            (1, ends)
        }))
    }

    /// Skips the start of a character literal, or the mark of a lifetime.
    fn skip_quote(&mut self) {
        let letters = match (self.peek(1), self.peek(2)) {
            // The rest of an escape contains no quote that could begin a string.
            (Some('\\'), _) => 3,
            (_, Some('\'')) => 3,
            _ => 1,
        };
        self.skip(letters);
    }

    /// Reads words. `step` returns how many letters to read together, and whether they are the
    /// last.
    fn take(&mut self, mut step: impl FnMut(&Self) -> (usize, bool)) -> Text {
        let mut words = Text::new();
        let (mut line, mut text) = (self.line, String::new());
        while self.peek(0).is_some() {
            let (letters, ends) = step(self);
            if self.line != line {
                take_words(&text, line, &mut words);
                (line, text) = (self.line, String::new());
            }
            // An escaped letter belongs to no word.
            text.push(self.peek(0).filter(|_| letters == 1).unwrap_or(' '));
            self.skip(letters);
            if ends {
                break;
            }
        }
        take_words(&text, line, &mut words);
        words
    }
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Adds the words of a line, and its full stops, which are not inside a word or number.
fn take_words(line: &str, number: usize, words: &mut Text) {
    let mut word = String::new();
    let mut push = |text: &mut String| {
        if !text.is_empty() {
            words.push(Word { text: std::mem::take(text).to_lowercase(), line: number });
        }
    };
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        if is_of_word(letter) {
            word.push(letter);
            continue;
        }
        push(&mut word);
        if letter == '.' && !letters.peek().is_some_and(|next| is_of_word(*next)) {
            push(&mut ".".to_owned());
        }
    }
    push(&mut word);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(found: Vec<Text>) -> Vec<String> {
        let words = |text: Text| {
            let words = text.into_iter().map(|word| format!("{}{}", word.text, word.line));
            words.collect::<Vec<_>>().join(" ")
        };
        found.into_iter().map(words).collect()
    }

    #[test]
    fn comments_that_follow_each_other_are_one_text() {
        let source = "/// One\n    /// two. Three's\nfn f() {} // x.y\n\n//\n// z /* a\n/* b /* c */\n d */ e";
        let expected = ["one1 two2 .2 three2 s2", "x3 y3 .5 z6 a6", "b7 c7 d8"];
        assert_eq!(texts(of_rust(source)), expected);
    }

    #[test]
    fn strings_are_texts_and_code_is_none() {
        let source = r###"let a = "b \"c\" \
            d\n"; r"e\" r#"f "g" // h"# br#"i"# r#type for"x" 'j' '"' '\'' '\\' '\u{1}' &'k str"l""###;
        let expected = ["b1 c1 d2", "e2", "f2 g2 h2", "i2", "x2", "l2"];
        assert_eq!(texts(of_rust(source)), expected);
    }

    #[test]
    fn a_document_is_one_text() {
        assert_eq!(texts(of_document("# One\n\ntwo\n")), ["one1 .2 two3"]);
    }
}
