//! Updates and errors in the wire format of the service's API.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::json;

/// Type of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// The execution itself.
    Execution,
    /// Group of operations.
    Context,
    /// Body of the function's code.
    Step,
    /// Timer.
    Wait,
    /// Outcome that an external system reports.
    Callback,
    /// Call of another function.
    ChainedInvoke,
}

/// Action of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs)]
pub enum Action {
    Start,
    Succeed,
    Fail,
    Retry,
    Cancel,
}

/// Status of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs)]
pub enum Status {
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
    /// Whether the status is final.
    pub fn is_closed(self) -> bool {
        !matches!(self, Self::Started | Self::Pending | Self::Ready)
    }
}

/// Error of an operation or execution. Every field is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
#[expect(missing_docs)]
pub struct ErrorObject {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_trace: Option<Vec<String>>,
}

impl ErrorObject {
    /// Creates an error with a type and a message.
    pub fn new(kind: &str, message: impl Into<String>) -> Self {
        Self {
            error_type: Some(kind.to_owned()),
            error_message: Some(message.into()),
            ..Self::default()
        }
    }

    /// Returns the size of its JSON in bytes, which the service limits.
    pub(crate) fn size(&self) -> usize {
        json!(self).to_string().len()
    }
}

/// Body of a checkpoint call. Unknown fields are rejected.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CheckpointRequest {
    pub(crate) checkpoint_token: String,
    pub(crate) client_token: Option<String>,
    #[serde(default)]
    pub(crate) updates: Vec<Update>,
}

/// Update in a checkpoint call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[expect(missing_docs)]
pub struct Update {
    pub id: String,
    #[serde(rename = "Type")]
    pub kind: Kind,
    pub action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_options: Option<ContextOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_options: Option<StepOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_options: Option<WaitOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_options: Option<CallbackOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chained_invoke_options: Option<ChainedInvokeOptions>,
}

impl Update {
    /// Creates an update with only the required fields.
    pub fn new(id: &str, kind: Kind, action: Action) -> Self {
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

    /// Returns the bytes that count towards the quota of written bytes.
    pub(crate) fn billed_bytes(&self) -> usize {
        let payload = self.payload.as_ref().map_or(0, String::len);
        payload + self.error.as_ref().map_or(0, ErrorObject::size)
    }
}

macro_rules! options {
    ($($name:ident { $($field:ident: $type:ty),* })*) => {$(
        #[doc = concat!("`", stringify!($name), "` of an update.")]
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "PascalCase", deny_unknown_fields)]
        #[expect(missing_docs)]
        pub struct $name {
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,)*
        }
    )*};
}

options! {
    ContextOptions { replay_children: bool }
    StepOptions { next_attempt_delay_seconds: i64 }
    WaitOptions { wait_seconds: i64 }
    CallbackOptions { timeout_seconds: i64, heartbeat_timeout_seconds: i64 }
    ChainedInvokeOptions { function_name: String, tenant_id: String, x_amzn_trace_id: String }
}

/// Error response of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// Error code.
    pub code: String,
    /// Error message.
    pub message: String,
    /// Seconds of the `Retry-After` header.
    pub retry_after: Option<u64>,
}

impl ApiError {
    /// Creates an error response.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            retry_after: None,
        }
    }

    /// Creates an `InvalidParameterValueException`.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidParameterValueException", message)
    }

    /// Creates the error for a checkpoint token that is not current.
    pub fn stale_token() -> Self {
        Self::invalid("Invalid checkpoint token")
    }
}

/// Returns the current time in milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| elapsed.as_millis() as u64)
}
