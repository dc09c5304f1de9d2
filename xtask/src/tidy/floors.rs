//! A module of the library imports only from lower floors, and modules of one floor do not import
//! each other. The rule does not cover `lib.rs`, which names all modules, and `crash`, whose macro
//! every module may use.

use std::collections::{BTreeMap, BTreeSet};

use super::modules::module_path;
use super::paths::{Path, paths};
use super::tree::{File, Rust};
use super::{Finding, Tree};

const LIBRARY: &str = "crates/shmkit/src/";
const DOCUMENT: &str = "ARCHITECTURE.md";

/// The modules of each floor, from the lowest. ARCHITECTURE.md describes them.
const FLOORS: [&[&str]; 11] = [
    &["error"],
    &["sys"],
    &["memory", "shareable"],
    &["wait"],
    &["participant"],
    &["object"],
    &["sync", "channel", "heap"],
    &["collections"],
    &["segment"],
    &["select"],
    &["inspect"],
];

/// The module that has no floor.
const BESIDE: &str = "crash";

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let origins = origins(tree);
    let mut findings = Vec::new();
    for (file, rust) in tree.rust(LIBRARY) {
        let modules = module_path(LIBRARY, &file.path);
        let Some(module) = modules.first().cloned().filter(|module| module != BESIDE) else {
            continue;
        };
        let Some(floor) = floor(&module) else {
            let what = format!("module `{module}` has no floor: give it one in {}", file!());
            findings.push(file.finding(1, what));
            continue;
        };
        for (path, import) in imports(&modules, rust) {
            if let Some(what) = broken(&module, floor, &import, &origins) {
                findings.push(file.finding(path.line, what));
            }
        }
    }
    if let Some(document) = tree.get(DOCUMENT) {
        findings.extend(missing_rows(document, tree));
    }
    findings
}

/// Checks that the document has a row `| floor | `module` | ... |` for each module, with its floor.
fn missing_rows(document: &File, tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut rows = BTreeMap::new();
    for (line, text) in (1..).zip(document.text.lines()) {
        let cells: Vec<_> = text.split('|').map(str::trim).collect();
        if let ["", number, module, _, ..] = cells.as_slice()
            && let Ok(number) = number.parse::<usize>()
            && module.starts_with('`')
        {
            rows.insert(module.trim_matches('`').to_owned(), (line, number));
        }
    }
    for (module, (line, number)) in &rows {
        match floor(module) {
            Some(floor) if floor == *number => {}
            Some(floor) => {
                findings.push(document.finding(*line, format!("`{module}` is on floor {floor}")));
            }
            None => findings.push(document.finding(*line, format!("`{module}` has no floor"))),
        }
    }
    let modules = tree
        .rust(LIBRARY)
        .filter_map(|(file, _)| module_path(LIBRARY, &file.path).into_iter().next());
    let modules: BTreeSet<_> = modules.filter(|module| floor(module).is_some()).collect();
    for module in modules.iter().filter(|module| !rows.contains_key(*module)) {
        findings.push(document.finding(1, format!("no row for the floor of `{module}`")));
    }
    findings
}

/// Returns what is wrong with a use of the name `import` of the crate root in `module` on `floor`.
fn broken(
    module: &str,
    floor: usize,
    import: &str,
    origins: &BTreeMap<String, String>,
) -> Option<String> {
    if import == "*" {
        return Some("imports the whole crate: name the module".to_owned());
    }
    let from = origins.get(import).map_or(import, String::as_str);
    if from == module || from == BESIDE {
        return None;
    }
    match self::floor(from) {
        None => {
            Some(format!("`crate::{import}`: no such module, or it has no floor in {}", file!()))
        }
        Some(other) if other < floor => None,
        Some(other) => Some(format!(
            "`{module}` (floor {floor}) uses `{from}` (floor {other}): import from lower floors \
             only; move this up, or have it handed in"
        )),
    }
}

/// Returns the names of the crate root that the file uses, each with its path.
fn imports(modules: &[String], rust: &Rust) -> Vec<(Path, String)> {
    let resolve = |path: Path| {
        let here = [modules, &path.within].concat();
        let supers = path.segments.iter().take_while(|name| *name == "super").count();
        let name = match path.segments.first()?.as_str() {
            "crate" => path.segments.get(1)?.clone(),
            "super" if supers >= here.len() => path.segments.get(supers)?.clone(),
            _ => return None,
        };
        Some((path, name))
    };
    paths(&rust.tokens).into_iter().filter_map(resolve).collect()
}

