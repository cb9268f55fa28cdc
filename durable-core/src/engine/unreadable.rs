//! Reports for records that this build cannot read.

use super::{Engine, OpIndex, OperationState, StopReason};
use crate::model::payload::Payload;
use crate::model::record::Kind;

/// Recorded value that the code cannot read.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// Part of the record: its value, state, winner, …
    part: &'static str,
    /// Form that the code expects.
    expected: String,
    /// Recorded form, without its type.
    recorded: String,
    /// Why it cannot be read, without quoting values.
    fault: String,
    /// Change of the code, other than a new name, that makes the value readable.
    remedy: String,
    /// Whether `fault` is the error of a decoder, which may reveal something about the value.
    decoded: bool,
}

impl Unreadable {
    /// Report of a value or state that does not decode as the type `expected`.
    pub(crate) fn undecodable(
        part: &'static str,
        expected: &'static str,
        codec: &str,
        payload: &Payload,
        error: &str,
    ) -> Self {
        Self {
            fault: without_values(error),
            decoded: true,
            remedy: format!(
                "let `{expected}` read the old form too (`#[serde(default)]` for a new field, \
                 `#[serde(alias = \"…\")]` for a renamed one, or the old type)"
            ),
            ..Self::of_type(part, expected, codec, Some(payload))
        }
    }

    /// Report of a value or state that another codec has written.
    pub(crate) fn of_another_codec(
        part: &'static str,
        expected: &'static str,
        codec: &str,
        payload: &Payload,
    ) -> Self {
        Self {
            fault: format!("the codec `{codec}` cannot read values of another codec"),
            remedy: format!("use the codec `{}` again", payload.codec),
            ..Self::of_type(part, expected, codec, Some(payload))
        }
    }

    /// Report of a missing value.
    pub(crate) fn missing(part: &'static str, expected: &'static str, codec: &str) -> Self {
        Self {
            fault: "there is nothing to decode".to_owned(),
            remedy: "restore the call site".to_owned(),
            ..Self::of_type(part, expected, codec, None)
        }
    }

    /// Report of a summary, result or winner of a `map!`, `parallel!` or `race!`.
    pub(crate) fn outline(
        part: &'static str,
        expected: impl Into<String>,
        fault: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            part,
            expected: expected.into(),
            recorded: String::new(),
            fault: fault.into(),
            remedy: remedy.into(),
            decoded: false,
        }
    }

    fn of_type(
        part: &'static str,
        expected: &'static str,
        codec: &str,
        payload: Option<&Payload>,
    ) -> Self {
        let recorded = match payload {
            None => "no value".to_owned(),
            // Some stores keep no names of codecs.
            Some(payload) if payload.codec.is_empty() => format!("{} bytes", payload.len()),
            Some(payload) => format!("{} bytes of codec `{}`", payload.len(), payload.codec),
        };
        Self {
            part,
            expected: format!("type `{expected}`, codec `{codec}`"),
            recorded,
            fault: String::new(),
            remedy: String::new(),
            decoded: false,
        }
    }
}

impl Engine {
    /// Stops the invocation because the code cannot read the record of `op`. Returns the report.
    pub(crate) fn block_unreadable(&mut self, op: OpIndex, found: &Unreadable) -> String {
        let report = report(&self.path(op), &self.operations[op.index()], found);
        self.halt(StopReason::Blocked(report.clone()));
        report
    }
}

