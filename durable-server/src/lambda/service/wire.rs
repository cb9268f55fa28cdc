//! Requests and errors in the format of the durable API.

use serde::{Deserialize, Serialize};

/// Type of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Kind {
    Execution,
    Context,
    Step,
    Wait,
    Callback,
    ChainedInvoke,
}

/// Action of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Action {
    Start,
    Succeed,
    Fail,
    Retry,
    Cancel,
}

/// Status of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    Started,
    Pending,
    Ready,
    Succeeded,
    Failed,
    Cancelled,
    TimedOut,
    Stopped,
}

impl Status {
    /// Whether the operation has ended.
    pub(crate) fn is_closed(self) -> bool {
        !matches!(self, Self::Started | Self::Pending | Self::Ready)
    }
}

/// Error of an operation or an execution. Every member is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
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

impl ErrorObject {
    pub(crate) fn new(error_type: &str, message: impl Into<String>) -> Self {
        Self {
            error_type: Some(error_type.to_owned()),
            error_message: Some(message.into()),
            ..Self::default()
        }
    }

    pub(crate) fn message(message: impl Into<String>) -> Self {
        Self {
            error_message: Some(message.into()),
            ..Self::default()
        }
    }

    /// Returns the size of its JSON in bytes.
    pub(crate) fn size(&self) -> usize {
        serde_json::to_string(self).map_or(0, |json| json.len())
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ContextOptions {
    pub(crate) replay_children: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct StepOptions {
    pub(crate) next_attempt_delay_seconds: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct WaitOptions {
    pub(crate) wait_seconds: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct CallbackOptions {
    pub(crate) timeout_seconds: Option<i64>,
    pub(crate) heartbeat_timeout_seconds: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ChainedInvokeOptions {
    pub(crate) function_name: Option<String>,
    pub(crate) tenant_id: Option<String>,
    pub(crate) x_amzn_trace_id: Option<String>,
}

/// Update of an operation, written by a handler.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Update {
    pub(crate) id: String,
    #[serde(rename = "Type")]
    pub(crate) kind: Kind,
    pub(crate) action: Action,
    pub(crate) parent_id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) sub_type: Option<String>,
    pub(crate) payload: Option<String>,
    pub(crate) error: Option<ErrorObject>,
    pub(crate) context_options: Option<ContextOptions>,
    pub(crate) step_options: Option<StepOptions>,
    pub(crate) wait_options: Option<WaitOptions>,
    pub(crate) callback_options: Option<CallbackOptions>,
    pub(crate) chained_invoke_options: Option<ChainedInvokeOptions>,
}

impl Update {
    pub(crate) fn new(id: &str, kind: Kind, action: Action) -> Self {
        Self {
            id: id.to_owned(),
            kind,
            action,
            parent_id: None,
            name: None,
            sub_type: None,
            payload: None,
            error: None,
            context_options: None,
            step_options: None,
            wait_options: None,
            callback_options: None,
            chained_invoke_options: None,
        }
    }

    /// Returns the bytes that count against the storage quota.
    pub(crate) fn written_bytes(&self) -> u64 {
        let payload = self.payload.as_ref().map_or(0, String::len);
        let error = self.error.as_ref().map_or(0, ErrorObject::size);
        (payload + error) as u64
    }
}

/// Body of `CheckpointDurableExecution`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CheckpointRequest {
    pub(crate) checkpoint_token: String,
    pub(crate) client_token: Option<String>,
    pub(crate) updates: Option<Vec<Update>>,
}

impl CheckpointRequest {
    pub(crate) fn updates(&self) -> &[Update] {
        self.updates.as_deref().unwrap_or_default()
    }
}

/// Error response of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidParameterValueException", message)
    }

    pub(crate) fn validation(path: &str, value: &str, constraint: &str) -> Self {
        let value: String = value.chars().take(80).collect();
        let message = format!(
            "1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"
        );
        Self::new(400, "ValidationException", message)
    }

    pub(crate) fn stale_token() -> Self {
        Self::invalid("Invalid checkpoint token")
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "ResourceConflictException", message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "ResourceNotFoundException", message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "ServiceException", message)
    }
}
