//! Checkpoint tokens, callback ids and markers.
//!
//! Opaque to whoever gets them, and full of the characters of base64 that URLs do not take as they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Three bytes that base64 writes as `+/+/`.
const AWKWARD: [u8; 3] = [0xfb, 0xff, 0xbf];

fn opaque(text: &str) -> String {
    STANDARD.encode([&AWKWARD[..], text.as_bytes()].concat())
}

fn content(token: &str) -> Option<String> {
    let bytes = STANDARD.decode(token).ok()?;
    String::from_utf8(bytes.strip_prefix(&AWKWARD)?.to_vec()).ok()
}

/// The token number `sequence` of an execution.
pub(crate) fn of_checkpoint(execution: &str, sequence: u64) -> String {
    opaque(&format!("checkpoint {execution} {sequence}"))
}

/// The execution that a token was made for, if it is a token.
pub(crate) fn execution_of(token: &str) -> Option<String> {
    let content = content(token)?;
    let mut words = content.split(' ');
    (words.next() == Some("checkpoint")).then(|| words.next().map(str::to_owned))?
}

/// The id of a callback.
pub(crate) fn of_callback(execution: &str, operation: &str) -> String {
    opaque(&format!("callback {execution} {operation}"))
}

/// The marker of page `number` of an execution's pages.
pub(crate) fn of_page(execution: &str, number: usize) -> String {
    opaque(&format!("page {execution} {number}"))
}
