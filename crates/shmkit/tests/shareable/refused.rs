//! Types that cannot be shared do not compile, and the message says why and what to use instead.

// Not under Wine, where the compiler does not run.
#[cfg(not(windows))]
#[test]
fn types_that_cannot_be_shared_do_not_compile_and_the_message_says_why() {
    trybuild::TestCases::new().compile_fail("tests/shareable/refused/*.rs");
}
