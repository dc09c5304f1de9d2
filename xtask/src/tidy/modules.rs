//! The modules of one crate, and the files that define the items that paths name.
//!
//! ```text
//! "super::Thing" in a::b ──> mod a: "pub use x::Thing" ──> mod a::x: "struct Thing" ──> a/x.rs
//! ```
//!
//! Only paths are resolved. Method calls with a dot are not seen. If a path names a module and then
//! an unknown name, for example of an item that a macro defines, it counts as a path to the
//! module's file.

use std::collections::{BTreeMap, BTreeSet};

use super::Tree;
use super::paths::{Path, paths};
use super::tree::{File, Rust};

/// The modules of a crate by their path from the root, without modules for tests.
pub(super) struct Modules<'a> {
    by_path: BTreeMap<Vec<String>, Module<'a>>,
}

/// The names in one module.
struct Module<'a> {
    file: &'a File,
    items: BTreeSet<String>,
    /// Name and path of each `use`.
    imports: Vec<(String, Vec<String>)>,
}

/// The steps of resolving a path so far, because two modules can import globs of each other.
type Seen = BTreeSet<(Vec<String>, String)>;

/// The result of resolving a path.
enum Target<'a> {
    Module(Vec<String>),
    Item(&'a File),
}

impl<'a> Modules<'a> {
    /// Collects the modules of the crate whose root is in `src`, a folder that ends in `/`.
    pub(super) fn of(tree: &'a Tree, src: &str) -> Self {
        let mut modules = Self { by_path: BTreeMap::new() };
        for (file, rust) in sources(tree, src) {
            let path = module_path(src, &file.path);
            modules.add(file, rust, path.clone(), &rust.syntax.items);
            for it in paths(&rust.tokens).into_iter().filter(|it| !rust.in_test(it.line)) {
                let here = [path.as_slice(), &it.within].concat();
                if let (Some(import), Some(module)) = (it.import, modules.by_path.get_mut(&here)) {
                    module.imports.push((import.name, it.segments));
                }
            }
        }
        modules
    }

    fn add(&mut self, file: &'a File, rust: &Rust, path: Vec<String>, items: &[syn::Item]) {
        let mut module = Module { file, items: BTreeSet::new(), imports: Vec::new() };
        for item in items {
            match item {
                syn::Item::Mod(inner) => {
                    let is_test = rust.in_test(inner.ident.span().start().line);
                    if let Some((_, items)) = inner.content.as_ref().filter(|_| !is_test) {
                        let path = [path.as_slice(), &[inner.ident.to_string()]].concat();
                        self.add(file, rust, path, items);
                    }
                }
                item => module.items.extend(names(item)),
            }
        }
        self.by_path.insert(path, module);
    }

    /// Returns the files of the items that `path` in module `from` names.
    pub(super) fn files_of(&self, from: &[String], path: &Path) -> BTreeSet<&'a str> {
        let here = [from, &path.within].concat();
        let targets = self.resolve(&here, &path.segments, &mut Seen::new());
        let file = |target| match target {
            Target::Item(file) => Some(file.path.as_str()),
            Target::Module(_) => None,
        };
        targets.into_iter().filter_map(file).collect()
    }

    /// Resolves a path in module `here`.
    fn resolve(&self, here: &[String], segments: &[String], seen: &mut Seen) -> Vec<Target<'a>> {
        let supers = segments.iter().take_while(|name| *name == "super").count();
        let (module, rest) = match segments.first().map(String::as_str) {
            Some("crate") => (&[][..], &segments[1..]),
            Some("self") => (here, &segments[1..]),
            Some("super") if supers <= here.len() => {
                (&here[..here.len() - supers], &segments[supers..])
            }
            _ => return self.walk(here, segments, seen),
        };
        let found = self.walk(module, rest, seen);
        if found.is_empty() { self.whole(module) } else { found }
    }

    /// Follows `names` from `module`. Returns nothing if the first name is unknown there.
    fn walk(&self, module: &[String], names: &[String], seen: &mut Seen) -> Vec<Target<'a>> {
        let (name, deeper) = match names.split_first() {
            Some((name, deeper)) if name != "self" && name != "*" => (name, deeper),
            _ => return vec![Target::Module(module.to_vec())],
        };
        if !seen.insert((module.to_vec(), name.clone())) {
            return Vec::new();
        }
        let mut found = Vec::new();
        let child = [module, std::slice::from_ref(name)].concat();
        if self.by_path.contains_key(&child) {
            found.extend(self.walk_on(&child, deeper, seen));
        }
        let known = self.by_path.get(module);
        let imports = known.map_or(&[][..], |module| &module.imports);
        if let Some(module) = known.filter(|module| module.items.contains(name)) {
            found.push(Target::Item(module.file));
        }
        for (_, path) in imports.iter().filter(|(new_name, _)| new_name == name) {
            for target in self.resolve(module, path, seen) {
                match target {
                    Target::Module(module) => found.extend(self.walk_on(&module, deeper, seen)),
                    item @ Target::Item(_) => found.push(item),
                }
            }
        }
        if found.is_empty() {
            let globs = imports.iter().filter(|(new_name, _)| new_name == "*");
            for (_, path) in globs {
                for target in self.resolve(module, path, seen) {
                    if let Target::Module(module) = target {
                        found.extend(self.walk(&module, names, seen));
                    }
                }
            }
        }
        seen.remove(&(module.to_vec(), name.clone()));
        found
    }

    /// Follows `names` from a module that a path names. An unknown name counts as the module.
    fn walk_on(&self, module: &[String], names: &[String], seen: &mut Seen) -> Vec<Target<'a>> {
        let found = self.walk(module, names, seen);
        if found.is_empty() { self.whole(module) } else { found }
    }

    /// Returns the file of `module`, for an unknown name in it.
    fn whole(&self, module: &[String]) -> Vec<Target<'a>> {
        self.by_path.get(module).map(|module| Target::Item(module.file)).into_iter().collect()
    }
}