fn report(path: &str, state: &OperationState, found: &Unreadable) -> String {
    let Unreadable {
        part,
        expected,
        recorded,
        remedy,
        ..
    } = found;
    let record = &state.record;
    let (kind, status, written) = (record.kind, record.status, record.display_name());
    let site = state
        .site
        .map_or_else(|| format!("{kind} `{written}`"), ToString::to_string);
    let source = match &*record.source {
        "" => String::new(),
        source => format!(" (started at {source})"),
    };
    let of_type = match (*part, &record.value_type, &record.state_type) {
        ("value", Some(name), _) | ("state", _, Some(name)) => format!(", type `{name}`"),
        _ => String::new(),
    };
    let recorded = match &**recorded {
        "" => String::new(),
        text => format!(", {text}"),
    };
    let fault = match found.decoded && record.secret {
        true => "the error is not shown because the value is secret",
        false => &found.fault,
    };
    let advice = match state.is_recorded() {
        true => format!(
            "To fix this, {remedy}, or {}, or roll back to the build that recorded it.",
            rename_advice(kind)
        ),
        false => {
            "This build wrote the value itself, so its encoding (`Serialize`, or the codec) and its decoding \
             do not match. Fix the decoding so that it can read the written value."
                .to_owned()
        }
    };
    format!(
        "this build cannot read the recorded {part} of `{path}`:\n  \
         the code asks for  {site}, {expected}\n  \
         history holds      {kind} `{written}`, {status}{source}{of_type}{recorded}\n  \
         reading it         {fault}\n\
         {advice} Nothing was run or written. The execution resumes once a build that can read it runs it."
    )
}

/// Advice on how to run a recorded operation again.
fn rename_advice(kind: Kind) -> String {
    let what = match kind {
        Kind::Branch => "the `map!` or `parallel!` around it",
        Kind::Batch => "the `batches!`",
        _ => return format!("give the {kind} another name so that it runs anew"),
    };
    format!("give {what} another name so that it runs anew")
}

/// Report for an execution whose input cannot be read.
pub(crate) fn unreadable_input(
    handler: &str,
    expected: &str,
    recorded: Option<&str>,
    input: &Payload,
    error: &str,
) -> String {
    let (size, codec, error) = (input.len(), &input.codec, without_values(error));
    let recorded = recorded.map_or_else(String::new, |name| format!("type `{name}`, "));
    format!(
        "this build cannot read the recorded input of `{handler}`:\n  \
         the code asks for  type `{expected}`, codec `json`\n  \
         history holds      {recorded}{size} bytes of codec `{codec}`\n  \
         reading it         {error}\n\
         To fix this, let `{expected}` read the old form too (`#[serde(default)]` for a new field, \
         `#[serde(alias = \"…\")]` for a renamed one), or keep `{handler}` as it was for the running executions \
         and give the new code another handler name, or roll back. The handler did not run and nothing was written. \
         The execution resumes once a build that can read the input runs it."
    )
}

/// Removes the values that a decoder quotes in its error, because reports are logged.
///
/// Decoders put the value they met before what they expected, in quotes:
/// ``invalid type: string "value", expected u32``. What is expected comes from the code.
fn without_values(error: &str) -> String {
    const NAMES_THE_CODE: [&str; 2] = ["missing field `", "duplicate field `"];
    let expected = error.rfind(", expected").unwrap_or(error.len());
    let (met, expected) = error.split_at(expected);
    if NAMES_THE_CODE.iter().any(|start| met.starts_with(start)) {
        return error.to_owned();
    }
    let end = met.find(['"', '`', '\'']).unwrap_or(met.len());
    let met = met[..end].trim_end();
    format!("{met}{expected}")
}

#[cfg(test)]
mod tests {
    use super::without_values;

    #[test]
    fn errors_of_decoders_quote_no_values() {
        for (error, shown) in [
            (
                "invalid type: string \"geheim, expected\", expected u32 at line 1 column 18",
                "invalid type: string, expected u32 at line 1 column 18",
            ),
            (
                "invalid value: integer `-17`, expected u32",
                "invalid value: integer, expected u32",
            ),
            (
                "unknown variant `geheim`, expected `Open` or `Closed`",
                "unknown variant, expected `Open` or `Closed`",
            ),
            (
                "missing field `total` at line 1 column 2",
                "missing field `total` at line 1 column 2",
            ),
            ("bad word 'geheim'", "bad word"),
            ("EOF while parsing a value", "EOF while parsing a value"),
        ] {
            assert_eq!(without_values(error), shown);
        }
    }
}
