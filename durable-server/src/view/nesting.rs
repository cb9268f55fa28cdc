//! Values that are nested too deeply for the stack.

use durable_core::json::Exact;

/// Deepest nesting of a value that is shown as JSON, as in `serde_json`.
const DEEPEST: usize = 128;

/// Reads JSON that is nested as deeply as every reader can take.
pub(crate) fn parse(text: &[u8]) -> Option<Exact> {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text {
        match *byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => depth += 1,
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    if deepest >= DEEPEST {
        return None;
    }
    Exact::parse(text).ok()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn deep_values_are_refused_before_they_are_read() {
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(parse(deep(127).as_bytes()).is_some());
        assert!(parse(deep(128).as_bytes()).is_none());
        assert!(parse(deep(1_000_000).as_bytes()).is_none());
        let quoted = format!("\"{}\\\"[\"", "[".repeat(500));
        assert!(parse(quoted.as_bytes()).is_some());
    }
}
