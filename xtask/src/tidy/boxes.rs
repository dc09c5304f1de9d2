//! A type that another process can see is `repr(C)` and has fields of fixed width and no padding.
//! Its size is asserted, and FORMAT.md has a table of the same fields:
//!
//! ```text
//! ### Header (256 bytes)
//!
//! | offset | size | field | meaning |
//! |---|---|---|---|
//! | 0 | 8 | magic | ... |
//! ```
//!
//! The types of the library are the source. This check computes the offsets from them, compares the
//! size with the assertion under each type, and compares both with the table.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use syn::visit::Visit;

use super::tree::{File, Rust};
use super::{Finding, Tree};

const LIBRARY: &str = "crates/shmkit/src/";
/// Its types are defined by the system.
const SYSTEM: &str = "crates/shmkit/src/sys/";
const DOCUMENT: &str = "FORMAT.md";

/// A `repr(C)` type: its place, and its fields in order.
struct Record {
    file: String,
    line: usize,
    fields: Vec<Field>,
    asserted: bool,
    size: usize,
    align: usize,
    faults: Vec<(usize, String)>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Field {
    offset: usize,
    size: usize,
    name: String,
    meaning: String,
}

/// The sizes of constants and records by name.
#[derive(Default)]
struct Known {
    constants: BTreeMap<String, usize>,
    records: BTreeMap<String, Record>,
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let known = collect(tree);
    let mut findings = Vec::new();
    for (name, record) in &known.records {
        let finding = |line, what| Finding { file: record.file.clone(), line, what };
        findings.extend(record.faults.iter().map(|(line, what)| finding(*line, what.clone())));
        if !record.asserted {
            let size = record.size;
            let what = format!("assert the size under the type: size_of::<{name}>() == {size}");
            findings.push(finding(record.line, what));
        }
    }
    if let Some(document) = tree.get(DOCUMENT) {
        findings.extend(compare(document, &known.records));
    }
    findings
}

/// Returns the tables of all types for FORMAT.md, with the comments of the fields as their meaning.
pub fn boxes(tree: &Tree) -> String {
    let mut text = String::new();
    for (name, record) in &collect(tree).records {
        let head = "| offset | size | field | meaning |\n|---|---|---|---|\n";
        text += &format!("### {name} ({} bytes)\n\n{head}", record.size);
        for Field { offset, size, name, meaning } in &record.fields {
            text += &format!("| {offset} | {size} | {name} | {meaning} |\n");
        }
        text += "\n";
    }
    text
}

fn collect(tree: &Tree) -> Known {
    let mut known = Known::default();
    let sources = || tree.rust(LIBRARY).filter(|(file, _)| !file.path.starts_with(SYSTEM));
    for (_, rust) in sources() {
        known.visit_file(&rust.syntax);
    }
    let mut structs: Vec<_> = sources().flat_map(|(file, rust)| structs(file, rust)).collect();
    // A record can contain another one of any file, so this takes up to one round for each record.
    while !structs.is_empty() {
        let before = structs.len();
        let last_round = !structs.iter().any(|(_, _, item)| known.has_all(item));
        structs.retain(|(file, rust, item)| {
            if !last_round && !known.has_all(item) {
                return true;
            }
            let record = known.record(file, rust, item);
            known.records.insert(item.ident.to_string(), record);
            false
        });
        debug_assert!(structs.len() < before, "every round places a record");
    }
    known
}

fn structs<'a>(file: &'a File, rust: &'a Rust) -> Vec<(&'a File, &'a Rust, &'a syn::ItemStruct)> {
    struct Structs<'a>(Vec<&'a syn::ItemStruct>);
    impl<'a> Visit<'a> for Structs<'a> {
        fn visit_item_struct(&mut self, item: &'a syn::ItemStruct) {
            let of_c = |attr: &syn::Attribute| {
                attr.path().is_ident("repr")
                    && attr.meta.require_list().is_ok_and(|list| first_word(&list.tokens) == "C")
            };
            // FORMAT.md describes the layout of a generic type in words, not by a table.
            if item.attrs.iter().any(of_c) && item.generics.params.is_empty() {
                self.0.push(item);
            }
        }
    }
    let mut found = Structs(Vec::new());
    found.visit_file(&rust.syntax);
    found.0.retain(|item| !rust.in_test(item.ident.span().start().line));
    found.0.into_iter().map(|item| (file, rust, item)).collect()
}

fn first_word(tokens: &TokenStream) -> String {
    tokens.clone().into_iter().next().map(|token| token.to_string()).unwrap_or_default()
}

impl Visit<'_> for Known {
    fn visit_item_const(&mut self, item: &syn::ItemConst) {
        if let Some(value) = self.number(&item.expr) {
            self.constants.insert(item.ident.to_string(), value);
        }
    }
}

