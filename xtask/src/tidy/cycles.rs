//! Files of one crate do not import each other in a cycle.
//!
//! - File `a` imports file `b` if a path in `a` names an item that `b` defines, also through
//!   re-exports.
//! - `mod` and `pub use` alone import nothing, so a `mod.rs` that only declares and exports is in
//!   no cycle.
//! - A file that defines items for its child modules, and uses these modules, is in a cycle. The
//!   shared items belong in a file of their own.
//! - Code for tests does not count.
//! - Files for different systems are never in one cycle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::modules::{Modules, module_path, sources};
use super::paths::{Path, paths};
use super::{Finding, Tree};

/// The folders of the crate roots.
const CRATES: [&str; 5] = [
    "crates/shmkit/src/",
    "crates/shmkit-cli/src/",
    "crates/shmkit-derive/src/",
    "bench/src/",
    "xtask/src/",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    cycles(tree).iter().map(Cycle::finding).collect()
}

/// For each file the files that it imports, each with the first path that imports it.
type Graph<'a> = BTreeMap<&'a str, BTreeMap<&'a str, Path>>;

/// Files of which each imports the next. The first one, which is also the last, is the first by
/// name.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Cycle<'a> {
    files: Vec<&'a str>,
    /// Line and path of each import.
    by: Vec<(usize, String)>,
}

/// The systems, each with the names of its files and folders.
const SYSTEMS: [(&str, &[&str]); 3] = [
    ("linux", &["linux", "unix"]),
    ("macos", &["macos", "unix"]),
    ("windows", &["windows", "win32"]),
];

/// Returns cycles that have no import in common. If there are none, there are no cycles at all.
fn cycles(tree: &Tree) -> Vec<Cycle<'_>> {
    let mut found = BTreeSet::new();
    for src in CRATES {
        let whole = graph(tree, src);
        for (system, _) in SYSTEMS {
            let mut graph = whole.clone();
            graph.retain(|file, _| is_for(system, file));
            graph.values_mut().for_each(|imports| imports.retain(|file, _| is_for(system, file)));
            while let Some(files) = shortest_cycle(&graph) {
                let cycle = Cycle::of(&graph, files);
                for pair in cycle.files.windows(2) {
                    graph.get_mut(pair[0]).and_then(|imports| imports.remove(pair[1]));
                }
                found.insert(cycle);
            }
        }
    }
    found.into_iter().collect()
}

/// Returns whether a file is compiled for a system, by its path.
fn is_for(system: &str, file: &str) -> bool {
    let mut parts = file.split('/').map(|part| part.trim_end_matches(".rs"));
    parts.all(|part| {
        let mut owners = SYSTEMS.iter().filter(|(_, names)| names.contains(&part)).peekable();
        owners.peek().is_none() || owners.any(|(owner, _)| *owner == system)
    })
}

fn graph<'a>(tree: &'a Tree, src: &str) -> Graph<'a> {
    let modules = Modules::of(tree, src);
    let mut graph = Graph::new();
    for (file, rust) in sources(tree, src) {
        let imports = graph.entry(&file.path).or_default();
        let module = module_path(src, &file.path);
        for path in paths(&rust.tokens) {
            let exported = path.import.as_ref().is_some_and(|import| import.exported);
            if exported || rust.in_test(path.line) {
                continue;
            }
            for to in modules.files_of(&module, &path).into_iter().filter(|to| *to != file.path) {
                imports.entry(to).or_insert_with(|| path.clone());
            }
        }
    }
    graph
}

/// Returns the files of a cycle: each imports the next, and the last the first.
fn shortest_cycle<'a>(graph: &Graph<'a>) -> Option<Vec<&'a str>> {
    graph.keys().filter_map(|file| cycle_through(graph, file)).min_by_key(Vec::len)
}

fn cycle_through<'a>(graph: &Graph<'a>, start: &'a str) -> Option<Vec<&'a str>> {
    let mut importers: BTreeMap<&str, &str> = BTreeMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(file) = open.pop_front() {
        for next in graph.get(file).into_iter().flat_map(BTreeMap::keys) {
            if *next == start {
                let way = std::iter::successors(Some(file), |file| importers.get(file).copied());
                let mut cycle: Vec<_> = way.collect();
                cycle.reverse();
                return Some(cycle);
            }
            if !importers.contains_key(next) {
                importers.insert(next, file);
                open.push_back(next);
            }
        }
    }
    None
}

impl<'a> Cycle<'a> {
    /// Makes the cycle of `files`, of which the last imports the first.
    fn of(graph: &Graph<'a>, mut files: Vec<&'a str>) -> Self {
        let least = files.iter().zip(0..).min().map_or(0, |(_, at)| at);
        files.rotate_left(least);
        files.push(files[0]);
        let by = files.windows(2).map(|pair| {
            let path = &graph[pair[0]][pair[1]];
            (path.line, path.segments.join("::"))
        });
        Self { by: by.collect(), files }
    }

