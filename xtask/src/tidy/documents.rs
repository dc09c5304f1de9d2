//! The documents exist, and their links have targets. The README shows how to start the program and
//! its tests, and links the guides. Doctests run the Rust code of the README and of the guides.

use std::collections::BTreeSet;

use super::tree::File;
use super::{Finding, Tree};

const README: &str = "README.md";
const LIBRARY: &str = "crates/shmkit/src/lib.rs";
/// The folder of the guides.
const GUIDES: &str = "docs/guides/";
/// What runs the examples of the guides.
const TASKS: &str = "xtask/src/lib.rs";
/// The documents that a project of this kind has, and the limits of their lines.
const DOCUMENTS: [(&str, usize); 8] = [
    (README, usize::MAX),
    ("ARCHITECTURE.md", 300),
    ("FORMAT.md", usize::MAX),
    ("PLATFORM.md", usize::MAX),
    ("CHANGELOG.md", usize::MAX),
    ("CONTRIBUTING.md", usize::MAX),
    ("LICENSE-MIT", usize::MAX),
    ("LICENSE-APACHE", usize::MAX),
];
/// The commands that the README must show.
const COMMANDS: [&str; 2] = ["cargo run --release -- demo", "cargo test"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let documents = tree.files().filter(|file| file.path.ends_with(".md"));
    // The folders of the crates have links to the README, which is checked only once.
    let copied = |file: &File| tree.get(README).is_some_and(|readme| readme.text == file.text);
    for file in documents.filter(|file| file.path == README || !copied(file)) {
        for (line, target) in links(&file.text) {
            findings.extend(broken(tree, file, &target).map(|what| file.finding(line, what)));
        }
    }
    if let Some(readme) = tree.get(README) {
        findings.extend(commands(readme));
        findings.extend(blocks(tree, readme));
        findings.extend(guides(tree, readme));
    }
    findings
}

/// Checks that the README links each guide, and that doctests run its Rust code.
fn guides(tree: &Tree, readme: &File) -> Vec<Finding> {
    let linked: BTreeSet<_> = links(&readme.text).into_iter().map(|(_, target)| target).collect();
    let tasks = tree.get(TASKS).map_or("", |file| &file.text);
    let mut findings = Vec::new();
    for guide in tree.files().filter(|file| file.path.starts_with(GUIDES)) {
        if !linked.contains(&guide.path) {
            findings.push(guide.finding(1, "the README does not link it".to_owned()));
        }
        let fences: Vec<_> = rust_fences(guide).collect();
        findings.extend(unrun(guide, &fences));
        let include = format!("#[doc = include_str!(\"../../{}\")]", guide.path);
        if let Some((line, _)) = fences.first()
            && !tasks.contains(&include)
        {
            findings.push(guide.finding(*line, format!("{TASKS} must run it: {include}")));
        }
    }
    findings
}

/// Returns the lines that begin blocks of Rust code.
fn rust_fences(document: &File) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(document.text.lines()).filter(|(_, line)| line.starts_with("```rust"))
}

/// Finds blocks of Rust code that no test compiles.
fn unrun(document: &File, fences: &[(usize, &str)]) -> Vec<Finding> {
    let what = "no test compiles this block: use `no_run` instead of `ignore`";
    let ignored = fences.iter().filter(|(_, fence)| fence.contains("ignore"));
    ignored.map(|(line, _)| document.finding(*line, what.to_owned())).collect()
}

/// Checks that the documents exist and are not too long.
pub(super) fn check_present(tree: &Tree) -> Vec<Finding> {
    let judge = |&(path, max_lines): &(&str, usize)| {
        let finding = |line, what| Finding { file: path.to_owned(), line, what };
        match tree.get(path) {
            None => Some(finding(1, "is missing".to_owned())),
            Some(file) if file.text.lines().count() > max_lines => {
                Some(finding(max_lines + 1, format!("shorten it: at most {max_lines} lines")))
            }
            Some(_) => None,
        }
    };
    DOCUMENTS.iter().filter_map(judge).collect()
}

