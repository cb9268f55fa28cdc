//! Wire format of the service: the invocation event, the two calls of the durable API and the invocation's response.
//! It is private to this folder.

mod error;
mod record;
#[cfg(test)]
mod tests;
mod text;
mod time;
mod update;

use std::fmt;

use durable_core::{Record, Timestamp};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};

pub(crate) use error::to_object;
pub(crate) use record::to_record;
pub(crate) use text::{from_text, json_len, to_text};
pub(crate) use time::{Time, date_and_second};
pub(crate) use update::{KnownOperation, Update, UpdateBuilder, without_unneeded_starts};

/// Event that starts an invocation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Event {
    pub(crate) durable_execution_arn: Option<String>,
    pub(crate) checkpoint_token: Option<String>,
    #[serde(default)]
    pub(crate) initial_execution_state: OperationPage,
}

/// Page of operations.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OperationPage {
    #[serde(default)]
    pub(crate) operations: Vec<Operation>,
    pub(crate) next_marker: Option<String>,
}

impl OperationPage {
    /// Returns the marker of the next page, if there is one.
    pub(crate) fn marker(&self) -> Option<&str> {
        self.next_marker
            .as_deref()
            .filter(|marker| !marker.is_empty())
    }
}

/// State of one operation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Operation {
    pub(crate) id: String,
    #[serde(rename = "Type")]
    pub(crate) kind: Type,
    pub(crate) status: Status,
    pub(crate) parent_id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) sub_type: Option<String>,
    pub(crate) start_timestamp: Option<Time>,
    pub(crate) end_timestamp: Option<Time>,
    pub(crate) execution_details: Option<ExecutionDetails>,
    pub(crate) context_details: Option<ContextDetails>,
    pub(crate) step_details: Option<StepDetails>,
    pub(crate) wait_details: Option<WaitDetails>,
    pub(crate) callback_details: Option<CallbackDetails>,
    pub(crate) chained_invoke_details: Option<ChainedInvokeDetails>,
}

impl Operation {
    /// Returns the latest timestamp that is not in the future: its start or its end.
    pub(crate) fn latest(&self) -> Option<Timestamp> {
        let times = [&self.start_timestamp, &self.end_timestamp];
        times.into_iter().flatten().map(|time| time.0).max()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ExecutionDetails {
    pub(crate) input_payload: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ContextDetails {
    pub(crate) replay_children: Option<bool>,
    pub(crate) result: Option<String>,
    pub(crate) error: Option<ErrorObject>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StepDetails {
    pub(crate) attempt: Option<u32>,
    pub(crate) next_attempt_timestamp: Option<Time>,
    pub(crate) result: Option<String>,
    pub(crate) error: Option<ErrorObject>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct WaitDetails {
    pub(crate) scheduled_end_timestamp: Option<Time>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CallbackDetails {
    pub(crate) callback_id: Option<String>,
    pub(crate) result: Option<String>,
    pub(crate) error: Option<ErrorObject>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ChainedInvokeDetails {
    pub(crate) result: Option<String>,
    pub(crate) error: Option<ErrorObject>,
}

/// Error in the service's format.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ErrorObject {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stack_trace: Option<Vec<String>>,
}

/// Defines an enum of strings to which the service may add: unknown strings are read as `Unknown`.
macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name { $($variant,)* Unknown }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(VariantVisitor(|text: &str| match text {
                    $($text => Self::$variant,)*
                    _ => Self::Unknown,
                }))
            }
        }
    };
}

struct VariantVisitor<F>(F);

impl<T, F: Fn(&str) -> T> Visitor<'_> for VariantVisitor<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok((self.0)(text))
    }
}

open_enum!(
    /// Type of an operation.
    Type {
        Execution = "EXECUTION",
        Context = "CONTEXT",
        Step = "STEP",
        Wait = "WAIT",
        Callback = "CALLBACK",
        ChainedInvoke = "CHAINED_INVOKE",
    }
);

open_enum!(
    /// Status of an operation.
    Status {
        Started = "STARTED",
        Pending = "PENDING",
        Ready = "READY",
        Succeeded = "SUCCEEDED",
        Failed = "FAILED",
        Cancelled = "CANCELLED",
        TimedOut = "TIMED_OUT",
        Stopped = "STOPPED",
    }
);

impl Type {
    /// Returns the service's string for the type.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Execution => "EXECUTION",
            Self::Context => "CONTEXT",
            Self::Step => "STEP",
            Self::Wait => "WAIT",
            Self::Callback => "CALLBACK",
            Self::ChainedInvoke => "CHAINED_INVOKE",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl Status {
    /// Whether the operation has ended.
    pub(crate) const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::TimedOut | Self::Stopped
        )
    }
}

/// Body of a checkpoint call.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Checkpoint<'a> {
    pub(crate) checkpoint_token: &'a str,
    pub(crate) client_token: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) updates: &'a [update::Update],
}

/// Response to a checkpoint call.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CheckpointResponse {
    pub(crate) checkpoint_token: Option<String>,
    #[serde(default)]
    pub(crate) new_execution_state: OperationPage,
}

/// Body of an error response, in any of the spellings that the service and its emulators use.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ErrorResponse {
    #[serde(rename = "__type", alias = "code", alias = "Code")]
    pub(crate) code: Option<String>,
    #[serde(rename = "Type")]
    pub(crate) kind: Option<String>,
    pub(crate) message: Option<String>,
    #[serde(rename = "Message")]
    pub(crate) capitalized_message: Option<String>,
}

/// Response of an invocation.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorObject>,
}

impl Output {
    /// Largest response, in bytes.
    const MAX_SIZE: usize = 6 * 1024 * 1024;
    /// Upper bound of the bytes around the result.
    const ENVELOPE: usize = 50;

    /// Whether a response has room for this result as a JSON string.
    pub(crate) fn fits(result: &[u8]) -> bool {
        json_len(&to_text(result)) + Self::ENVELOPE <= Self::MAX_SIZE
    }

    pub(crate) fn succeeded(result: String) -> Self {
        Self {
            status: "SUCCEEDED",
            result: Some(result),
            error: None,
        }
    }

    pub(crate) fn failed(error: ErrorObject) -> Self {
        Self {
            status: "FAILED",
            result: None,
            error: Some(error),
        }
    }

    pub(crate) fn pending() -> Self {
        Self {
            status: "PENDING",
            result: None,
            error: None,
        }
    }

    pub(crate) fn status(&self) -> &'static str {
        self.status
    }
}

/// Decodes `text` as each message that the service sends, and returns the records of its operations.
pub fn decode_messages(text: &str) -> Vec<Record> {
    let event = serde_json::from_str(text).map(|event: Event| event.initial_execution_state);
    let response =
        serde_json::from_str(text).map(|body: CheckpointResponse| body.new_execution_state);
    let pages = [event, response, serde_json::from_str(text)];
    // Its fields are only printed.
    let _ = serde_json::from_str::<ErrorResponse>(text);
    let operations = pages.into_iter().flatten().flat_map(|page| page.operations);
    let now = Timestamp::from_millis(0);
    let records = (1..)
        .zip(operations)
        .map(|(seq, operation)| to_record(operation, seq, now));
    records.flatten().collect()
}
