//! A file is one concept, a function one screen, a line 100 columns.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::tree::{File, Rust};
use super::{Finding, Tree};

/// Tests do not count.
const FILE_LINES: usize = 600;
/// From its signature to its closing brace.
const FUNCTION_LINES: usize = 70;
const COLUMNS: usize = 100;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust("") {
        findings.extend(long_file(file, rust));
        findings.extend(long_lines(file, rust));
        let mut functions = Functions { file, findings: Vec::new() };
        functions.visit_file(&rust.syntax);
        findings.append(&mut functions.findings);
    }
    findings
}

/// Files under a `tests` folder are programs of their own, and count whole.
fn long_file(file: &File, rust: &Rust) -> Option<Finding> {
    let whole = file.path.contains("/tests/") && !file.path.ends_with("/tests.rs");
    let lines = file.text.lines().count();
    let counted = (1..=lines).filter(|&line| whole || !rust.in_test(line)).count();
    (counted > FILE_LINES).then(|| {
        let what = format!("{counted} lines without tests: split it, at most {FILE_LINES}");
        file.finding(lines, what)
    })
}

/// rustfmt leaves comments and strings as they are. A string in a test may be as long as it likes.
fn long_lines(file: &File, rust: &Rust) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut strings = BTreeSet::new();
    literals(rust.tokens.clone(), &mut strings);
    for (line, text) in (1..).zip(file.text.lines()) {
        let columns = text.chars().count();
        let string_in_test = rust.in_test(line) && strings.contains(&line);
        if columns > COLUMNS && !string_in_test {
            let what = format!("{columns} columns: break the line, at most {COLUMNS}");
            findings.push(file.finding(line, what));
        }
    }
    findings
}

/// The lines in which a literal stands.
fn literals(tokens: TokenStream, lines: &mut BTreeSet<usize>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => literals(group.stream(), lines),
            TokenTree::Literal(literal) => {
                let span = literal.span();
                lines.extend(span.start().line..=span.end().line);
            }
            _ => {}
        }
    }
}

struct Functions<'a> {
    file: &'a File,
    findings: Vec<Finding>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let start = signature.span().start().line;
        let lines = body.span().end().line - start + 1;
        if lines > FUNCTION_LINES {
            let name = &signature.ident;
            let what = format!("`{name}` has {lines} lines: split it, at most {FUNCTION_LINES}");
            self.findings.push(self.file.finding(start, what));
        }
    }
}

impl Visit<'_> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &syn::ItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &syn::ImplItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.measure(&item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<Finding> {
        check(&Tree::of([(path, text)]))
    }

    fn function(name: &str, lines: usize) -> String {
        format!("/// Doc.\nfn {name}() {{{}}}\n", "\n".repeat(lines - 1))
    }

    #[test]
    fn a_function_over_a_screen_is_found() {
        assert_eq!(findings("a.rs", &function("fits", 70)), []);
        let found = findings("a.rs", &function("too_long", 71));
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().starts_with("a.rs:2: `too_long` has 71 lines"));
        let method = format!("impl A {{\n{}}}", function("method", 71).replace("///", "//"));
        assert_eq!(findings("a.rs", &method).len(), 1);
        let default = format!("trait A {{\n{}}}", function("default", 71));
        assert_eq!(findings("a.rs", &default).len(), 1);
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let code = "const _: () = ();\n".repeat(600);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}", "\n".repeat(300));
        assert_eq!(findings("a.rs", &(code.clone() + &tests)), []);
        let found = findings("a.rs", &(code + "\n" + &tests));
        assert!(found[0].what.starts_with("601 lines without tests"), "{found:?}");
    }

    #[test]
    fn a_test_module_may_be_long_and_a_test_program_not() {
        assert_eq!(findings("src/a/tests.rs", &"\n".repeat(700)), []);
        assert_eq!(findings("crates/a/tests/b.rs", &"\n".repeat(700)).len(), 1);
    }

    #[test]
    fn a_long_line_is_found_and_a_string_in_a_test_is_not() {
        let long = "x".repeat(98);
        assert_eq!(findings("a.rs", &format!("//{long}")), []);
        assert_eq!(findings("a.rs", &format!("///{long}\nfn a() {{}}"))[0].line, 1);
        let test = format!("#[cfg(test)]\nconst A: &str = \"\n{long}{long}\n\";");
        assert_eq!(findings("src/a/tests.rs", &test), []);
    }
}
