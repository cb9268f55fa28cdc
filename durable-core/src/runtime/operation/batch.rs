//! What a `map!` or `parallel!` records of itself.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use serde_json::value::RawValue;

use super::complete::{BranchOutcome, Reason};
use crate::engine::Outcome;
use crate::model::error::OperationError;
use crate::model::payload::Payload;

#[cfg(test)]
mod tests;

/// Why the whole was complete, and, where the records of the branches do not say it, which of them had
/// ended or begun by then.
const SUMMARY: &str = "batch-summary";
/// The whole result.
const WHOLE: &str = "batch";
/// What a summary was called at first.
const FORMER: &str = "json";

/// What a finished one recorded about itself.
pub(super) enum Recorded {
    Summary(Summary),
    FullResult(FullResult),
    /// What a codec of the user's made of the whole result.
    Encoded(Payload),
}

impl Recorded {
    /// Stores that keep no names of codecs leave it to the shape of the value what it is.
    pub(super) fn read(payload: Payload) -> Option<Self> {
        match &*payload.codec {
            SUMMARY => Summary::decode(&payload).map(Self::Summary),
            WHOLE => FullResult::decode(&payload).map(Self::FullResult),
            FORMER | "" => Some(
                match (Summary::decode(&payload), FullResult::decode(&payload)) {
                    (Some(summary), _) => Self::Summary(summary),
                    (_, Some(whole)) => Self::FullResult(whole),
                    (None, None) => Self::Encoded(payload),
                },
            ),
            _ => Some(Self::Encoded(payload)),
        }
    }
}

pub(super) struct Summary {
    pub(super) reason: Reason,
    pub(super) ended: HashSet<String>,
    /// Which of them had begun without ending.
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
            // The first histories did not say.
            abandoned: names("abandoned").unwrap_or_default(),
        })
    }
}

/// The whole result, by the names of the branches: `{"all":[{"index":0,"key":"a","status":"SUCCEEDED",
/// "result":1}, …],"completionReason":"ALL_COMPLETED"}`, with an item that is no JSON as a text beside
/// the name of its codec.
pub(super) struct FullResult {
    pub(super) reason: Reason,
    /// None of one that was given up.
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
    /// The written form of these branches: name, what became of it, and its recorded value. None when
    /// that cannot be written as text.
    pub(super) fn encode<'a, T: 'a>(
        reason: Reason,
        branches: impl Iterator<Item = (&'a str, &'a BranchOutcome<T>, Option<Payload>)>,
    ) -> Option<Payload> {
        let (_, word) = REASONS.iter().find(|(known, _)| *known == reason)?;
        let mut all = String::new();
        for (index, (key, outcome, value)) in branches.enumerate() {
            let end = match outcome {
                BranchOutcome::Succeeded(_) => format!("SUCCEEDED\",{}", written(&value?)?),
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
        Some(named(WHOLE, text))
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

/// The value of an item as fields of its entry.
fn written(value: &Payload) -> Option<String> {
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