    fn finding(&self) -> Finding {
        let steps = self.files.iter().zip(&self.by);
        let steps = steps.map(|(file, (line, path))| format!("`{path}` at {file}:{line}"));
        let what = format!(
            "{}: {}; move the shared items to a file of their own",
            self.files.join(" -> "),
            steps.collect::<Vec<_>>().join(", "),
        );
        Finding { file: self.files[0].to_owned(), line: self.by[0].0, what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cycles among the given files of the library, without their folder.
    fn found<const N: usize>(files: [(&str, &str); N]) -> Vec<String> {
        let src = CRATES[0];
        let tree = Tree::of(files.map(|(path, text)| (format!("{src}{path}"), text)));
        let cycles = cycles(&tree);
        let files = cycles.iter().map(|cycle| cycle.files.join(" -> ").replace(src, ""));
        files.collect()
    }

    #[test]
    fn siblings_that_import_each_other_are_a_cycle() {
        let cycles = found([
            ("sync/mod.rs", "mod a; mod b; mod c;"),
            ("sync/a.rs", "use super::b::B; pub struct A;"),
            ("sync/b.rs", "use super::c; pub struct B; fn f() { c::g() }"),
            ("sync/c.rs", "pub fn g() { super::a::A }"),
        ]);
        assert_eq!(cycles, ["sync/a.rs -> sync/b.rs -> sync/c.rs -> sync/a.rs"]);
    }

    #[test]
    fn an_export_counts_as_the_file_it_comes_from() {
        let cycles = found([
            ("sync/mod.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
            ("sync/a.rs", "use super::B; pub struct A;"),
            ("sync/b.rs", "use crate::sync::A; pub struct B;"),
        ]);
        assert_eq!(cycles, ["sync/a.rs -> sync/b.rs -> sync/a.rs"]);
        let cycles = found([
            ("sync/mod.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
            ("sync/a.rs", "use super::B; pub struct A;"),
            ("sync/b.rs", "pub struct B;"),
        ]);
        assert_eq!(cycles, [""; 0]);
    }

    #[test]
    fn a_parent_that_uses_its_child_is_not_used_by_it() {
        let child = ("sync/a/child.rs", "use super::Shared; pub fn f(_: Shared) {}");
        let parent = "mod child; pub struct Shared; fn g() { child::f(Shared) }";
        for path in ["sync/a.rs", "sync/a/mod.rs"] {
            assert_eq!(found([(path, parent), child]).len(), 1);
        }
        let declares = "mod child; pub struct Shared; pub use child::f;";
        assert_eq!(found([("sync/a.rs", declares), child]), [""; 0]);
        // An export does not count; its use in code does.
        let uses = format!("{declares} fn g() {{ f(Shared) }}");
        assert_eq!(
            found([("sync/a.rs", &uses), child]),
            ["sync/a.rs -> sync/a/child.rs -> sync/a.rs"]
        );
    }

    #[test]
    fn tests_and_models_do_not_count() {
        let cycles = found([
            (
                "sync/a.rs",
                "#[cfg(all(test, loom))] mod models; #[cfg(test)] mod tests;
                use super::b::B; pub struct A; #[cfg(test)] fn f() { models::m() }",
            ),
            ("sync/a/models.rs", "use super::A; pub fn m() {}"),
            ("sync/a/tests.rs", "use super::A;"),
            ("sync/b.rs", "pub struct B; #[cfg(test)] mod tests { use super::super::a::A; }"),
        ]);
        assert_eq!(cycles, [""; 0]);
    }

    #[test]
    fn files_for_other_systems_are_in_no_cycle_with_each_other() {
        let module = "mod linux; mod windows; mod x; pub use linux::f; pub use windows::f;";
        let one = ("sys/linux.rs", "pub fn f() { super::x::g() }");
        let cycles = |other| {
            let x = ("sys/x/windows.rs", "pub fn g() { super::super::f() }");
            found([("sys/mod.rs", module), one, ("sys/x/mod.rs", "pub use windows::*;"), x, other])
        };
        assert_eq!(cycles(("sys/windows.rs", "pub fn f() {}")), [""; 0]);
        assert_eq!(cycles(("sys/windows.rs", "pub fn f() { super::x::g() }")).len(), 1);
    }

    #[test]
    fn a_finding_names_the_cycle_and_its_imports() {
        let tree = Tree::of([
            ("xtask/src/a.rs", "\nuse crate::b::B; struct A;"),
            ("xtask/src/b.rs", "struct B; fn f(_: crate::a::A) {}"),
        ]);
        let found = check(&tree);
        assert_eq!(found.len(), 1);
        let cycle = "xtask/src/a.rs -> xtask/src/b.rs -> xtask/src/a.rs";
        let by = "`crate::b::B` at xtask/src/a.rs:2, `crate::a::A` at xtask/src/b.rs:1";
        let what = format!("xtask/src/a.rs:2: {cycle}: {by};");
        assert!(found[0].to_string().starts_with(&what), "{}", found[0]);
    }
}
