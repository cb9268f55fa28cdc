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

/// Bytes of a text in JSON, quotes included.
pub(crate) fn written(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
        ..0x20 => 5,
        _ => 0,
    };
    2 + text.len() + text.bytes().map(escaped).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_as_long_as_in_json() {
        let all: String = (0..0x250).filter_map(char::from_u32).collect();
        for text in ["", "plain", "\"quoted\"", &all] {
            assert_eq!(written(text), serde_json::to_string(text).unwrap().len());
        }
    }

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
