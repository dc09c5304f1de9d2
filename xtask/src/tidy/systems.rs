//! Only `sys/` depends on an operating system, and only `memory/atomic.rs` on the source of
//! atomics. Tests may depend on both. `sys/`, a floor below `memory`, uses the atomics of `core`
//! for data that is private to a process and needs no model.

use proc_macro2::{TokenStream, TokenTree};

use super::paths::{Path, paths};
use super::tree::{File, Rust};
use super::{Finding, Tree};

const LIBRARY: &str = "crates/shmkit/src/";
const SYSTEM: &str = "crates/shmkit/src/sys/";
const ATOMICS: &str = "crates/shmkit/src/memory/atomic.rs";

/// Paths that name a system.
const SYSTEM_PATHS: [&[&str]; 8] = [
    &["libc"],
    &["rustix"],
    &["nix"],
    &["windows_sys"],
    &["windows"],
    &["winapi"],
    &["std", "os"],
    &["core", "os"],
];
/// Conditions that name one.
const CONDITIONS: [&str; 6] =
    ["unix", "windows", "target_os", "target_family", "target_vendor", "target_env"];
/// Paths to atomics.
const ATOMIC_PATHS: [&[&str]; 3] =
    [&["core", "sync", "atomic"], &["std", "sync", "atomic"], &["loom"]];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust(LIBRARY) {
        let paths = paths(&rust.tokens);
        if !file.path.starts_with(SYSTEM) {
            let advice =
                format!("belongs in {SYSTEM}, behind an operation without the name of a system");
            findings.extend(named(file, rust, &paths, &SYSTEM_PATHS, &advice));
            findings.extend(conditions(file, rust, &advice));
        }
        if file.path != ATOMICS && !file.path.starts_with(SYSTEM) {
            let advice = "use the atomics of `crate::memory::atomic`, which loom can replace";
            findings.extend(named(file, rust, &paths, &ATOMIC_PATHS, advice));
        }
    }
    findings
}

fn named(
    file: &File,
    rust: &Rust,
    paths: &[Path],
    banned: &[&[&str]],
    advice: &str,
) -> Vec<Finding> {
    let bad = paths.iter().filter(|path| {
        let name_only = path.segments.len() == 1 && path.segments[0] != "libc";
        !name_only && !rust.in_test(path.line) && banned.iter().any(|it| path.starts_with(it))
    });
    bad.map(|path| file.finding(path.line, format!("`{}` {advice}", path.segments.join("::"))))
        .collect()
}

fn conditions(file: &File, rust: &Rust, advice: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    walk(rust.tokens.clone(), &mut found);
    let bad = found.into_iter().filter(|(line, _)| !rust.in_test(*line));
    bad.map(|(line, name)| file.finding(line, format!("`cfg({name})` {advice}"))).collect()
}

/// Collects each forbidden name in the condition of a `cfg`, `cfg!` or `cfg_attr`, with its line.
fn walk(tokens: TokenStream, found: &mut Vec<(usize, String)>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(name) if name == "cfg" || name == "cfg_attr" => {
                let behind = tokens[at + 1..].iter().find(|it| !is(it, '!'));
                if let Some(TokenTree::Group(group)) = behind {
                    let condition = group.stream().into_iter();
                    let first = condition.take_while(|it| !(name == "cfg_attr" && is(it, ',')));
                    names(first.collect(), found);
                }
            }
            TokenTree::Group(group) => walk(group.stream(), found),
            _ => {}
        }
    }
}

fn names(condition: TokenStream, found: &mut Vec<(usize, String)>) {
    for token in condition {
        match token {
            TokenTree::Ident(name) if CONDITIONS.contains(&name.to_string().as_str()) => {
                found.push((name.span().start().line, name.to_string()));
            }
            TokenTree::Group(group) => names(group.stream(), found),
            _ => {}
        }
    }
}

fn is(token: &TokenTree, punct: char) -> bool {
    matches!(token, TokenTree::Punct(it) if it.as_char() == punct)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let tree = Tree::of([(path, text)]);
        check(&tree).iter().map(|finding| finding.line).collect()
    }

    const SYSTEMS: &str = "use libc;
        use std::{io, os::fd::AsFd};
        fn f() { rustix::fs::fstat(1) }
        #[cfg(all(test, not(unix)))] fn g() {}
        #[cfg(any(loom, target_os = \"linux\"))] fn h() {}
        #[cfg_attr(windows, allow(unused))] fn i() {}
        fn j() -> bool { cfg!(unix) }
        macro_rules! m { () => { ::windows_sys::k() } }";

    #[test]
    fn a_system_named_outside_sys_is_found() {
        // Line 4 is for tests only.
        assert_eq!(lines("crates/shmkit/src/object/mod.rs", SYSTEMS), [1, 2, 3, 8, 5, 6, 7]);
        assert_eq!(lines("crates/shmkit/src/sys/file.rs", SYSTEMS), []);
        assert_eq!(lines("crates/shmkit/tests/main.rs", SYSTEMS), []);
    }

    #[test]
    fn names_that_only_look_like_a_system_pass() {
        let text = "fn f(windows: &[u8]) { x.windows(2); #[cfg(target_arch = \"x86_64\")] g(); }
                    /// `libc` and `std::os` in words.
                    #[cfg_attr(loom, doc = \"unix\")] fn h() {} const A: &str = \"rustix::b\";";
        assert_eq!(lines("crates/shmkit/src/object/mod.rs", text), []);
    }

    #[test]
    fn atomics_from_elsewhere_are_found() {
        let text = "use std::sync::{Arc, atomic::AtomicU64};
                    use core::sync::atomic::{self, Ordering};
                    use loom::thread;
                    #[cfg(test)] mod tests { use std::sync::atomic::AtomicBool; }";
        assert_eq!(lines("crates/shmkit/src/channel/latest.rs", text), [1, 2, 2, 3]);
        let only = "crates/shmkit/src/memory/atomic.rs";
        assert_eq!(lines(only, text), []);
        assert_eq!(lines("crates/shmkit/src/sys/fork/linux.rs", text), []);
    }
}
