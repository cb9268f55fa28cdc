//! Compile errors: each file in `ui/fail` has one mistake and one error. Files in `ui/pass` must compile.
//!
//! The two sets are separate tests because trybuild checks all cases in one run of cargo only where none of them has to be linked: that takes
//! a fifth of the time.

#[test]
fn ui_pass() {
    trybuild::TestCases::new().pass("ui/pass/*.rs");
}

#[test]
fn ui_fail() {
    trybuild::TestCases::new().compile_fail("ui/fail/*.rs");
}
