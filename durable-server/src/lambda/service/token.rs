//! Checkpoint tokens, callback ids and page markers, as opaque base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// Three bytes that are `+/+/` in base64, so that clients that do not encode URLs fail at once.
const AWKWARD: [u8; 3] = [0xfb, 0xff, 0xbf];

fn opaque(text: &str) -> String {
    STANDARD.encode([&AWKWARD[..], text.as_bytes()].concat())
}

fn content(token: &str) -> Option<String> {
    let bytes = STANDARD.decode(token).ok()?;
    String::from_utf8(bytes.strip_prefix(&AWKWARD)?.to_vec()).ok()
}

fn mac(secret: &str, text: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(secret.as_bytes());
    hash.update(text.as_bytes());
    hex(&hash.finalize()[..12])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Creates the checkpoint token with this sequence number.
pub(crate) fn of_checkpoint(execution: &str, secret: &str, sequence: u64) -> String {
    let text = format!("checkpoint {execution} {sequence}");
    let mac = mac(secret, &text);
    opaque(&format!("{text} {mac}"))
}

/// Creates the id of a callback.
pub(crate) fn of_callback(execution: &str, secret: &str, operation: &str) -> String {
    let text = format!("callback {execution} {operation}");
    let mac = mac(secret, &text);
    opaque(&format!("{text} {mac}"))
}

/// Returns the execution id in a checkpoint token.
pub(crate) fn checkpoint_execution(token: &str) -> Option<String> {
    let content = content(token)?;
    let mut words = content.split(' ');
    (words.next() == Some("checkpoint")).then(|| words.next().map(str::to_owned))?
}

/// The execution id and the operation id in a callback id.
pub(crate) fn callback_target(id: &str) -> Option<(String, String)> {
    let content = content(id)?;
    let mut words = content.split(' ');
    if words.next() != Some("callback") {
        return None;
    }
    Some((words.next()?.to_owned(), words.next()?.to_owned()))
}

/// Rest of a paged answer: operations changed after `since`, from position `from` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) since: u64,
    pub(crate) from: usize,
}

impl Marker {
    pub(crate) fn write(self, execution: &str) -> String {
        opaque(&format!("page {execution} {} {}", self.since, self.from))
    }

    pub(crate) fn read(text: &str, execution: &str) -> Option<Self> {
        let content = content(text)?;
        let mut words = content.split(' ');
        if words.next() != Some("page") || words.next() != Some(execution) {
            return None;
        }
        Some(Self {
            since: words.next()?.parse().ok()?,
            from: words.next()?.parse().ok()?,
        })
    }
}

/// Name and id of the execution that a chained invoke starts. They depend on the caller only, so a
/// dispatch that is repeated after a crash finds the execution it started before.
pub(crate) fn child(caller: &str, operation: &str) -> (String, String) {
    let digest = Sha256::digest(format!("{caller} {operation}"));
    let digits = hex(&digest);
    let name = format!("chained-{}", &digits[..32]);
    let id = format!(
        "{}-{}-{}-{}-{}",
        &digits[32..40],
        &digits[40..44],
        &digits[44..48],
        &digits[48..52],
        &digits[52..64]
    );
    (name, id)
}
