//! What the compiler says: one mistake per file in `ui/fail`, with its one error; what must compile in `ui/pass`.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/fail/*.rs");
}
