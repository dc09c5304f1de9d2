//! The files of the project, read once. Rust files are parsed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::Finding;

/// Folders of generated files.
const SKIPPED: [&str; 4] = ["target", "corpus", "artifacts", "node_modules"];
/// Hidden files and folders that belong to the project.
const HIDDEN: [&str; 2] = [".ci", ".gitignore"];

/// All files of the project by their path from the root, with `/` on every system.
pub struct Tree {
    files: BTreeMap<String, File>,
}

/// One file.
pub struct File {
    /// Its path from the root.
    pub path: String,
    /// Its content; empty if that is not UTF-8.
    pub text: String,
    /// The parsed content of a Rust file.
    pub rust: Option<Rust>,
    error: Option<(usize, String)>,
}

/// The parsed content of a Rust file.
pub struct Rust {
    /// All tokens, also those inside macros.
    pub tokens: TokenStream,
    /// The syntax tree.
    pub syntax: syn::File,
    tests: Vec<RangeInclusive<usize>>,
}

impl Tree {
    /// Reads the project at `root`.
    ///
    /// # Panics
    ///
    /// If a file cannot be read.
    pub fn load(root: &Path) -> Self {
        let mut texts = Vec::new();
        read(root, "", &mut texts);
        Self::of(texts)
    }

    /// Makes a project of paths and texts.
    pub fn of<P: Into<String>, T: Into<String>>(files: impl IntoIterator<Item = (P, T)>) -> Self {
        let files = files.into_iter().map(|(path, text)| {
            let file = File::new(path.into(), text.into());
            (file.path.clone(), file)
        });
        let mut tree = Self { files: files.collect() };
        for path in tree.test_modules() {
            if let Some(rust) = tree.files.get_mut(&path).and_then(|file| file.rust.as_mut()) {
                rust.tests = vec![1..=usize::MAX];
            }
        }
        tree
    }

    /// Returns all files, by path.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.files.values()
    }

    /// Returns the Rust files whose path starts with `folder`.
    pub fn rust(&self, folder: &str) -> impl Iterator<Item = (&File, &Rust)> {
        let files = self.files().filter(move |file| file.path.starts_with(folder));
        files.filter_map(|file| Some((file, file.rust.as_ref()?)))
    }

    /// Returns the file at `path`.
    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// Returns whether `path` is a file or a folder of the project.
    pub fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty()
            || self.files.contains_key(path)
            || self.files.keys().any(|file| file.starts_with(&folder))
    }

    /// Returns the files that contain only tests, by their place or by a `cfg(test)` declaration.
    fn test_modules(&self) -> BTreeSet<String> {
        let mut declared = Vec::new();
        for (file, rust) in self.rust("") {
            for item in &rust.syntax.items {
                if let syn::Item::Mod(module) = item
                    && module.content.is_none()
                    && is_test(&module.attrs)
                {
                    declared.push(format!("{}/{}", file.module_folder(), module.ident));
                }
            }
        }
        let by_declaration = |path: &str| {
            declared.iter().any(|module| {
                path.strip_prefix(module.as_str())
                    .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
            })
        };
        let by_place = |path: &str| path.ends_with("/tests.rs") || path.contains("/tests/");
        self.files.keys().filter(|path| by_place(path) || by_declaration(path)).cloned().collect()
    }
}

impl File {
    fn new(path: String, text: String) -> Self {
        let mut file = Self { path, text, rust: None, error: None };
        if file.path.ends_with(".rs") {
            match syn::parse_file(&file.text) {
                Ok(syntax) => file.rust = Some(Rust::new(&file.text, syntax)),
                Err(error) => file.error = Some((error.span().start().line, error.to_string())),
            }
        }
        file
    }

    /// Makes a finding in line `line` of this file.
    pub fn finding(&self, line: usize, what: impl Into<String>) -> Finding {
        Finding { file: self.path.clone(), line, what: what.into() }
    }

    /// Returns the folder of the modules that this file declares.
    fn module_folder(&self) -> &str {
        let (folder, name) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        match name {
            "mod.rs" | "lib.rs" | "main.rs" => folder,
            _ => self.path.trim_end_matches(".rs"),
        }
    }
}

impl Rust {
    fn new(text: &str, syntax: syn::File) -> Self {
        let tokens = text.parse().unwrap_or_default();
        let mut tests = TestItems::default();
        if is_test(&syntax.attrs) {
            tests.lines.push(1..=usize::MAX);
        }
        tests.visit_file(&syntax);
        Self { tokens, syntax, tests: tests.lines }
    }

    /// Returns whether line `line` is compiled for tests only.
    pub fn in_test(&self, line: usize) -> bool {
        self.tests.iter().any(|lines| lines.contains(&line))
    }
}

