//! Tests of the service's state machine, without a server.

mod callbacks;
mod checkpoints;
mod fuzz;
mod histories;
mod invocations;
mod paging;
mod pauses;
mod transitions;

use std::cell::RefCell;

use serde_json::{Value, json};

use super::batch::{Target, Targets, Unresolved};
use super::*;

const SECOND: u64 = 1_000;

/// Functions `echo`, which is durable, and `plain`, which is not.
pub(super) struct Functions;

impl Targets for Functions {
    fn resolve(&self, name: &str) -> Result<Target, Unresolved> {
        let target = |durable| Target {
            function_arn: format!("arn:aws:lambda:us-east-1:123456789012:function:{name}"),
            version: "$LATEST".into(),
            durable,
        };
        match name {
            "echo:$LATEST" => Ok(target(true)),
            "plain" => Ok(target(false)),
            "elsewhere" => Err(Unresolved::Refused(Refusal::invalid("elsewhere"))),
            _ => Err(Unresolved::Failed(ErrorObject::new(
                "ResourceNotFoundException",
                "missing",
            ))),
        }
    }
}

/// Execution with a simulated clock and the handler's token.
pub(super) struct Bench {
    pub(super) execution: Execution,
    pub(super) now: u64,
    pub(super) token: String,
    events: RefCell<Vec<Value>>,
}

pub(super) fn bench() -> Bench {
    with_limits(Limits::default())
}

pub(super) fn with_limits(limits: Limits) -> Bench {
    let now = 1_764_000_000_000;
    let new = NewExecution {
        id: "4f1c".into(),
        name: "order-1".into(),
        function: "f".into(),
        function_arn: "arn:aws:lambda:us-east-1:123456789012:function:f:7".into(),
        version: "7".into(),
        input: "{\"orderId\":\"42\"}".into(),
        secret: "secret".into(),
        timeout_seconds: 300,
        retention_days: 1,
        asynchronous: false,
        parent: None,
        tenant: None,
        trace: None,
    };
    let at = Moment { now, scale: 1.0 };
    Bench {
        execution: Execution::new(new, limits, at),
        now,
        token: String::new(),
        events: RefCell::default(),
    }
}

impl Bench {
    pub(super) fn at(&self) -> Moment {
        Moment {
            now: self.now,
            scale: 1.0,
        }
    }

    /// Advances the clock and fires timers, as the server would.
    pub(super) fn pass(&mut self, millis: u64) {
        let end = self.now + millis;
        while let Some(due) = self.execution.next_due().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.execution.advance(self.at());
            if self.execution.next_due() == Some(due) {
                break;
            }
        }
        self.now = end;
        self.execution.advance(self.at());
    }

    pub(super) fn is_due(&self) -> bool {
        self.execution.is_due(self.now)
    }

    /// Starts an invocation and returns its event.
    pub(super) fn invoke(&mut self) -> Value {
        assert!(self.is_due(), "no invocation is due");
        let event = self.execution.begin_invocation("request", self.at());
        let event: Value = serde_json::from_str(&event).unwrap();
        self.token = event["CheckpointToken"].as_str().unwrap().to_owned();
        event
    }

    /// Sends a checkpoint with the current token and returns the response.
    pub(super) fn send(&mut self, updates: Value) -> Result<Value, Refusal> {
        let token = self.token.clone();
        self.send_with(&token, None, updates)
    }

    pub(super) fn send_with(
        &mut self,
        token: &str,
        client_token: Option<&str>,
        updates: Value,
    ) -> Result<Value, Refusal> {
        let request = json!({
            "CheckpointToken": token,
            "ClientToken": client_token,
            "Updates": updates,
        });
        let request: CheckpointRequest = serde_json::from_value(request).unwrap();
        let at = self.at();
        let answer = self.execution.checkpoint(&request, &Functions, at)?;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        if let Some(token) = answer["CheckpointToken"].as_str() {
            self.token = token.to_owned();
        }
        Ok(answer)
    }

    /// Sends a checkpoint that is refused, and returns the message.
    pub(super) fn refused(&mut self, updates: Value) -> String {
        match self.send(updates) {
            Err(refusal) => refusal.message,
            Ok(answer) => panic!("accepted: {answer}"),
        }
    }

    pub(super) fn output(&mut self, output: Value) {
        let at = self.at();
        self.execution.output(output.to_string().as_bytes(), at);
    }

    pub(super) fn suspend(&mut self) {
        self.output(json!({ "Status": "PENDING" }));
    }

    pub(super) fn status(&self) -> &'static str {
        self.execution.head.status().name()
    }

    /// Returns all events so far.
    pub(super) fn events(&mut self) -> Vec<Value> {
        let changes = self.execution.take_changes().unwrap();
        let mut events = self.events.borrow_mut();
        for (number, event) in changes.events {
            let event: Value = serde_json::from_str(&event).unwrap();
            assert_eq!(event["EventId"], number);
            assert_eq!(events.len() as u64 + 1, number, "a gap");
            events.push(event);
        }
        events.clone()
    }

    /// Returns the types of all events but the first.
    pub(super) fn trace(&mut self) -> String {
        let events = self.events();
        let kinds = events[1..]
            .iter()
            .map(|event| event["EventType"].as_str().unwrap());
        kinds.collect::<Vec<_>>().join(" ")
    }

    pub(super) fn operation(&self, id: &str) -> Value {
        let operation = self.execution.operation(id).unwrap();
        serde_json::from_str(&operation.to_json(super::operation::Times::Seconds)).unwrap()
    }
}

/// Builds an update with additional members.
pub(super) fn update(id: &str, kind: &str, action: &str, more: Value) -> Value {
    let mut update = json!({ "Id": id, "Type": kind, "Action": action });
    for (key, value) in more.as_object().unwrap() {
        update[key] = value.clone();
    }
    update
}

pub(super) fn step(id: &str, action: &str, more: Value) -> Value {
    update(id, "STEP", action, more)
}