impl Known {
    fn has_all(&self, item: &syn::ItemStruct) -> bool {
        item.fields.iter().all(|field| self.layout(&field.ty).is_some())
    }

    fn record(&self, file: &File, rust: &Rust, item: &syn::ItemStruct) -> Record {
        let (mut at, mut widest) = (0usize, 1usize);
        let (mut fields, mut faults) = (Vec::new(), Vec::new());
        for (index, field) in item.fields.iter().enumerate() {
            let name = field.ident.as_ref().map_or(index.to_string(), ToString::to_string);
            let line = field.ident.as_ref().map_or(item.ident.span(), |it| it.span()).start().line;
            let Some((size, align)) = self.layout(&field.ty) else {
                faults.push((
                    line,
                    format!("`{name}`: not of fixed width, or unknown to {}", file!()),
                ));
                continue;
            };
            if at % align != 0 {
                faults.push((line, format!("padding before `{name}`: give it a name")));
            }
            at = at.next_multiple_of(align);
            fields.push(Field { offset: at, size, name, meaning: comment(&field.attrs) });
            at += size;
            widest = widest.max(align);
        }
        let line = item.ident.span().start().line;
        if at % widest != 0 {
            faults.push((line, "padding at the end: give it a name".to_owned()));
        }
        let size = at.next_multiple_of(widest);
        let assertion = format!("size_of::<{}>()=={size}", item.ident);
        let text = rust.tokens.to_string().replace([' ', '\n'], "");
        let asserted = !faults.is_empty() || text.contains(&assertion);
        Record { file: file.path.clone(), line, fields, asserted, size, align: widest, faults }
    }

    /// Returns size and alignment.
    fn layout(&self, ty: &syn::Type) -> Option<(usize, usize)> {
        match ty {
            syn::Type::Array(array) => {
                let (size, align) = self.layout(&array.elem)?;
                Some((size * self.number(&array.len)?, align))
            }
            syn::Type::Path(path) => {
                let name = path.path.segments.last()?.ident.to_string();
                match name.as_str() {
                    "u8" | "i8" | "AtomicU8" => Some((1, 1)),
                    "u16" | "i16" | "AtomicU16" => Some((2, 2)),
                    "u32" | "i32" | "f32" | "AtomicU32" => Some((4, 4)),
                    "u64" | "i64" | "f64" | "AtomicU64" => Some((8, 8)),
                    "u128" | "i128" => Some((16, 16)),
                    name => self.records.get(name).map(|record| (record.size, record.align)),
                }
            }
            _ => None,
        }
    }

    fn number(&self, expr: &syn::Expr) -> Option<usize> {
        match expr {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(number), .. }) => {
                number.base10_parse().ok()
            }
            syn::Expr::Path(path) => {
                self.constants.get(&path.path.segments.last()?.ident.to_string()).copied()
            }
            _ => None,
        }
    }
}

/// Returns the comment of a field as one line, with links as plain text.
fn comment(attrs: &[syn::Attribute]) -> String {
    let lines = attrs.iter().filter(|attr| attr.path().is_ident("doc")).filter_map(|attr| {
        match &attr.meta.require_name_value().ok()?.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        }
    });
    let text = lines.map(|line| line.trim().to_owned()).collect::<Vec<_>>().join(" ");
    let links = text.split("](").enumerate().map(|(index, part)| match part.split_once(')') {
        Some((_, rest)) if index > 0 => rest.to_owned(),
        _ => part.to_owned(),
    });
    links.collect::<String>().replace(['[', ']'], "")
}

fn compare(document: &File, records: &BTreeMap<String, Record>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let drawn = drawn(document);
    for (name, record) in records {
        let Some((line, size, rows)) = drawn.get(name) else {
            let what = format!("no table for `{name}`: 'cargo run -p xtask -- boxes' prints it");
            findings.push(document.finding(1, what));
            continue;
        };
        if *size != record.size {
            let what = format!("`{name}` has {} bytes, not {size}", record.size);
            findings.push(document.finding(*line, what));
        }
        let plain = record.fields.iter().map(|it| (it.offset, it.size, it.name.clone()));
        let plain: Vec<_> = plain.collect();
        for (line, row) in rows.iter().filter(|(_, row)| !plain.contains(row)) {
            let what = format!("`{name}` has no such field: {row:?}");
            findings.push(document.finding(*line, what));
        }
        for field in plain.iter().filter(|field| !rows.iter().any(|(_, row)| row == *field)) {
            findings.push(document.finding(*line, format!("`{name}` lacks the field {field:?}")));
        }
    }
    for (name, (line, ..)) in drawn.iter().filter(|(name, _)| !records.contains_key(*name)) {
        let what = format!("a table for `{name}`, which is not a `repr(C)` type of the library");
        findings.push(document.finding(*line, what));
    }
    findings
}

/// Offset, size, name.
type Row = (usize, usize, String);

