//! Headers that tell browsers what a page may do.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// Own files only: no inline script or style, no other origin, no frame around the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const ALL: [(&str, &str); 7] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    // Without any referrer, browsers would send forms with the origin `null`.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=()",
    ),
];

/// Sets the headers of an answer.
pub(super) fn protect(path: &str, headers: &mut HeaderMap) {
    for (name, value) in ALL {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    // What the store holds does not belong into caches; the files of the page are revalidated.
    let caching = match path.starts_with("/assets/") {
        true => "no-cache",
        false => "no-store",
    };
    let name = HeaderName::from_static("cache-control");
    headers.insert(name, HeaderValue::from_static(caching));
}
