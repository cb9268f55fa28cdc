//! Operations and their JSON format.

use serde::{Deserialize, Serialize, Serializer};

use super::wire::{ChainedInvokeOptions, ErrorObject, Kind, Status};

/// Operation of an execution. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) status: Status,
    pub(crate) name: Option<String>,
    pub(crate) sub_type: Option<String>,
    pub(crate) parent_id: Option<String>,
    pub(crate) started: u64,
    pub(crate) ended: Option<u64>,
    /// Finished attempts of a step.
    pub(crate) attempt: u32,
    /// Input of an execution or a chained invoke until it ends, then its result.
    pub(crate) payload: Option<String>,
    pub(crate) error: Option<ErrorObject>,
    pub(crate) replay_children: bool,
    /// Next timer of the operation.
    pub(crate) due: Option<u64>,
    /// Duration of a wait in seconds.
    pub(crate) seconds: Option<i64>,
    pub(crate) callback: Option<CallbackTimes>,
    pub(crate) function: Option<ChainedInvokeOptions>,
    /// Number of its last change.
    pub(crate) changed: u64,
}

/// Id and deadlines of a callback.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CallbackTimes {
    pub(crate) id: String,
    pub(crate) deadline: Option<u64>,
    /// Longest pause between heartbeats in milliseconds.
    pub(crate) heartbeat: Option<u64>,
    /// End of the current pause.
    pub(crate) silent_until: Option<u64>,
}

impl Operation {
    /// Whether the service will change the operation.
    pub(crate) fn is_pending(&self) -> bool {
        match self.kind {
            Kind::Step => self.status == Status::Pending,
            Kind::Wait | Kind::Callback | Kind::ChainedInvoke => !self.status.is_closed(),
            Kind::Context | Kind::Execution => false,
        }
    }

    /// Returns the next timer of an operation that has not ended.
    pub(crate) fn timer(&self) -> Option<u64> {
        self.due.filter(|_| !self.status.is_closed())
    }
}

/// Encoding of timestamps, which differs between the invocation event and the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    /// Integer milliseconds, in the event of an invocation.
    Millis,
    /// Seconds with a fraction, in answers of the API.
    Seconds,
}

/// Timestamp in one of the encodings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp(pub(crate) Times, pub(crate) u64);

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Times::Millis => serializer.serialize_u64(self.1),
            Times::Seconds => serializer.serialize_f64(self.1 as f64 / 1000.0),
        }
    }
}

/// Returns the timestamp in the encoding of the API.
pub(crate) fn seconds(millis: u64) -> Stamp {
    Stamp(Times::Seconds, millis)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View<'a> {
    id: &'a str,
    #[serde(rename = "Type")]
    kind: Kind,
    status: Status,
    start_timestamp: Stamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_timestamp: Option<Stamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<&'a str>,
    #[serde(flatten)]
    details: Details<'a>,
}

#[derive(Serialize)]
enum Details<'a> {
    #[serde(rename = "ExecutionDetails", rename_all = "PascalCase")]
    Execution {
        #[serde(skip_serializing_if = "Option::is_none")]
        input_payload: Option<&'a str>,
    },
    #[serde(rename = "ContextDetails", rename_all = "PascalCase")]
    Context {
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        replay_children: bool,
        #[serde(flatten)]
        outcome: Outcome<'a>,
    },
    #[serde(rename = "StepDetails", rename_all = "PascalCase")]
    Step {
        attempt: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        next_attempt_timestamp: Option<Stamp>,
        #[serde(flatten)]
        outcome: Outcome<'a>,
    },
    #[serde(rename = "WaitDetails", rename_all = "PascalCase")]
    Wait {
        #[serde(skip_serializing_if = "Option::is_none")]
        scheduled_end_timestamp: Option<Stamp>,
    },
    #[serde(rename = "CallbackDetails", rename_all = "PascalCase")]
    Callback {
        #[serde(skip_serializing_if = "Option::is_none")]
        callback_id: Option<&'a str>,
        #[serde(flatten)]
        outcome: Outcome<'a>,
    },
    #[serde(rename = "ChainedInvokeDetails")]
    ChainedInvoke(Outcome<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Outcome<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a ErrorObject>,
}

impl Operation {
    /// Formats the operation as JSON, with the details of its type.
    pub(crate) fn to_json(&self, times: Times) -> String {
        let stamp = |at: u64| Stamp(times, at);
        let view = View {
            id: &self.id,
            kind: self.kind,
            status: self.status,
            start_timestamp: stamp(self.started),
            end_timestamp: self.ended.map(stamp),
            name: self.name.as_deref(),
            sub_type: self.sub_type.as_deref(),
            parent_id: self.parent_id.as_deref(),
            details: self.details(self.due.map(stamp)),
        };
        // Serializing strings and numbers cannot fail.
        serde_json::to_string(&view).unwrap_or_default()
    }

    fn details(&self, due: Option<Stamp>) -> Details<'_> {
        let payload = self.payload.as_deref();
        let outcome = Outcome {
            result: payload,
            error: self.error.as_ref(),
        };
        match self.kind {
            Kind::Execution => Details::Execution {
                input_payload: payload,
            },
            Kind::Context => Details::Context {
                replay_children: self.replay_children,
                outcome,
            },
            Kind::Step => Details::Step {
                attempt: self.attempt,
                next_attempt_timestamp: due,
                outcome,
            },
            Kind::Wait => Details::Wait {
                scheduled_end_timestamp: due,
            },
            Kind::Callback => Details::Callback {
                callback_id: self.callback.as_ref().map(|callback| &*callback.id),
                outcome,
            },
            Kind::ChainedInvoke if self.status.is_closed() => Details::ChainedInvoke(outcome),
            // The payload is the input of the target.
            Kind::ChainedInvoke => Details::ChainedInvoke(Outcome {
                result: None,
                error: None,
            }),
        }
    }
}
