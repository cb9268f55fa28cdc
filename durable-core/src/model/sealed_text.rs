//! Text form of sealed payloads, for stores that keep text.

use std::fmt::Write as _;

use crate::model::payload::Payload;

/// Separates the readable line from the sealed report.
const REPORT: &str = "\nsealed report: ";

/// Formats a payload as its codec, a space and its bytes in hexadecimal.
pub(crate) fn write(payload: &Payload) -> String {
    let mut text = String::with_capacity(payload.codec.len() + 1 + 2 * payload.len());
    text.push_str(&payload.codec);
    text.push(' ');
    for byte in &payload.data {
        // Writing to a `String` never fails.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Parses the output of [`write`]; `None` for any other text.
pub(crate) fn read(text: &str) -> Option<Payload> {
    let (codec, digits) = text.rsplit_once(' ')?;
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let bytes: Option<Vec<u8>> = pairs
        .iter()
        .map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?))
        .collect();
    Some(Payload {
        codec: codec.to_owned().into(),
        data: bytes?.into(),
    })
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16)?.try_into().ok()
}

/// Formats a sealed report with a readable line in front.
pub(crate) fn write_report(sealed: &Payload) -> String {
    let codec = sealed.sealed_with().unwrap_or_default();
    format!(
        "The report is sealed with `{codec}`.{REPORT}{}",
        write(sealed)
    )
}

/// Splits a report formatted by [`write_report`] into the readable line and the sealed bytes.
pub(crate) fn read_report(report: &str) -> Option<(&str, Payload)> {
    let (note, sealed) = report.rsplit_once(REPORT)?;
    let sealed = read(sealed).filter(|sealed| sealed.sealed_with().is_some())?;
    Some((note, sealed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formatted_payloads_are_parsed_back() {
        let payload = Payload {
            codec: "app v=2+aes-gcm:k1".into(),
            data: (0..=255).collect::<Vec<u8>>().into(),
        };
        assert_eq!(read(&write(&payload)), Some(payload.clone()));
        let report = write_report(&payload);
        let note = "The report is sealed with `aes-gcm:k1`.";
        assert_eq!(read_report(&report), Some((note, payload)));
    }

    #[test]
    fn other_text_is_not_parsed_as_sealed() {
        for text in ["", "json", "json+a:1 0", "json+a:1 0g", "json+a:1 é0"] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert!(read_report("`etl` changed\nsealed report: json 00").is_none());
    }
}
