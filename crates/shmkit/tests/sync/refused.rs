//! What cannot be done with a lock that one does not have does not compile.

// It runs the compiler: not under Wine.
#[cfg(not(windows))]
#[test]
fn what_needs_the_lock_does_not_compile_without_it() {
    trybuild::TestCases::new().compile_fail("tests/sync/refused/*.rs");
}