#[derive(Default)]
struct TestItems {
    lines: Vec<RangeInclusive<usize>>,
}

impl TestItems {
    fn note(&mut self, attrs: &[syn::Attribute], item: &impl Spanned) {
        if is_test(attrs) {
            let span = item.span();
            self.lines.push(span.start().line..=span.end().line);
        }
    }
}

impl Visit<'_> for TestItems {
    fn visit_item(&mut self, item: &syn::Item) {
        match item {
            syn::Item::Fn(it) => self.note(&it.attrs, it),
            syn::Item::Impl(it) => self.note(&it.attrs, it),
            syn::Item::Mod(it) => self.note(&it.attrs, it),
            syn::Item::Use(it) => self.note(&it.attrs, it),
            syn::Item::Macro(it) => self.note(&it.attrs, it),
            syn::Item::Static(it) => self.note(&it.attrs, it),
            syn::Item::Struct(it) => self.note(&it.attrs, it),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &syn::ImplItemFn) {
        self.note(&item.attrs, item);
        visit::visit_impl_item_fn(self, item);
    }
}

/// Returns whether the attributes compile an item for tests only.
fn is_test(attrs: &[syn::Attribute]) -> bool {
    attrs
        .iter()
        .filter(|attr| attr.path().is_ident("cfg"))
        .any(|attr| attr.meta.require_list().is_ok_and(|list| demands_test(list.tokens.clone())))
}

/// Returns whether a `cfg` predicate holds only under `test`: `test`, or `all(.., test, ..)`.
fn demands_test(predicate: TokenStream) -> bool {
    let tokens: Vec<_> = predicate.into_iter().collect();
    match tokens.as_slice() {
        [TokenTree::Ident(name)] => name == "test",
        [TokenTree::Ident(name), TokenTree::Group(inner)] if name == "all" => {
            let inner: Vec<_> = inner.stream().into_iter().collect();
            inner
                .split(|token| matches!(token, TokenTree::Punct(comma) if comma.as_char() == ','))
                .any(|part| demands_test(part.iter().cloned().collect()))
        }
        _ => false,
    }
}

fn read(folder: &Path, path: &str, texts: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{path}: {error}")) {
        let entry = entry.unwrap_or_else(|error| panic!("{path}: {error}"));
        let name = entry.file_name().to_string_lossy().into_owned();
        let hidden = name.starts_with('.') && !HIDDEN.contains(&name.as_str());
        if hidden || SKIPPED.contains(&name.as_str()) {
            continue;
        }
        let path = if path.is_empty() { name } else { format!("{path}/{name}") };
        if entry.path().is_dir() {
            read(&entry.path(), &path, texts);
        } else {
            let bytes = fs::read(entry.path()).unwrap_or_else(|error| panic!("{path}: {error}"));
            texts.push((path, String::from_utf8(bytes).unwrap_or_default()));
        }
    }
}

/// Checks that all Rust files parse.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let broken = |file: &File| {
        let (line, error) = file.error.as_ref()?;
        Some(file.finding(*line, format!("does not parse: {error}")))
    };
    tree.files().filter_map(broken).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_does_not_parse_is_found() {
        let tree = Tree::of([("a.rs", "\nfn (")]);
        assert_eq!(check(&tree)[0].line, 2);
    }

    #[test]
    fn lines_for_tests_only_are_recognised() {
        let text = "fn a() {}\n#[cfg(all(test, loom))]\nmod tests {\n    fn b() {}\n}\n\
                    #[cfg(not(test))]\nfn c() {}\n#[cfg(any(test, loom))]\nfn d() {}";
        let tree = Tree::of([("a.rs", text)]);
        let rust = tree.get("a.rs").unwrap().rust.as_ref().unwrap();
        let lines: Vec<_> = (1..=9).filter(|&line| rust.in_test(line)).collect();
        assert_eq!(lines, [2, 3, 4, 5]);
    }

    #[test]
    fn a_module_declared_for_tests_is_a_test_file() {
        let tree = Tree::of([
            ("src/lib.rs", "#[cfg(test)] mod deaths; mod live;"),
            ("src/deaths.rs", "fn a() {}"),
            ("src/deaths/half.rs", "fn a() {}"),
            ("src/live.rs", "fn a() {}"),
            ("src/live/tests.rs", "fn a() {}"),
        ]);
        let tests = tree.rust("").filter(|(_, rust)| rust.in_test(1));
        let tests: Vec<_> = tests.map(|(file, _)| file.path.as_str()).collect();
        // The first line of `lib.rs` is the declaration.
        let expected = ["src/deaths.rs", "src/deaths/half.rs", "src/lib.rs", "src/live/tests.rs"];
        assert_eq!(tests, expected);
    }
}