/// Returns the files of a crate without those for tests. A program beside a library is another
/// crate.
pub(super) fn sources<'a>(tree: &'a Tree, src: &str) -> impl Iterator<Item = (&'a File, &'a Rust)> {
    let has_library = tree.get(&format!("{src}lib.rs")).is_some();
    let program = format!("{src}main.rs");
    tree.rust(src).filter(move |(file, rust)| {
        !(rust.in_test(usize::MAX) || has_library && file.path == program)
    })
}

/// Returns the module path of a file of the crate in `src`; empty for `lib.rs` and `main.rs`.
pub(super) fn module_path(src: &str, path: &str) -> Vec<String> {
    let path = path.strip_prefix(src).unwrap_or(path).trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if matches!(path, "lib" | "main") {
        return Vec::new();
    }
    path.split('/').map(str::to_owned).collect()
}

/// Returns the names that `item` adds to its module.
fn names(item: &syn::Item) -> Vec<String> {
    let name = match item {
        syn::Item::Const(it) => &it.ident,
        syn::Item::Enum(it) => &it.ident,
        syn::Item::Fn(it) => &it.sig.ident,
        syn::Item::Macro(it) => match &it.ident {
            Some(name) => name,
            None => return Vec::new(),
        },
        syn::Item::Static(it) => &it.ident,
        syn::Item::Struct(it) => &it.ident,
        syn::Item::Trait(it) => &it.ident,
        syn::Item::Type(it) => &it.ident,
        syn::Item::Union(it) => &it.ident,
        syn::Item::ForeignMod(block) => return block.items.iter().filter_map(foreign).collect(),
        _ => return Vec::new(),
    };
    vec![name.to_string()]
}

fn foreign(item: &syn::ForeignItem) -> Option<String> {
    match item {
        syn::ForeignItem::Fn(it) => Some(it.sig.ident.to_string()),
        syn::ForeignItem::Static(it) => Some(it.ident.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Resolves `path` in the file `from`.
    fn resolved(from: &str, path: &str) -> Vec<String> {
        let tree = Tree::of([
            ("src/lib.rs", "pub use a::Thing; mod a; mod b; fn root() {}"),
            (
                "src/a/mod.rs",
                "mod x; mod y; pub use x::Thing as Renamed; pub use y::*;
                pub use x::Thing; use y as other; pub struct Own; pub mod inner { pub fn f() {} }",
            ),
            ("src/a/x.rs", "pub struct Thing; pub fn y() {} extern \"C\" { fn far(); }"),
            ("src/a/y.rs", "pub enum Choice { One } pub use super::*;"),
            ("src/b.rs", "use crate::a::{self, Thing}; \n#[cfg(test)] mod tests;"),
            ("src/b/tests.rs", "pub fn t() {}"),
        ]);
        let modules = Modules::of(&tree, "src/");
        let paths = paths(&path.parse().unwrap());
        let found = modules.files_of(&module_path("src/", from), &paths[0]);
        found.iter().map(|path| path.trim_start_matches("src/").to_owned()).collect()
    }

    #[test]
    fn a_path_is_resolved_to_the_file_of_its_item() {
        for (from, path, to) in [
            ("src/b.rs", "crate::a::x::Thing", "a/x.rs"),
            ("src/b.rs", "a::Own", "a/mod.rs"),
            ("src/b.rs", "a::inner::f", "a/mod.rs"),
            ("src/a/x.rs", "super::Own::NEW", "a/mod.rs"),
            ("src/a/x.rs", "super::super::root", "lib.rs"),
            ("src/a/x.rs", "far", "a/x.rs"),
            ("src/a/mod.rs", "x::made_by_a_macro", "a/x.rs"),
        ] {
            assert_eq!(resolved(from, path), [to], "{path}");
        }
    }

    #[test]
    fn exports_aliases_and_globs_are_followed() {
        for (from, path, to) in [
            ("src/b.rs", "Thing", "a/x.rs"),
            ("src/b.rs", "crate::Thing", "a/x.rs"),
            ("src/b.rs", "a::Renamed", "a/x.rs"),
            ("src/b.rs", "a::Choice::One", "a/y.rs"),
            ("src/a/y.rs", "Own", "a/mod.rs"),
            ("src/a/mod.rs", "other::Choice", "a/y.rs"),
        ] {
            assert_eq!(resolved(from, path), [to], "{path}");
        }
    }

    #[test]
    fn modules_other_crates_and_tests_have_no_file() {
        for path in ["a", "crate::a", "std::fmt", "local", "tests::t", "a::x"] {
            assert_eq!(resolved("src/b.rs", path), [""; 0], "{path}");
        }
    }

    #[test]
    fn a_file_has_a_module_path() {
        let path = |path: &str| module_path("src/", path).join("::");
        assert_eq!((path("src/lib.rs"), path("src/main.rs")), (String::new(), String::new()));
        assert_eq!(path("src/error.rs"), "error");
        assert_eq!(path("src/sys/wait/mod.rs"), "sys::wait");
        assert_eq!(path("src/sys/wait/linux.rs"), "sys::wait::linux");
    }
}