/// Returns what is wrong with a link from `file` to `target`.
fn broken(tree: &Tree, file: &File, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() { file.path.clone() } else { resolve(&file.path, path)? };
    if !tree.has(&path) {
        return Some(format!("the link `{target}` has no target: there is no `{path}`"));
    }
    let document = tree.get(&path).filter(|to| !heading.is_empty() && to.path.ends_with(".md"))?;
    (!headings(&document.text).contains(heading))
        .then(|| format!("the link `{target}` has no target: `{path}` has no such heading"))
}

/// Resolves `path` relative to the folder of `file`. A path above the root keeps its `..`, so that
/// it is not found.
fn resolve(file: &str, path: &str) -> Option<String> {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.is_empty() => parts.push(".."),
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Returns the lines of `text` outside of fenced blocks, with their numbers and without code spans.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let spans = text.split('`').step_by(2);
            lines.push((line, spans.collect::<Vec<_>>().join("`")));
        }
    }
    lines
}

/// Returns the targets of `[text](target)` and of `[label]: target`.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (line, text) in prose(text) {
        for rest in text.split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            links.push((line, target.to_owned()));
        }
        if let Some((label, target)) = text.split_once("]: ")
            && label.starts_with('[')
        {
            links.push((line, target.trim().to_owned()));
        }
    }
    links
}

/// Returns the anchors of the headings of `text`.
fn headings(text: &str) -> BTreeSet<String> {
    let without_spans = text.replace('`', "\u{1}");
    let mut names = BTreeSet::new();
    for (_, text) in prose(&without_spans) {
        let Some(heading) = text.strip_prefix('#') else { continue };
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|it| it.is_alphanumeric() || " -_".contains(*it));
        let name: String = kept.map(|it| if it == ' ' { '-' } else { it }).collect();
        let copies = (1..).map(|copy| format!("{name}-{copy}"));
        let free = std::iter::once(name.clone()).chain(copies).find(|it| !names.contains(it));
        names.extend(free);
    }
    names
}

/// Checks that the README shows the commands.
fn commands(readme: &File) -> Vec<Finding> {
    let shown: Vec<_> =
        readme.text.lines().map(|line| line.trim().trim_start_matches("$ ")).collect();
    let missing = COMMANDS.iter().filter(|command| !shown.contains(command));
    missing.map(|command| readme.finding(1, format!("must show the command `{command}`"))).collect()
}

