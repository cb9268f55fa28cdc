//! Checkpoint tokens, callback ids and markers.
//!
//! They are opaque to clients, and contain the base64 characters that have to be encoded in URLs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Three bytes that base64 encodes as `+/+/`.
const URL_UNSAFE: [u8; 3] = [0xfb, 0xff, 0xbf];

fn opaque(text: &str) -> String {
    STANDARD.encode([&URL_UNSAFE[..], text.as_bytes()].concat())
}

fn content(token: &str) -> Option<String> {
    let bytes = STANDARD.decode(token).ok()?;
    String::from_utf8(bytes.strip_prefix(&URL_UNSAFE)?.to_vec()).ok()
}

/// Creates checkpoint token number `sequence` of an execution.
pub(crate) fn of_checkpoint(execution: &str, sequence: u64) -> String {
    opaque(&format!("checkpoint {execution} {sequence}"))
}

/// Returns the execution that a checkpoint token belongs to, or `None` for other strings.
pub(crate) fn execution_of(token: &str) -> Option<String> {
    let content = content(token)?;
    let mut words = content.split(' ');
    (words.next() == Some("checkpoint")).then(|| words.next().map(str::to_owned))?
}

/// Creates the id of a callback.
pub(crate) fn of_callback(execution: &str, operation: &str) -> String {
    opaque(&format!("callback {execution} {operation}"))
}

/// Creates the marker of page `number` of an execution.
pub(crate) fn of_page(execution: &str, number: usize) -> String {
    opaque(&format!("page {execution} {number}"))
}
