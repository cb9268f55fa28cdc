//! Converts Lambda's trace header to the form that executions keep.

use durable_core::TraceParent;

/// Environment variable with the header, where an invocation does not carry it.
const VARIABLE: &str = "_X_AMZN_TRACE_ID";

/// Returns the position in a trace that an invocation was called from: `header` of the invocation, or else the header in
/// the environment. `None` if there is none, or if it names no parent.
pub(crate) fn parent(header: Option<&str>) -> Option<TraceParent> {
    match header {
        Some(header) => convert(header),
        None => convert(&std::env::var(VARIABLE).ok()?),
    }
}

/// Converts `Root=1-SECONDS-RANDOM;Parent=SPAN;Sampled=1`. The fields may come in any order, and others are ignored.
fn convert(header: &str) -> Option<TraceParent> {
    let field = |name: &str| {
        let mut fields = header
            .split(';')
            .filter_map(|field| field.trim().split_once('='));
        fields.find_map(|(key, value)| (key == name).then_some(value))
    };
    let (seconds, random) = field("Root")?.strip_prefix("1-")?.split_once('-')?;
    let parent = field("Parent")?;
    let sampled = u8::from(field("Sampled") == Some("1"));
    TraceParent::from_header(&format!("00-{seconds}{random}-{parent}-{sampled:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "Root=1-5759e988-bd862e3fe1be46a994272793";

    fn converted(header: &str) -> Option<String> {
        convert(header).map(|parent| parent.to_string())
    }

    #[test]
    fn headers_of_lambda_are_converted() {
        let expected = |flags| {
            let parent = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8";
            Some(format!("{parent}-{flags}"))
        };
        let sampled = format!("{ROOT};Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:a:0");
        assert_eq!(converted(&sampled), expected("01"));
        let unsampled = format!("Parent=53995c3f42cd8ad8; Sampled=0; {ROOT}");
        assert_eq!(converted(&unsampled), expected("00"));
    }

    #[test]
    fn headers_without_a_parent_or_with_garbage_are_ignored() {
        for header in [
            "",
            ROOT,
            "Root=1-5759e988;Parent=53995c3f42cd8ad8",
            "Root=2-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=?",
        ] {
            assert_eq!(converted(header), None, "{header}");
        }
    }
}