/// A table of the document: its line, the size in its heading, and its rows with their lines.
type Drawn = (usize, usize, Vec<(usize, Row)>);

/// Returns the tables of the document by the name of their type.
fn drawn(document: &File) -> BTreeMap<String, Drawn> {
    let mut boxes: BTreeMap<String, Drawn> = BTreeMap::new();
    let mut current: Option<String> = None;
    for (line, text) in (1..).zip(document.text.lines()) {
        if text.starts_with('#') {
            current = heading(text).map(|(name, size)| {
                boxes.insert(name.clone(), (line, size, Vec::new()));
                name
            });
        } else if let (Some(name), Some(row)) = (&current, row(text))
            && let Some((_, _, rows)) = boxes.get_mut(name)
        {
            rows.push((line, row));
        }
    }
    boxes
}

/// Parses `### Name (N bytes)`.
fn heading(text: &str) -> Option<(String, usize)> {
    let (name, size) = text.strip_prefix("### ")?.split_once(" (")?;
    let size = size.strip_suffix(" bytes)")?.replace(',', "").parse().ok()?;
    Some((name.trim_matches('`').to_owned(), size))
}

/// Parses `| offset | size | field | ... |`.
fn row(text: &str) -> Option<Row> {
    let mut cells = text.strip_prefix('|')?.split('|').map(|cell| cell.trim().trim_matches('`'));
    Some((cells.next()?.parse().ok()?, cells.next()?.parse().ok()?, cells.next()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "
        const NAME_BYTES: usize = 24;
        /// Head.
        #[repr(C)] #[derive(Clone)]
        pub(crate) struct Header {
            /// What [`it`](super::It) is.
            /// And [`that`].
            magic: [u8; 8],
            parts: [Part; 2],
            name: [u8; NAME_BYTES],
        }
        const _: () = { assert!(size_of::<Header>() == 64); };";
    const PART: &str = "#[repr(C)] struct Part { a: u64, b: u32, _c: u32 } const _: () = assert!(size_of::<Part>() == 16);";
    const BOXES: &str = "### Header (64 bytes)\n\n| offset | size | field | meaning |\n|---|---|---|---|\n\
        | 0 | 8 | magic | What `it` is. And `that`. |\n| 8 | 32 | parts |  |\n| 40 | 24 | name |  |\n\n\
        ### Part (16 bytes)\n\n| offset | size | field | meaning |\n|---|---|---|---|\n\
        | 0 | 8 | a |  |\n| 8 | 4 | b |  |\n| 12 | 4 | _c |  |\n\n";

    fn tree(header: &str, document: &str) -> Tree {
        Tree::of([
            ("crates/shmkit/src/object/header.rs", header),
            ("crates/shmkit/src/object/part.rs", PART),
            ("crates/shmkit/src/sys/lock.rs", "#[repr(C)] struct Flock { a: usize }"),
            ("crates/shmkit/src/shareable/list.rs", "#[repr(C)] struct List<T> { items: [T; 2] }"),
            (DOCUMENT, document),
        ])
    }

    fn findings(header: &str, document: &str) -> Vec<String> {
        check(&tree(header, document)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_printed_tables_pass() {
        assert_eq!(boxes(&tree(HEADER, "")), BOXES);
        assert_eq!(findings(HEADER, BOXES), [""; 0]);
    }

    #[test]
    fn a_different_table_is_found() {
        for (from, to, line) in [
            ("(64", "(72", 1),
            ("| 8 | 32 | parts", "| 8 | 32 | pieces", 6),
            ("| 40 | 24 | name", "| 40 | 16 | name", 7),
            ("| 40 | 24 | name |  |\n", "", 1),
            ("### Part", "### Piece", 9),
        ] {
            let found = findings(HEADER, &BOXES.replace(from, to));
            assert!(
                found.iter().any(|it| it.starts_with(&format!("FORMAT.md:{line}:"))),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_changed_type_is_found_in_the_document() {
        let changed = HEADER.replace("NAME_BYTES: usize = 24", "NAME_BYTES: usize = 32");
        let found = findings(&changed.replace("== 64", "== 72"), BOXES);
        assert!(
            found.contains(&"FORMAT.md:1: `Header` has 72 bytes, not 64".to_owned()),
            "{found:?}"
        );
    }

    #[test]
    fn a_variable_size_padding_and_a_missing_assertion_are_found() {
        for (from, to, what) in [
            ("magic: [u8; 8]", "magic: usize", "not of fixed width"),
            ("magic: [u8; 8]", "magic: [u8; 4]", "padding before `parts`"),
            ("NAME_BYTES]", "20]", "padding at the end"),
            ("== 64", "== 72", "assert the size under the type: size_of::<Header>() == 64"),
        ] {
            let found = findings(&HEADER.replace(from, to), BOXES);
            assert!(found.iter().any(|it| it.contains(what)), "{what}: {found:?}");
        }
    }
}
