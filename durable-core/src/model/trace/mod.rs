//! Position of an execution in a distributed trace.

#[cfg(feature = "otel")]
mod bridge;
#[cfg(not(feature = "otel"))]
#[path = "no_bridge.rs"]
mod bridge;

use std::fmt;

use tracing::Span;

/// Maximum length in bytes. A header of the current version has 55; later versions may append fields.
const MAX_LENGTH: usize = 512;

/// Position in a distributed trace, in the form of the header `traceparent` of
/// [W3C Trace Context](https://www.w3.org/TR/trace-context/).
///
/// A start keeps the position of its caller with the execution, and every invocation continues that trace, in
/// whatever process it runs. With the feature `otel`, the position is taken from the current span, which
/// `tracing-opentelemetry` exports.
///
/// ```
/// use durable_core::TraceParent;
///
/// let parent: TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse()?;
/// assert_eq!(parent.trace_id(), "0af7651916cd43dd8448eb211c80319c");
/// assert_eq!(parent.span_id(), "b7ad6b7169203331");
/// assert!("0af7651916cd43dd8448eb211c80319c".parse::<TraceParent>().is_err());
/// # Ok::<(), durable_core::InvalidTraceParent>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TraceParent(Box<str>);

impl TraceParent {
    /// Parses a header. Logs an invalid one at level `DEBUG` and returns `None`: a broken trace must not keep an
    /// execution from running.
    pub fn from_header(header: &str) -> Option<Self> {
        match header.parse() {
            Ok(parent) => Some(parent),
            Err(error) => {
                tracing::debug!(%error, "the trace is not continued");
                None
            }
        }
    }

    /// Returns the header.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the id of the trace: 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        self.field(3..35)
    }

    /// Returns the id of the parent span: 16 hexadecimal digits.
    pub fn span_id(&self) -> &str {
        self.field(36..52)
    }

    #[cfg(feature = "otel")]
    fn flags(&self) -> &str {
        self.field(53..55)
    }

    fn field(&self, range: std::ops::Range<usize>) -> &str {
        self.0.get(range).unwrap_or_default()
    }
}

/// Without the feature `otel`, no span belongs to a trace.
impl TraceParent {
    /// Returns the position of the current span, or else of the current OpenTelemetry context. `None` if neither
    /// belongs to a trace.
    pub fn current() -> Option<Self> {
        bridge::current()
    }

    /// Returns the position of `span`. `None` if it does not belong to a trace.
    pub fn of(span: &Span) -> Option<Self> {
        bridge::of(span)
    }

    /// Makes this position the parent of `span`, which must not have been entered yet. Does nothing if no layer
    /// exports the span.
    pub fn set_parent_of(&self, span: &Span) {
        bridge::set_parent(self, span);
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for TraceParent {
    type Err = InvalidTraceParent;

    fn from_str(header: &str) -> Result<Self, Self::Err> {
        let header = header.trim();
        if is_valid(header) {
            Ok(Self(header.into()))
        } else {
            Err(InvalidTraceParent {
                given: header.chars().take(MAX_LENGTH).collect(),
            })
        }
    }
}

/// Error returned when a string is not a valid [`TraceParent`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidTraceParent {
    given: String,
}

impl fmt::Display for InvalidTraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid traceparent {:?}: expected `VERSION-TRACE-PARENT-FLAGS` with 2, 32, 16 and 2 lower-case hexadecimal \
             digits and ids that are not zero",
            self.given
        )
    }
}

impl std::error::Error for InvalidTraceParent {}

/// Checks the four fields of a header. Only versions after `00` may append others.
fn is_valid(header: &str) -> bool {
    let is_hex = |field: &str, length: usize| {
        field.len() == length
            && field
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id =
        |field: &str, length| is_hex(field, length) && field.bytes().any(|byte| byte != b'0');
    let mut fields = header.splitn(5, '-');
    let mut next = || fields.next().unwrap_or_default();
    let (version, trace, span, flags, rest) = (next(), next(), next(), next(), fields.next());
    header.len() <= MAX_LENGTH
        && is_hex(version, 2)
        && version != "ff"
        && is_id(trace, 32)
        && is_id(span, 16)
        && is_hex(flags, 2)
        && (version != "00" || rest.is_none())
        && rest.is_none_or(|rest| rest.bytes().all(|byte| byte.is_ascii_graphic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn headers_of_this_and_later_versions_are_read() {
        let parent: TraceParent = VALID.parse().unwrap();
        assert_eq!(parent.to_string(), VALID);
        let later = format!("01{}-what-comes-then", &VALID[2..]);
        assert_eq!(later.parse::<TraceParent>().unwrap().as_str(), later);
    }

    #[test]
    fn garbage_is_refused() {
        let longest = format!(
            "01{}-{}",
            &VALID[2..],
            "x".repeat(MAX_LENGTH - VALID.len() - 1)
        );
        assert!(longest.parse::<TraceParent>().is_ok());
        for garbage in [
            "",
            "00",
            &VALID[..54],
            &VALID.to_uppercase(),
            &format!("ff{}", &VALID[2..]),
            &format!("{VALID}-more"),
            &format!("{longest}x"),
            &format!("01{}-ä", &VALID[2..]),
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319ä-b7ad6b7169203331-01",
        ] {
            let error = garbage.parse::<TraceParent>().unwrap_err();
            assert!(error.to_string().contains("expected"), "{error}");
            assert_eq!(TraceParent::from_header(garbage), None);
        }
    }
}
