//! Compile errors: each file in `fail` has one mistake and one error. Files in `tests` must compile.

/// trybuild checks all cases in one run of cargo, since none of them has to be linked: that takes a fifth of the time.
#[test]
fn ui_fail() {
    trybuild::TestCases::new().compile_fail("fail/*.rs");
}
