//! A comment before every ordering that synchronises names its partner.

use std::collections::BTreeSet;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::paths::paths;
use super::{Finding, Tree};

const LIBRARY: &str = "crates/shmkit/src/";
/// The definition of the atomics, and code that is private to a process.
const EXEMPT: [&str; 2] = ["crates/shmkit/src/memory/atomic.rs", "crates/shmkit/src/sys/"];
const ORDERINGS: [&str; 4] = ["Acquire", "Release", "AcqRel", "SeqCst"];
const TAG: &str = "// ORDERING:";
/// The number of lines that a comment covers.
const REACH: usize = 12;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust(LIBRARY) {
        if EXEMPT.iter().any(|exempt| file.path.starts_with(exempt)) {
            continue;
        }
        let lines: Vec<_> = file.text.lines().collect();
        let mut imports = Imports(BTreeSet::new());
        imports.visit_file(&rust.syntax);
        for path in paths(&rust.tokens) {
            let names_one = ORDERINGS.iter().any(|name| path.segments.last().unwrap() == name);
            if !names_one || rust.in_test(path.line) || imports.0.contains(&path.line) {
                continue;
            }
            let before = &lines[path.line.saturating_sub(REACH + 1)..path.line.min(lines.len())];
            if !before.iter().any(|line| line.contains(TAG)) {
                let ordering = path.segments.last().unwrap();
                let what =
                    format!("`{ordering}` without a partner: name it, `{TAG} {ordering}; ...`");
                findings.push(file.finding(path.line, what));
            }
        }
    }
    findings
}

/// The lines of `use` items.
struct Imports(BTreeSet<usize>);

impl Visit<'_> for Imports {
    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        let span = item.span();
        self.0.extend(span.start().line..=span.end().line);
        visit::visit_item_use(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of([(path, text)])).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn an_ordering_without_its_partner_is_found() {
        let path = "crates/shmkit/src/sync/owner.rs";
        let text = "use a::Ordering::{self, Acquire};
            fn f() { word.load(Acquire) }
            fn g() { fence(Ordering::SeqCst); word.load(Relaxed) }
            // ORDERING: Release; pairs with the Acquire in `f`.
            fn h() { word.store(1, Release) }
            #[cfg(test)] fn i() { word.load(Acquire) }";
        assert_eq!(lines(path, text), [2, 3]);
        assert_eq!(lines("crates/shmkit/src/sys/wait/model.rs", text), []);
    }

    #[test]
    fn a_comment_reaches_only_so_far() {
        let far = |gap| format!("{TAG} x\n{}fn f() {{ word.load(Acquire) }}", "\n".repeat(gap));
        assert_eq!(lines("crates/shmkit/src/sync/a.rs", &far(11)), []);
        assert_eq!(lines("crates/shmkit/src/sync/a.rs", &far(12)), [14]);
    }
}