/// Returns the module of each name of the crate root, from its `use` items and exported macros.
fn origins(tree: &Tree) -> BTreeMap<String, String> {
    let mut origins = BTreeMap::new();
    if let Some(rust) = tree.get("crates/shmkit/src/lib.rs").and_then(|file| file.rust.as_ref()) {
        for path in paths(&rust.tokens).iter().filter(|path| path.within.is_empty()) {
            let segments =
                path.segments.iter().skip_while(|name| *name == "crate" || *name == "self");
            let segments: Vec<_> = segments.collect();
            if let [module, .., name] = segments.as_slice() {
                origins.insert((*name).clone(), (*module).clone());
            }
        }
    }
    for (file, rust) in tree.rust(LIBRARY) {
        for item in &rust.syntax.items {
            if let (syn::Item::Macro(item), Some(module)) =
                (item, module_path(LIBRARY, &file.path).first())
                && let Some(name) = &item.ident
            {
                origins.insert(name.to_string(), module.clone());
            }
        }
    }
    origins
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: (&str, &str) = (
        "crates/shmkit/src/lib.rs",
        "mod error; pub use error::{Error, Result}; pub use channel::latest::Latest;",
    );

    fn findings(path: &str, text: &str) -> Vec<Finding> {
        let tree = Tree::of([ROOT, (path, text)]);
        check(&tree)
    }

    fn lines(path: &str, text: &str) -> Vec<usize> {
        findings(path, text).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn lower_floors_may_be_used_by_every_way_of_naming_them() {
        let text = "use crate::{Error, sys::wait}; use super::super::memory::Region;
                    use super::names; fn f() { crate::crash::crash_point!(\"x\") }
                    pub(crate) struct A; mod tests { use super::*; }";
        assert_eq!(findings("crates/shmkit/src/object/header.rs", text), []);
    }

    #[test]
    fn a_higher_floor_is_found_in_uses_in_paths_and_in_macros() {
        let text = "use crate::{error, object::Frame};
                    fn f() { crate::channel::g(); }
                    macro_rules! m { () => { $crate::segment::h() } }
                    use super::super::heap;
                    mod tests { use super::super::super::sync; }
                    use crate::Latest;";
        let found = lines("crates/shmkit/src/memory/region.rs", text);
        assert_eq!(found, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn the_same_floor_is_found() {
        let found = findings("crates/shmkit/src/shareable.rs", "\nuse crate::memory::Region;");
        assert_eq!(found[0].line, 2);
        assert!(found[0].what.contains("`shareable` (floor 2) uses `memory` (floor 2)"));
    }

    #[test]
    fn a_module_without_a_floor_is_found_and_so_is_the_whole_crate() {
        assert_eq!(lines("crates/shmkit/src/cellar/mod.rs", ""), [1]);
        assert_eq!(lines("crates/shmkit/src/object/mod.rs", "use crate::*;"), [1]);
        assert_eq!(lines("crates/shmkit/src/object/mod.rs", "use crate::cellar::Wine;"), [1]);
    }

    #[test]
    fn an_exported_macro_counts_as_its_module() {
        let tree = Tree::of([
            ROOT,
            ("crates/shmkit/src/crash.rs", "macro_rules! crash_point { () => {} }"),
            ("crates/shmkit/src/channel/mod.rs", "macro_rules! slots { () => {} }"),
            ("crates/shmkit/src/sys/mod.rs", "fn f() { crate::crash_point!() }\ncrate::slots!();"),
        ]);
        let found = check(&tree);
        assert_eq!((found.len(), found[0].line), (1, 2));
    }

    #[test]
    fn a_table_of_floors_that_differs_is_found() {
        let found = |text: &str| {
            let source = ("crates/shmkit/src/sys/mod.rs", "");
            check(&Tree::of([source, (DOCUMENT, text)])).len()
        };
        assert_eq!(
            found("| floor | module | what |\n| 1 | `sys` | x |\n| 10 | `inspect` | y |"),
            0
        );
        assert_eq!(found("| 2 | `sys` | x |"), 1);
        assert_eq!(found("| 1 | `sys` | x |\n| 4 | `cellar` | x |"), 1);
        assert_eq!(found("| 10 | `inspect` | x |"), 1);
    }

    #[test]
    fn a_finding_names_file_line_and_what_to_do() {
        let found = findings("crates/shmkit/src/sys/a.rs", "use crate::object::B;")[0].to_string();
        assert!(found.starts_with("crates/shmkit/src/sys/a.rs:1: `sys`"), "{found}");
        assert!(found.contains("import from lower floors only"), "{found}");
    }
}
