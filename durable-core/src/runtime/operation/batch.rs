//! Records of a `map!` or `parallel!`: a summary, or the full result.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use serde_json::value::RawValue;

use super::complete::{BranchOutcome, Reason};
use crate::engine::Outcome;
use crate::model::error::OperationError;
use crate::model::payload::Payload;

#[cfg(test)]
mod tests;

/// Codec name of a summary: why the `map!` was complete and, if the records of the branches do not say it, which of
/// them had ended or begun by then.
const SUMMARY: &str = "batch-summary";
/// Codec name of a full result.
const FULL_RESULT: &str = "batch";
/// Codec name of summaries in old histories.
const OLD_SUMMARY: &str = "json";

/// Record of a finished `map!` or `parallel!`.
pub(super) enum Recorded {
    Summary(Summary),
    FullResult(FullResult),
    /// The result, encoded by a codec of the user.
    Encoded(Payload),
}

impl Recorded {
    /// Reads a record. In stores that keep no names of codecs, the shape of the value decides.
    pub(super) fn read(payload: Payload) -> Option<Self> {
        match &*payload.codec {
            SUMMARY => Summary::decode(&payload).map(Self::Summary),
            FULL_RESULT => FullResult::decode(&payload).map(Self::FullResult),
            OLD_SUMMARY | "" => Some(
                match (Summary::decode(&payload), FullResult::decode(&payload)) {
                    (Some(summary), _) => Self::Summary(summary),
                    (_, Some(result)) => Self::FullResult(result),
                    (None, None) => Self::Encoded(payload),
                },
            ),
            _ => Some(Self::Encoded(payload)),
        }
    }
}

pub(super) struct Summary {
    pub(super) reason: Reason,
    /// Names of the branches that had ended.
    pub(super) ended: HashSet<String>,
    /// Names of the branches that had begun and not ended.
    pub(super) abandoned: HashSet<String>,
}

impl Summary {
    pub(super) fn encode(&self) -> Payload {
        let sorted = |names: &HashSet<String>| {
            let mut names: Vec<String> = names.iter().cloned().collect();
            names.sort();
            names
        };
        let value = serde_json::json!({
            "reason": self.reason.as_str(),
            "ended": sorted(&self.ended),
            "abandoned": sorted(&self.abandoned),
        });
        named(SUMMARY, value.to_string())
    }

    fn decode(payload: &Payload) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_slice(&payload.data).ok()?;
        let names = |field: &str| {
            let names = value.get(field)?.as_array()?.iter();
            let names = names.map(|name| name.as_str().map(str::to_owned));
            names.collect::<Option<HashSet<String>>>()
        };
        Some(Self {
            reason: Reason::from_word(value.get("reason")?.as_str()?)?,
            ended: names("ended")?,
            // Missing in old histories.
            abandoned: names("abandoned").unwrap_or_default(),
        })
    }
}

/// Full result, by the names of the branches: `{"all":[{"index":0,"key":"a","status":"SUCCEEDED",
/// "result":1}, …],"completionReason":"ALL_COMPLETED"}`, with an item that is not JSON as text, next
/// to the name of its codec.
pub(super) struct FullResult {
    pub(super) reason: Reason,
    /// Outcomes of the branches. `None` for one that was abandoned.
    pub(super) branches: HashMap<String, Option<Outcome>>,
}

const REASONS: [(Reason, &str); 3] = [
    (Reason::AllCompleted, "ALL_COMPLETED"),
    (Reason::MinSuccessfulReached, "MIN_SUCCESSFUL_REACHED"),
    (
        Reason::FailureToleranceExceeded,
        "FAILURE_TOLERANCE_EXCEEDED",
    ),
];

impl FullResult {
    /// Encodes branches, each with its name, outcome and recorded value. Returns `None` if a value is not text.
    pub(super) fn encode<'a, T: 'a>(
        reason: Reason,
        branches: impl Iterator<Item = (&'a str, &'a BranchOutcome<T>, Option<Payload>)>,
    ) -> Option<Payload> {
        let (_, word) = REASONS.iter().find(|(known, _)| *known == reason)?;
        let mut all = String::new();
        for (index, (key, outcome, value)) in branches.enumerate() {
            let end = match outcome {
                BranchOutcome::Succeeded(_) => format!("SUCCEEDED\",{}", value_fields(&value?)?),
                BranchOutcome::Failed(error) => {
                    format!("FAILED\",\"error\":{}", serde_json::to_string(error).ok()?)
                }
                BranchOutcome::Abandoned => "STARTED\"".to_owned(),
                BranchOutcome::NotStarted => continue,
            };
            let comma = if all.is_empty() { "" } else { "," };
            let key = serde_json::to_string(key).ok()?;
            write!(
                all,
                "{comma}{{\"index\":{index},\"key\":{key},\"status\":\"{end}}}"
            )
            .ok()?;
        }
        let text = format!("{{\"all\":[{all}],\"completionReason\":\"{word}\"}}");
        Some(named(FULL_RESULT, text))
    }

    fn decode(payload: &Payload) -> Option<Self> {
        let fields: HashMap<String, Box<RawValue>> = serde_json::from_slice(&payload.data).ok()?;
        let word: String = serde_json::from_str(fields.get("completionReason")?.get()).ok()?;
        let (reason, _) = REASONS.into_iter().find(|(_, known)| *known == word)?;
        let all: Vec<HashMap<String, Box<RawValue>>> =
            serde_json::from_str(fields.get("all")?.get()).ok()?;
        let branches = all.iter().map(branch).collect::<Option<_>>()?;
        Some(Self { reason, branches })
    }
}

/// Reads one entry of a full result.
fn branch(fields: &HashMap<String, Box<RawValue>>) -> Option<(String, Option<Outcome>)> {
    let raw = |field: &str| fields.get(field).map(|value| value.get());
    let text = |field: &str| serde_json::from_str::<String>(raw(field)?).ok();
    let outcome = match &*text("status")? {
        "SUCCEEDED" => Some(Outcome::Value(match text("codec") {
            Some(codec) => Payload {
                codec: codec.into(),
                data: text("result")?.into(),
            },
            None => Payload {
                codec: "".into(),
                data: raw("result")?.to_owned().into(),
            },
        })),
        "FAILED" => {
            let error: OperationError = serde_json::from_str(raw("error")?).ok()?;
            Some(Outcome::Error(error))
        }
        _ => None,
    };
    Some((text("key")?, outcome))
}

/// Formats a value as fields of its entry.
fn value_fields(value: &Payload) -> Option<String> {
    let text = std::str::from_utf8(&value.data).ok()?;
    let may_be_json = matches!(&*value.codec, "json" | "");
    let is_json = || serde_json::from_str::<&RawValue>(text).is_ok_and(|raw| raw.get() == text);
    if may_be_json && is_json() {
        return Some(format!("\"result\":{text}"));
    }
    let codec = serde_json::to_string(&value.codec).ok()?;
    let text = serde_json::to_string(text).ok()?;
    Some(format!("\"codec\":{codec},\"result\":{text}"))
}

fn named(codec: &'static str, text: String) -> Payload {
    Payload {
        codec: codec.into(),
        data: text.into(),
    }
}
