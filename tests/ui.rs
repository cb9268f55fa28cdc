//! Compile errors: each file in `ui/fail` has one mistake and one error. Files in `ui/pass` must compile.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/fail/*.rs");
}
