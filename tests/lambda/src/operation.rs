//! Operations as the service keeps and spells them.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::wire::{ChainedInvokeOptions, ErrorObject, Kind, Status};

/// A record of an execution.
#[derive(Debug, Clone)]
#[expect(missing_docs)]
pub struct Operation {
    pub id: String,
    pub kind: Kind,
    pub status: Status,
    pub name: Option<String>,
    pub sub_type: Option<String>,
    pub parent_id: Option<String>,
    /// Milliseconds since 1970, as all times here.
    pub started: u64,
    pub ended: Option<u64>,
    /// Finished attempts.
    pub attempt: u32,
    /// The input of an execution, else the outcome.
    pub payload: Option<String>,
    pub error: Option<ErrorObject>,
    pub replay_children: bool,
    /// When the service moves it on by itself.
    pub due: Option<u64>,
    pub callback: Option<CallbackTimes>,
    pub function: Option<ChainedInvokeOptions>,
    /// The number of its last change.
    pub(crate) changed: u64,
}

/// What a callback is known by and how long it may take.
#[derive(Debug, Clone)]
#[expect(missing_docs)]
pub struct CallbackTimes {
    pub id: String,
    /// When it is over whatever happens.
    pub deadline: Option<u64>,
    /// The longest pause between signs of life.
    pub heartbeat: Option<Duration>,
    /// When the current pause is over.
    pub silent_until: Option<u64>,
}

/// Where timestamps go decides how they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    /// Whole milliseconds: the event of an invocation.
    Millis,
    /// Seconds with a fraction: answers of the API.
    Seconds,
}

impl Times {
    fn write(self, millis: u64) -> Value {
        match self {
            Self::Millis => json!(millis),
            Self::Seconds => json!(millis as f64 / 1000.0),
        }
    }
}

impl Operation {
    /// The operation as JSON, with exactly the details of its type.
    /// The operation as it is written, by a clock that is this many milliseconds ahead.
    pub(crate) fn to_json(&self, times: Times, ahead: i64) -> Value {
        let write = |at: u64| times.write(at.saturating_add_signed(ahead));
        let mut json = Map::new();
        json.insert("Id".into(), json!(self.id));
        json.insert("Type".into(), json!(self.kind));
        json.insert("Status".into(), json!(self.status));
        json.insert("StartTimestamp".into(), write(self.started));
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                json.insert(key.into(), value);
            }
        };
        put("Name", self.name.as_ref().map(|name| json!(name)));
        put("SubType", self.sub_type.as_ref().map(|word| json!(word)));
        put("ParentId", self.parent_id.as_ref().map(|id| json!(id)));
        put("EndTimestamp", self.ended.map(write));
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
