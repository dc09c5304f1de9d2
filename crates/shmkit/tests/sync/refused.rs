//! Access to a value without its lock does not compile.

// Not under Wine, where the compiler does not run.
#[cfg(not(windows))]
#[test]
fn access_without_the_lock_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/sync/refused/*.rs");
}
