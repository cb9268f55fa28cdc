//! What is refused and what is not, by the code of the rule: tables of bodies.

mod awaits;
mod changes;
mod hazards;

use proc_macro2::TokenStream;

use crate::transform;

/// Codes of the errors in what is printed for a handler with this body.
pub(crate) fn codes(body: &str) -> Vec<String> {
    let item =
        format!("async fn handler(app: &App, job: Job) -> Result<(), BoxError> {{ {body} }}");
    codes_in(&transform(TokenStream::new(), item.parse().unwrap()))
}

/// Codes of the errors among these tokens.
pub(crate) fn codes_in(tokens: &TokenStream) -> Vec<String> {
    let printed = tokens.to_string();
    printed
        .match_indices("durable::D")
        .map(|(at, _)| printed[at + 9..at + 13].to_owned())
        .collect()
}

/// Every body with the codes of its errors.
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

/// Bodies of which each breaks the rule `code` once.
fn assert_refused(code: &str, bodies: &[&str]) {
    let codes = [code];
    assert_codes(bodies.iter().map(|body| (*body, &codes[..])));
}

fn assert_accepted(bodies: &[&str]) {
    assert_codes(bodies.iter().map(|body| (*body, &[][..])));
}
