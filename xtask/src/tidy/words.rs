//! Comments, strings and documents are plain technical English with the terms of the field.

use std::collections::BTreeSet;

use super::prose::{self, Word};
use super::tree::File;
use super::{Finding, Tree};

/// Phrases to avoid, and what to write instead. Words are compared in lower case. A phrase that
/// ends in `_` is the prefix of a name in code, and its case matters.
const PHRASES: &[(&str, &str)] = &[
    ("he", PROCESS),
    ("him", PROCESS),
    ("his", PROCESS),
    ("himself", PROCESS),
    ("she", PROCESS),
    ("somebody", "a process, another process"),
    ("anybody", "any process"),
    ("whoever", "any process that"),
    ("one who", PROCESS),
    ("those who", "the waiters, the processes that"),
    ("all who", "all waiters, all processes that"),
    ("who has", "the holder"),
    ("who waits", "the waiter"),
    ("who wait", "the waiters"),
    ("who sleeps", "the sleeping waiter"),
    ("who sleep", "the sleeping waiters"),
    ("dead one", DEAD),
    ("dead ones", DEAD),
    ("such a one", "such a ..., by its name"),
    ("by this one", "by this handle, by this process"),
    ("be had", "available"),
    ("is had", "is held"),
    ("are had", "are held"),
    ("being in step", "synchronisation"),
    ("mend", "repair"),
    ("mends", "repairs"),
    ("mended", "repaired"),
    ("mending", "repairing"),
    ("bury", "reap"),
    ("buries", "reaps"),
    ("buried", "reaped"),
    ("burying", "reaping"),
    ("bereaved", "whose holder died"),
    ("foretold", "known before"),
    ("mourn", "report the death of"),
    ("mourning", "the report of a death"),
    ("in vain", "without success"),
    ("as there.", "the kinds of error"),
    ("MOST_", "MAX_"),
];
const PROCESS: &str = "the holder, the waiter, the caller, the process";
const DEAD: &str = "a dead participant, a dead process";

const README: &str = "README.md";
/// This file contains the phrases.
const THIS_FILE: &str = "xtask/src/tidy/words.rs";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let phrases: Vec<_> = PHRASES
        .iter()
        .filter(|(phrase, _)| !phrase.ends_with('_'))
        .map(|(phrase, instead)| (*phrase, split(phrase), *instead))
        .collect();
    // The folders of the crates have links to the README.
    let readme = tree.get(README).map(|readme| &readme.text);
    let is_copy = |file: &File| file.path != README && Some(&file.text) == readme;
    let files = tree.files().filter(|file| file.path != THIS_FILE && !is_copy(file));
    files.flat_map(|file| in_prose(file, &phrases).into_iter().chain(in_names(file))).collect()
}

/// Returns the words of a phrase, in the form of [`prose`].
fn split(phrase: &str) -> Vec<String> {
    let words = prose::of_document(phrase).into_iter().flatten();
    words.map(|word| word.text).collect()
}

fn in_prose(file: &File, phrases: &[(&str, Vec<String>, &str)]) -> Vec<Finding> {
    let texts = if file.rust.is_some() {
        prose::of_rust(&file.text)
    } else if file.path.ends_with(".md") {
        prose::of_document(&file.text)
    } else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for text in &texts {
        for (phrase, split, instead) in phrases {
            let is_phrase = |words: &&[Word]| words.iter().map(|it| &it.text).eq(split);
            for words in text.windows(split.len()).filter(is_phrase) {
                findings.push(finding(file, words[0].line, phrase, instead));
            }
        }
    }
    findings
}

fn in_names(file: &File) -> Vec<Finding> {
    let starts: Vec<_> = PHRASES.iter().filter(|(phrase, _)| phrase.ends_with('_')).collect();
    let mut findings = BTreeSet::new();
    for (line, text) in (1..).zip(file.text.lines()).filter(|_| file.rust.is_some()) {
        for name in text.split(|letter: char| !(letter.is_alphanumeric() || letter == '_')) {
            let bad = starts.iter().filter(|(start, _)| name.starts_with(start));
            findings.extend(bad.map(|(start, instead)| finding(file, line, start, instead)));
        }
    }
    findings.into_iter().collect()
}

fn finding(file: &File, line: usize, phrase: &str, instead: &str) -> Finding {
    file.finding(line, format!("\"{phrase}\": write in plain terms, for example \"{instead}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let found = check(&Tree::of([(path, text)]));
        found.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn phrases_are_found_in_comments_strings_and_documents() {
        let source = "/// Whoever\n/// waits.\nfn f(he: u8) {}\n// To be\n    // had.\n\nfn g() { h(\"His.\") }";
        assert_eq!(lines("a.rs", source), [1, 4, 7]);
        assert_eq!(lines("a.md", "x\nFor HIM and\nthose\nwho came."), [2, 3]);
        assert_eq!(lines("a.toml", "# somebody"), []);
    }

    #[test]
    fn only_whole_words_of_one_sentence_count() {
        let source =
            "// The history of a shehechey; as there is one. Who came?\n// As there\n// are.";
        assert_eq!(lines("a.rs", source), []);
        assert_eq!(lines("a.rs", "// # Errors\n//\n// As there."), [3]);
    }

    #[test]
    fn names_are_found_in_code() {
        assert_eq!(
            lines("a.rs", "const MOST_BYTES: u8 = 1;\nconst ALMOST_ALL: u8 = MOST_BYTES;"),
            [1, 2]
        );
        assert_eq!(lines("a.md", "MOST_BYTES"), []);
    }

    #[test]
    fn a_finding_tells_what_to_write_instead() {
        for (phrase, instead) in PHRASES {
            let text = if phrase.ends_with('_') {
                format!("fn {phrase}a() {{}}")
            } else {
                format!("// {phrase}")
            };
            let found = check(&Tree::of([("a.rs", text)]));
            assert!(
                found.iter().any(|it| it.what.ends_with(&format!("\"{instead}\""))),
                "{phrase}"
            );
        }
    }
}
