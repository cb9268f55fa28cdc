//! Values as text, which is all that the service keeps.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use durable_core::Payload;

/// What stands before bytes that are no text, or that begin with just this.
const BINARY: &str = "data:application/octet-stream;base64,";

/// The bytes as they are where they are text, else in base 64.
pub(crate) fn to_text(data: &[u8]) -> String {
    match std::str::from_utf8(data) {
        Ok(text) if !text.starts_with(BINARY) => text.to_owned(),
        _ => format!("{BINARY}{}", STANDARD.encode(data)),
    }
}

/// The value behind a text. Which codec encoded it is known to the call site only.
pub(crate) fn from_text(text: String) -> Payload {
    let encoded = text.strip_prefix(BINARY);
    let bytes = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
    Payload {
        codec: "".into(),
        data: bytes.map_or_else(|| Bytes::from(text), Bytes::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_was_encoded_comes_back() {
        let marked = format!("{BINARY}AAAA");
        for data in [&b"{\"a\":1}"[..], b"", &[0xff, 0, 0x80], marked.as_bytes()] {
            let text = to_text(data);
            assert_eq!(&from_text(text).data[..], data);
        }
        assert_eq!(to_text(b"HELLO"), "HELLO");
    }
}
