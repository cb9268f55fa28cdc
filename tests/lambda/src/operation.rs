//! Operations and their JSON form.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::wire::{ChainedInvokeOptions, ErrorObject, Kind, Status};

/// Operation of an execution.
#[derive(Debug, Clone)]
#[expect(missing_docs)]
pub struct Operation {
    pub id: String,
    pub kind: Kind,
    pub status: Status,
    pub name: Option<String>,
    pub sub_type: Option<String>,
    pub parent_id: Option<String>,
    /// Milliseconds since 1970, like all times here.
    pub started_at: u64,
    pub ended_at: Option<u64>,
    /// Number of finished attempts.
    pub attempt: u32,
    /// Input of an execution, otherwise the result.
    pub payload: Option<String>,
    pub error: Option<ErrorObject>,
    pub replay_children: bool,
    /// Time at which the service changes its status.
    pub due: Option<u64>,
    pub callback: Option<CallbackTimers>,
    pub function: Option<ChainedInvokeOptions>,
    /// Number of its last change.
    pub(crate) changed: u64,
}

/// Id and timers of a callback.
#[derive(Debug, Clone)]
#[expect(missing_docs)]
pub struct CallbackTimers {
    pub id: String,
    /// Time at which it times out.
    pub deadline: Option<u64>,
    /// Longest time between heartbeats.
    pub heartbeat: Option<Duration>,
    /// Time by which the next heartbeat has to arrive.
    pub heartbeat_due: Option<u64>,
}

/// Format of timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeFormat {
    /// Whole milliseconds, as in invocation events.
    Millis,
    /// Seconds with a fraction, as in API responses.
    Seconds,
}

impl TimeFormat {
    fn write(self, millis: u64) -> Value {
        match self {
            Self::Millis => json!(millis),
            Self::Seconds => json!(millis as f64 / 1000.0),
        }
    }
}

impl Operation {
    /// Converts the operation to JSON with the details of its type. Times are shifted by `clock_skew` milliseconds.
    pub(crate) fn to_json(&self, format: TimeFormat, clock_skew: i64) -> Value {
        let write = |at: u64| format.write(at.saturating_add_signed(clock_skew));
        let mut json = Map::new();
        json.insert("Id".into(), json!(self.id));
        json.insert("Type".into(), json!(self.kind));
        json.insert("Status".into(), json!(self.status));
        json.insert("StartTimestamp".into(), write(self.started_at));
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                json.insert(key.into(), value);
            }
        };
        put("Name", self.name.as_ref().map(|name| json!(name)));
        put("SubType", self.sub_type.as_ref().map(|text| json!(text)));
        put("ParentId", self.parent_id.as_ref().map(|id| json!(id)));
        put("EndTimestamp", self.ended_at.map(write));
        let (key, details) = self.details(write);
        put(key, Some(details));
        Value::Object(json)
    }

    fn details(&self, write: impl Fn(u64) -> Value) -> (&'static str, Value) {
        let mut details = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                details.insert(key.into(), value);
            }
        };
        let payload = self.payload.as_ref().map(|payload| json!(payload));
        let error = self.error.as_ref().map(|error| json!(error));
        let due = self.due.map(&write);
        if self.kind == Kind::Execution {
            put("InputPayload", payload);
            return ("ExecutionDetails", Value::Object(details));
        }
        if self.kind == Kind::Wait {
            put("ScheduledEndTimestamp", due);
            return ("WaitDetails", Value::Object(details));
        }
        put("Result", payload);
        put("Error", error);
        let key = match self.kind {
            Kind::Context => {
                put(
                    "ReplayChildren",
                    self.replay_children.then_some(Value::Bool(true)),
                );
                "ContextDetails"
            }
            Kind::Callback => {
                let callback = self.callback.as_ref();
                put("CallbackId", callback.map(|callback| json!(callback.id)));
                "CallbackDetails"
            }
            Kind::ChainedInvoke => "ChainedInvokeDetails",
            _ => {
                put("Attempt", Some(json!(self.attempt)));
                put("NextAttemptTimestamp", due);
                "StepDetails"
            }
        };
        (key, Value::Object(details))
    }
}
