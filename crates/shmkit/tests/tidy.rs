//! Checks the whole workspace against the rules of CONTRIBUTING.md that a program can check.

#[test]
fn the_workspace_is_tidy() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let findings = xtask::tidy::check(root.as_ref());
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}
