//! The report when this build cannot read what is recorded.

use super::{Engine, OpIndex, OperationState, StopReason};
use crate::model::payload::Payload;
use crate::model::record::Kind;

/// A recorded value that the code asking for it cannot read.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// The part of the record that was read: its value, its state, its winner.
    part: &'static str,
    /// Form that the code wants.
    wanted: String,
    /// Form that is recorded, apart from its type.
    recorded: String,
    /// What reading it failed with, in words that quote no value.
    fault: String,
    /// A change of the call site, other than its name, that makes the value readable.
    remedy: String,
    /// Whether `fault` comes from a decoder, which may know more about the value than may be shown.
    decoded: bool,
}

impl Unreadable {
    /// A value or state that does not decode as the type `wanted`.
    pub(crate) fn undecodable(
        part: &'static str,
        wanted: &'static str,
        codec: &str,
        payload: &Payload,
        error: &str,
    ) -> Self {
        Self {
            fault: without_values(error),
            decoded: true,
            remedy: format!(
                "let `{wanted}` read the old form too (`#[serde(default)]` for a new field, \
                 `#[serde(alias = \"…\")]` for a renamed one, the type of then for one that cannot)"
            ),
            ..Self::of_type(part, wanted, codec, Some(payload))
        }
    }

    /// A value or state that another codec has written.
    pub(crate) fn of_another_codec(
        part: &'static str,
        wanted: &'static str,
        codec: &str,
        payload: &Payload,
    ) -> Self {
        Self {
            fault: format!("the codec `{codec}` does not read what another one wrote"),
            remedy: format!("give the codec `{}` back", payload.codec),
            ..Self::of_type(part, wanted, codec, Some(payload))
        }
    }

    /// A value that is not there.
    pub(crate) fn missing(part: &'static str, wanted: &'static str, codec: &str) -> Self {
        Self {
            fault: "there is nothing to decode".to_owned(),
            remedy: "let the call site be what it was".to_owned(),
            ..Self::of_type(part, wanted, codec, None)
        }
    }

    /// What a `map!`, `parallel!` or `race!` has recorded about itself.
    pub(crate) fn outline(
        part: &'static str,
        wanted: impl Into<String>,
        fault: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            part,
            wanted: wanted.into(),
            recorded: String::new(),
            fault: fault.into(),
            remedy: remedy.into(),
            decoded: false,
        }
    }

    fn of_type(
        part: &'static str,
        wanted: &'static str,
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
            wanted: format!("type `{wanted}`, codec `{codec}`"),
            recorded,
            fault: String::new(),
            remedy: String::new(),
            decoded: false,
        }
    }
}

impl Engine {
    /// Stops the invocation: the code cannot read what is recorded of `op`.
    pub(crate) fn block_unreadable(&mut self, op: OpIndex, found: &Unreadable) -> String {
        let report = report(&self.path(op), &self.operations[op.index()], found);
        self.halt(StopReason::Blocked(report.clone()));
        report
    }
}

fn report(path: &str, state: &OperationState, found: &Unreadable) -> String {
    let Unreadable {
        part,
        wanted,
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
        true => "the error is left out, since the value is secret",
        false => &found.fault,
    };
    let advice = match state.is_recorded() {
        true => format!(
            "To mend it, {remedy}, or {}, or roll back to the build that recorded it.",
            anew(kind)
        ),
        false => {
            "This build wrote the value itself: what encodes it (`Serialize`, or the codec) and what \
             decodes it do not fit together. Make it read what was written."
                .to_owned()
        }
    };
    format!(
        "this build cannot read the recorded {part} of `{path}`:\n  \
         the code asks for  {site}, {wanted}\n  \
         history holds      {kind} `{written}`, {status}{source}{of_type}{recorded}\n  \
         reading it         {fault}\n\
         {advice} Nothing was run or written; the execution goes on once a fitting build runs it."
    )
}

/// How to have done anew what is recorded.
fn anew(kind: Kind) -> String {
    let what = match kind {
        Kind::Branch => "the `map!` or `parallel!` around it",
        Kind::Batch => "the `batches!`",
        _ => return format!("give the {kind} another name so that it runs anew"),
    };
    format!("give {what} another name so that it runs anew")
}

/// The report when the input of an execution cannot be read.
pub(crate) fn unreadable_input(
    handler: &str,
    wanted: &str,
    recorded: Option<&str>,
    input: &Payload,
    error: &str,
) -> String {
    let (size, codec, error) = (input.len(), &input.codec, without_values(error));
    let recorded = recorded.map_or_else(String::new, |name| format!("type `{name}`, "));
    format!(
        "this build cannot read the recorded input of `{handler}`:\n  \
         the code asks for  type `{wanted}`, codec `json`\n  \
         history holds      {recorded}{size} bytes of codec `{codec}`\n  \
         reading it         {error}\n\
         To mend it, let `{wanted}` read the old form too (`#[serde(default)]` for a new field, \
         `#[serde(alias = \"…\")]` for a renamed one), or keep `{handler}` as it was for what is in flight and give \
         the new code another handler name, or roll back. The handler did not run and nothing was written; the \
         execution goes on once a fitting build runs it."
    )
}

/// The text of a decoder's error without the values it quotes: reports are logged.
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
