//! The files of the page, part of the program.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::serve::problem::Problem;

/// Name, content type and text.
type File = (&'static str, &'static str, &'static str);

const FILES: [File; 4] = [
    (
        "style.css",
        "text/css; charset=utf-8",
        include_str!("assets/style.css"),
    ),
    (
        "page.js",
        "text/javascript; charset=utf-8",
        include_str!("assets/page.js"),
    ),
    (
        "timeline.js",
        "text/javascript; charset=utf-8",
        include_str!("assets/timeline.js"),
    ),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

/// A file by its name.
pub(super) async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some((_, kind, text)) = FILES.iter().find(|(known, ..)| *known == name) else {
        return Problem::not_found(format!("there is no file {name:?}")).into_response();
    };
    // A build has its own files.
    let tag = format!("\"{}-{}\"", env!("CARGO_PKG_VERSION"), checksum(text));
    let known = headers.get(header::IF_NONE_MATCH);
    if known.is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let head = [(header::CONTENT_TYPE, *kind), (header::ETAG, tag.as_str())];
    (head, *text).into_response()
}

/// FNV-1a: files of two builds are to differ, nothing more.
fn checksum(text: &str) -> u64 {
    let add = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, add)
}
