//! No marks of unfinished work are committed: an issue is the place for that.

use super::{Finding, Tree};

/// In two halves, so that this file passes its own check.
const WORDS: [(&str, &str); 3] = [("TO", "DO"), ("FIX", "ME"), ("XX", "X")];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files() {
        for (line, text) in (1..).zip(file.text.lines()) {
            let mut words = text.split(|it: char| !it.is_alphanumeric() && it != '_');
            let left = words.find(|word| WORDS.iter().any(|(a, b)| *word == format!("{a}{b}")));
            if let Some(word) = left {
                let what = format!("{word}: do it now, or open an issue and delete the line");
                findings.push(file.finding(line, what));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mark_is_found_as_a_word_of_its_own() {
        for (a, b) in WORDS {
            let tree = Tree::of([("a/b.sh", format!("true\n# {a}{b}: later"))]);
            let found = check(&tree);
            assert_eq!((found.len(), found[0].line), (1, 2));
            let tree = Tree::of([("a.sh", format!("mktemp {a}{b}{a}{b}"))]);
            assert_eq!(check(&tree), []);
        }
    }
}
