//! What cannot be shared does not compile, and the message says why and what to do instead.

// It runs the compiler: not under Wine.
#[cfg(not(windows))]
#[test]
fn what_cannot_be_shared_does_not_compile_and_says_why() {
    trybuild::TestCases::new().compile_fail("tests/shareable/refused/*.rs");
}
