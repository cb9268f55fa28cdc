//! Conversion of values from and to text, the only form that the service stores.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use durable_core::Payload;

/// Prefix of base64-encoded bytes. Text that starts with it is encoded as well.
const BINARY: &str = "data:application/octet-stream;base64,";

/// Returns the bytes unchanged if they are UTF-8, otherwise base64-encoded.
pub(crate) fn to_text(data: &[u8]) -> String {
    match std::str::from_utf8(data) {
        Ok(text) if !text.starts_with(BINARY) => text.to_owned(),
        _ => format!("{BINARY}{}", STANDARD.encode(data)),
    }
}

/// Decodes a value. Its codec is left empty, because only the call site knows it.
pub(crate) fn from_text(text: String) -> Payload {
    let encoded = text.strip_prefix(BINARY);
    let bytes = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
    Payload {
        codec: "".into(),
        data: bytes.map_or_else(|| Bytes::from(text), Bytes::from),
    }
}

/// Returns the length of the text as a JSON string in bytes, quotes included.
pub(crate) fn json_len(text: &str) -> usize {
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
    fn json_len_equals_the_serialized_length() {
        let all: String = (0..0x250).filter_map(char::from_u32).collect();
        for text in ["", "plain", "\"quoted\"", &all] {
            assert_eq!(json_len(text), serde_json::to_string(text).unwrap().len());
        }
    }

    #[test]
    fn values_round_trip() {
        let marked = format!("{BINARY}AAAA");
        for data in [&b"{\"a\":1}"[..], b"", &[0xff, 0, 0x80], marked.as_bytes()] {
            let text = to_text(data);
            assert_eq!(&from_text(text).data[..], data);
        }
        assert_eq!(to_text(b"HELLO"), "HELLO");
    }
}