/// Checks that the library includes the README in its doctests, so that they run the Rust code. The
/// library includes a link in its own folder, because only that folder is published.
fn blocks(tree: &Tree, readme: &File) -> Vec<Finding> {
    let fences: Vec<_> = rust_fences(readme).collect();
    let mut findings = unrun(readme, &fences);
    let Some(library) = tree.get(LIBRARY).filter(|_| !fences.is_empty()) else { return findings };
    let included = library.text.split("#[doc = include_str!(\"").skip(1).any(|rest| {
        let path = rest.split('"').next().and_then(|path| resolve(LIBRARY, path));
        let file = path.as_deref().and_then(|path| tree.get(path));
        file.is_some_and(|it| it.text == readme.text && it.path.starts_with("crates/shmkit/"))
    });
    if !included {
        let what = "does not include the README: #[doc = include_str!(\"../README.md\")], where \
                    ../README.md is a link to the root's";
        findings.push(library.finding(1, what));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Vec<Finding> {
        let other = ("docs/OTHER.md", "# A `b`: c!\n## Twice\n## Twice\n");
        check(&Tree::of([("docs/DOC.md", text), other, ("src/lib.rs", "")]))
    }

    #[test]
    fn links_with_a_target_pass() {
        let text = "[a](OTHER.md) [b](../src) [c](../src/lib.rs), [d](OTHER.md#a-b-c)
                    [e](OTHER.md#twice-1) <https://x.y> [f](https://x.y/z) [g](#here)
                    `[h](code.md)`\n# Here\n```\n[i](fenced.md)\n```\n[j]: OTHER.md";
        assert_eq!(findings(text), []);
    }

    #[test]
    fn links_without_a_target_are_found() {
        for target in ["GONE.md", "../../out.md", "OTHER.md#gone", "#gone", "../src/gone.rs"] {
            assert_eq!(findings(&format!("x\n[a]({target})"))[0].line, 2, "{target}");
            assert_eq!(findings(&format!("[a]: {target}")).len(), 1, "{target}");
        }
    }

    #[test]
    fn rust_in_the_readme_that_nothing_runs_is_found() {
        const TEXT: &str =
            "```console\ncargo run --release -- demo\ncargo test\n```\n```rust\nlet a = 1;\n```\n";
        let copy = "crates/shmkit/README.md";
        let found = |library: &str, readme: &str, copied: &str| {
            check(&Tree::of([(LIBRARY, library), (README, readme), (copy, copied)])).len()
        };
        let include = "#[doc = include_str!(\"../README.md\")]";
        let outside = "#[doc = include_str!(\"../../../README.md\")]";
        assert_eq!(found(include, TEXT, TEXT), 0);
        assert_eq!(found("", TEXT, TEXT), 1);
        assert_eq!(found(outside, TEXT, TEXT), 1);
        assert_eq!(found(include, &format!("{TEXT} "), TEXT), 1);
        let ignored = TEXT.replace("```rust", "```rust,ignore");
        assert_eq!(found(include, &ignored, &ignored), 1);
    }

    #[test]
    fn a_guide_that_is_not_linked_or_not_run_is_found() {
        const COMMANDS: &str = "cargo run --release -- demo\ncargo test\n";
        let guide = ("docs/guides/a.md", "```rust\nlet a = 1;\n```\n");
        let found = |readme: &str, tasks: &str, guide| {
            let readme = format!("{COMMANDS}{readme}");
            check(&Tree::of([(README, readme.as_str()), (TASKS, tasks), guide])).len()
        };
        let (link, run) =
            ("[a](docs/guides/a.md)", "#[doc = include_str!(\"../../docs/guides/a.md\")]");
        assert_eq!(found(link, run, guide), 0);
        assert_eq!(found("", run, guide), 1);
        assert_eq!(found(link, "", guide), 1);
        assert_eq!(found(link, "", ("docs/guides/a.md", "text")), 0);
        assert_eq!(found(link, run, ("docs/guides/a.md", "```rust,ignore\n```")), 1);
    }

    #[test]
    fn a_document_that_is_missing_or_too_long_is_found() {
        let found = |missing: &str, lines| {
            let there = DOCUMENTS.iter().filter(|(path, _)| *path != missing);
            let tree = Tree::of(there.map(|(path, _)| (*path, "\n".repeat(lines))));
            let findings = check_present(&tree).into_iter();
            findings.map(|finding| finding.file).collect::<Vec<_>>()
        };
        assert_eq!(found("", 300), [""; 0]);
        assert_eq!(found("FORMAT.md", 300), ["FORMAT.md"]);
        assert_eq!(found("", 301), ["ARCHITECTURE.md"]);
    }

    #[test]
    fn a_copy_of_the_readme_is_checked_only_once() {
        let text = "[a](CHANGELOG.md)\n[b](GONE.md)\ncargo run --release -- demo\ncargo test";
        let copy = ("crates/shmkit/README.md", text);
        let found = check(&Tree::of([(README, text), copy, ("CHANGELOG.md", "")]));
        assert_eq!((found.len(), found[0].file.as_str(), found[0].line), (1, README, 2));
    }

    #[test]
    fn a_readme_without_its_commands_is_found() {
        let found = |text: &str| check(&Tree::of([(README, text)])).len();
        assert_eq!(found("```console\n$ cargo run --release -- demo\n$ cargo test\n```"), 0);
        assert_eq!(found("```\ncargo test\n```"), 1);
        assert_eq!(found(""), 2);
    }
}
