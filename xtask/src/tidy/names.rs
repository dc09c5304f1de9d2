//! Files, folders, modules and types have no names without meaning, and functions no such prefix.

use proc_macro2::Ident;
use syn::visit::{self, Visit};

use super::tree::File;
use super::{Finding, Tree};

/// Words without meaning, also in the plural.
const EMPTY: [&str; 6] = ["util", "common", "misc", "helper", "detail", "manager"];
/// A prefix of functions, modules and macros without meaning.
const PREFIX: &str = "impl_";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files() {
        for part in file.path.split('/') {
            let stem = part.split('.').find(|stem| !stem.is_empty()).unwrap_or(part);
            findings.extend(empty(stem).map(|what| file.finding(1, what)));
        }
    }
    for (file, rust) in tree.rust("") {
        let mut names = Names { file, findings: Vec::new() };
        names.visit_file(&rust.syntax);
        findings.append(&mut names.findings);
    }
    findings
}

/// Returns what is wrong with a name such as `page_util` or `LockManager`.
fn empty(name: &str) -> Option<String> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        if matches!(letter, '_' | '-') || letter.is_uppercase() {
            words.push(String::new());
        }
        words.last_mut()?.extend(letter.to_lowercase().filter(|it| it.is_alphanumeric()));
    }
    let bad = words.iter().any(|word| EMPTY.contains(&word.trim_end_matches('s')));
    bad.then(|| format!("the name `{name}` has no meaning: name the concept"))
        .or_else(|| prefix(name))
}

fn prefix(name: &str) -> Option<String> {
    name.starts_with(PREFIX)
        .then(|| format!("the name `{name}`: tell what it does, without `{PREFIX}`"))
}

struct Names<'a> {
    file: &'a File,
    findings: Vec<Finding>,
}

impl Names<'_> {
    fn judge(&mut self, name: &Ident, rule: fn(&str) -> Option<String>) {
        let finding = rule(&name.to_string());
        let line = name.span().start().line;
        self.findings.extend(finding.map(|what| self.file.finding(line, what)));
    }
}

impl Visit<'_> for Names<'_> {
    fn visit_item(&mut self, item: &syn::Item) {
        match item {
            syn::Item::Mod(it) => self.judge(&it.ident, empty),
            syn::Item::Struct(it) => self.judge(&it.ident, empty),
            syn::Item::Enum(it) => self.judge(&it.ident, empty),
            syn::Item::Trait(it) => self.judge(&it.ident, empty),
            syn::Item::Type(it) => self.judge(&it.ident, empty),
            syn::Item::Macro(it) => it.ident.iter().for_each(|name| self.judge(name, prefix)),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_signature(&mut self, signature: &syn::Signature) {
        self.judge(&signature.ident, prefix);
        visit::visit_signature(self, signature);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&Tree::of([(path, text)])).len()
    }

    #[test]
    fn empty_names_of_files_and_folders_are_found() {
        for path in ["utils.rs", "a/misc/b.txt", "a/page_util.py", "src/common.rs", "a/helpers.h"] {
            assert_eq!(found(path, ""), 1, "{path}");
        }
        for path in ["a/utility.md", "detailed.rs", ".ci/run", "commons_sense/recommon.rs"] {
            assert_eq!(found(path, ""), usize::from(path.starts_with("commons")), "{path}");
        }
    }

    #[test]
    fn empty_names_of_modules_types_and_functions_are_found() {
        let bad = "mod detail {} struct LockManager; enum Helper {} trait PageUtils {}
                   fn impl_get() {} macro_rules! impl_all { () => {} } type Misc = u8;
                   impl A { fn impl_set(&self) {} }";
        assert_eq!(found("a.rs", bad), 8);
        let good = "mod details_matter_not {}".replace("details_matter_not", "page");
        assert_eq!(found("a.rs", &format!("{good} struct Lock; fn implement() {{}}")), 0);
    }
}
