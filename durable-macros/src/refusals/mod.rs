//! Tables of bodies that are refused or accepted, with the codes of the rules.

mod awaits;
mod changes;
mod hazards;

use proc_macro2::TokenStream;

use crate::transform;

/// Codes of the errors in the expansion of a handler with this body.
pub(crate) fn codes(body: &str) -> Vec<String> {
    let item =
        format!("async fn handler(app: &App, job: Job) -> Result<(), BoxError> {{ {body} }}");
    codes_in(&transform(TokenStream::new(), item.parse().unwrap()))
}

/// Codes of the errors in an expansion.
pub(crate) fn codes_in(tokens: &TokenStream) -> Vec<String> {
    let printed = tokens.to_string();
    printed
        .match_indices("durable::D")
        .map(|(at, _)| printed[at + 9..at + 13].to_owned())
        .collect()
}

/// Checks the codes of the errors of each body.
fn assert_codes<'a>(table: impl IntoIterator<Item = (&'a str, &'a [&'a str])>) {
    let mut wrong = Vec::new();
    for (body, expected) in table {
        let found = codes(body);
        if found != expected {
            wrong.push(format!("{found:?} instead of {expected:?}: {body}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Checks that each body breaks the rule `code` once.
fn assert_refused(code: &str, bodies: &[&str]) {
    let codes = [code];
    assert_codes(bodies.iter().map(|body| (*body, &codes[..])));
}

/// Checks that no body breaks a rule.
fn assert_accepted(bodies: &[&str]) {
    assert_codes(bodies.iter().map(|body| (*body, &[][..])));
}
