//! Limits of sizes: a file is one concept, a function one screen, a line 100 columns, and most
//! functions are short.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::tree::{File, Rust};
use super::{Finding, Tree};

/// The most lines of a file, without tests.
const FILE_LINES: usize = 500;
/// The most lines of a function, from its signature to its closing brace.
const FUNCTION_LINES: usize = 70;
/// The largest median of the lines of the library's functions, counted in the same way.
const MEDIAN_LINES: usize = 6;
const COLUMNS: usize = 100;
const LIBRARY: &str = "crates/shmkit/src/";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust("") {
        findings.extend(long_file(file, rust));
        findings.extend(long_lines(file, rust));
        let long = functions(rust).into_iter().filter(|function| function.lines > FUNCTION_LINES);
        findings.extend(long.map(|Function { name, line, lines }| {
            let what = format!("`{name}` has {lines} lines: split it, at most {FUNCTION_LINES}");
            file.finding(line, what)
        }));
    }
    findings.extend(long_median(tree));
    findings
}

/// Checks the median of the library's functions without tests: the lower one, if there are two.
fn long_median(tree: &Tree) -> Option<Finding> {
    let lengths = tree.rust(LIBRARY).flat_map(|(_, rust)| {
        let functions = functions(rust).into_iter();
        functions.filter(|function| !rust.in_test(function.line)).map(|function| function.lines)
    });
    let mut lengths: Vec<_> = lengths.collect();
    lengths.sort_unstable();
    let median = *lengths.get(lengths.len().saturating_sub(1) / 2)?;
    (median > MEDIAN_LINES).then(|| {
        let what = format!(
            "half of the library's functions have {median} lines or more: split some, so that the \
             median is at most {MEDIAN_LINES}"
        );
        Finding { file: format!("{LIBRARY}lib.rs"), line: 1, what }
    })
}

/// Checks the lines of a file. A file in a `tests` folder is a program, and all its lines count.
fn long_file(file: &File, rust: &Rust) -> Option<Finding> {
    let whole = file.path.contains("/tests/") && !file.path.ends_with("/tests.rs");
    let lines = file.text.lines().count();
    let counted = (1..=lines).filter(|&line| whole || !rust.in_test(line)).count();
    (counted > FILE_LINES).then(|| {
        let what = format!("{counted} lines without tests: split it, at most {FILE_LINES}");
        file.finding(lines, what)
    })
}

/// Checks the columns of comments and strings, which rustfmt does not break. Strings in tests have
/// no limit.
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

/// Collects the lines of literals.
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

struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// Returns all functions that have a body.
fn functions(rust: &Rust) -> Vec<Function> {
    let mut functions = Functions(Vec::new());
    functions.visit_file(&rust.syntax);
    functions.0
}

struct Functions(Vec<Function>);

impl Functions {
    fn add(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let line = signature.span().start().line;
        let lines = body.span().end().line - line + 1;
        self.0.push(Function { name: signature.ident.to_string(), line, lines });
    }
}

impl Visit<'_> for Functions {
    fn visit_item_fn(&mut self, item: &syn::ItemFn) {
        self.add(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &syn::ImplItemFn) {
        self.add(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.add(&item.sig, body);
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
    fn a_library_of_long_functions_is_found() {
        let path = "crates/shmkit/src/sys/mod.rs";
        let functions = |lengths: &[usize]| -> String {
            lengths.iter().map(|lines| function("f", *lines)).collect()
        };
        assert_eq!(findings(path, &functions(&[1, 6, 60, 60])), []);
        let tests = format!("#[cfg(test)]\nmod tests {{ {} }}", functions(&[9; 9]));
        assert_eq!(findings(path, &(functions(&[1, 6, 7]) + &tests)), []);
        let found = findings(path, &functions(&[1, 7, 7]));
        assert!(found[0].what.contains("have 7 lines or more"), "{found:?}");
        assert_eq!(findings("bench/src/main.rs", &functions(&[7, 7])), []);
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let code = "const _: () = ();\n".repeat(500);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}", "\n".repeat(300));
        assert_eq!(findings("a.rs", &(code.clone() + &tests)), []);
        let found = findings("a.rs", &(code + "\n" + &tests));
        assert!(found[0].what.starts_with("501 lines without tests"), "{found:?}");
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
