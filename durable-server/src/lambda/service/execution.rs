//! State of one execution.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::checkpoint::Answered;
use super::history;
use super::operation::Operation;
use super::pause::Pause;
use super::transition;
use super::wire::{Action, ErrorObject, Kind, Update};

/// Longest lifetime of an execution in seconds, pauses included.
pub(crate) const MAX_LIFETIME: i64 = 31_622_400;

/// Time of a call, with the speed-up factor of the service's timers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Milliseconds since 1970.
    pub(crate) now: u64,
    pub(crate) scale: f64,
}

impl Moment {
    /// Converts `seconds` of service time to real milliseconds, at least one.
    pub(crate) fn millis(self, seconds: i64) -> u64 {
        let millis = seconds as f64 * 1_000.0 / self.scale;
        (millis as u64).max(1)
    }

    /// Returns the time after `seconds` of service time.
    pub(crate) fn after(self, seconds: i64) -> u64 {
        self.now.saturating_add(self.millis(seconds))
    }
}

/// Quotas of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Billed operations per execution.
    pub(crate) operations: u64,
    /// Bytes of payloads and errors per execution.
    pub(crate) bytes: u64,
    /// Consecutive failed invocations that fail an execution.
    pub(crate) failed_invocations: u32,
    /// Consecutive `PENDING` outputs without pending operations that fail an execution.
    pub(crate) improper_pendings: u32,
    /// Bytes of operations in one page of state.
    pub(crate) page_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            operations: 3_000,
            bytes: 100 << 20,
            failed_invocations: 5,
            improper_pendings: 4,
            page_bytes: 5 << 20,
        }
    }
}

/// Status of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ExecutionStatus {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Stopped,
    Pausing,
    Paused,
}

impl ExecutionStatus {
    /// Name on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Stopped => "STOPPED",
            Self::Pausing => "PAUSING",
            Self::Paused => "PAUSED",
        }
    }
}

/// End of an execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ending {
    pub(crate) status: ExecutionStatus,
    pub(crate) at: u64,
    pub(crate) result: Option<String>,
    pub(crate) error: Option<ErrorObject>,
}

/// Outcome that a handler reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    Succeeded(Option<String>),
    Failed(ErrorObject),
}

/// Invocation in flight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Invocation {
    pub(crate) request_id: String,
    pub(crate) started: u64,
    /// Whether an external event has changed an operation since it started.
    pub(crate) triggered: bool,
}

/// The chained invoke that started an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parent {
    pub(crate) execution: String,
    pub(crate) operation: String,
}

/// Consumption of the quotas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Used {
    pub(crate) operations: u64,
    pub(crate) bytes: u64,
}

/// Execution to start.
#[derive(Debug, Clone)]
pub(crate) struct NewExecution {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Bare name of the function.
    pub(crate) function: String,
    /// ARN of the function with the version.
    pub(crate) function_arn: String,
    pub(crate) version: String,
    pub(crate) input: String,
    pub(crate) secret: String,
    pub(crate) timeout_seconds: i64,
    pub(crate) retention_days: u32,
    /// Whether the start was asynchronous, which lowers the limit of the output.
    pub(crate) asynchronous: bool,
    pub(crate) parent: Option<Parent>,
    pub(crate) tenant: Option<String>,
    pub(crate) trace: Option<String>,
}

impl NewExecution {
    pub(crate) fn arn(&self) -> String {
        format!(
            "{}/durable-execution/{}/{}",
            self.function_arn, self.name, self.id
        )
    }
}

/// State of an execution without its operations and its history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) function: String,
    pub(crate) function_arn: String,
    pub(crate) version: String,
    pub(crate) tenant: Option<String>,
    pub(crate) trace: Option<String>,
    pub(crate) timeout_seconds: i64,
    pub(crate) retention_days: u32,
    pub(crate) asynchronous: bool,
    pub(crate) parent: Option<Parent>,
    pub(crate) started: u64,
    pub(crate) ending: Option<Ending>,
    pub(super) secret: String,
    /// Number of the last change of an operation.
    pub(super) changes: u64,
    /// Last change that the current invocation has seen.
    pub(super) seen: u64,
    /// Last change that an invocation with a valid output had seen.
    pub(super) handed_over: u64,
    pub(super) tokens: u64,
    pub(super) token: Option<String>,
    pub(super) invocation: Option<Invocation>,
    /// Outcome of an EXECUTION update, applied when the invocation ends.
    pub(super) outcome: Option<Outcome>,
    pub(super) failures: u32,
    pub(super) improper: u32,
    /// Whether the current invocation gets no further token.
    pub(super) withheld: bool,
    /// Time of the next invocation, regardless of changes.
    pub(super) wake: Option<u64>,
    pub(super) used: Used,
    pub(super) deadline: Option<u64>,
    pub(super) pause: Option<Pause>,
    /// Client token of the last resume.
    pub(super) resumed_by: Option<String>,
    /// Number of the last event.
    pub(super) events: u64,
}

/// Changes to store atomically.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// The head as JSON.
    pub(crate) head: String,
    /// Positions and JSON of changed operations.
    pub(crate) operations: Vec<(usize, String)>,
    /// Numbers and JSON of new events.
    pub(crate) events: Vec<(u64, String)>,
}

/// One execution.
#[derive(Debug)]
pub(crate) struct Execution {
    pub(crate) head: Head,
    pub(super) limits: Limits,
    /// Operations in the order of their start. The first is the execution itself.
    pub(super) operations: Vec<Operation>,
    pub(super) index: HashMap<String, usize>,
    /// Position of the operation of each change, without superseded changes.
    pub(super) changed: BTreeMap<u64, usize>,
    /// Timers of operations that have not ended.
    pub(super) timers: BTreeSet<(u64, usize)>,
    /// The last accepted checkpoint.
    pub(super) last: Option<Answered>,
    /// Chained invokes whose targets have to be started.
    pub(super) dispatches: Vec<String>,
    dirty: BTreeSet<usize>,
    new_events: Vec<(u64, String)>,
}

impl Execution {
    pub(crate) fn new(new: NewExecution, limits: Limits, at: Moment) -> Self {
        let mut start = transition::begun(
            &Update::new(&new.id, Kind::Execution, Action::Start),
            at.now,
        );
        start.name = Some(new.name.clone());
        let details = json!({
            "Input": history::wrapped(Some(&new.input)),
            "ExecutionTimeout": new.timeout_seconds,
        });
        let head = Head::new(&new, at);
        start.payload = Some(new.input);
        let mut execution = Self::assembled(head, limits);
        execution.put(start);
        execution.execution_event("ExecutionStarted", at.now, details);
        execution
    }

    /// Restores a stored execution.
    pub(crate) fn restored(head: Head, operations: Vec<Operation>, limits: Limits) -> Self {
        let mut execution = Self::assembled(head, limits);
        for (position, operation) in operations.into_iter().enumerate() {
            execution.index.insert(operation.id.clone(), position);
            execution.changed.insert(operation.changed, position);
            if let Some(due) = operation.timer() {
                execution.timers.insert((due, position));
            }
            execution.operations.push(operation);
        }
        execution
    }

    fn assembled(head: Head, limits: Limits) -> Self {
        Self {
            head,
            limits,
            operations: Vec::new(),
            index: HashMap::new(),
            changed: BTreeMap::new(),
            timers: BTreeSet::new(),
            last: None,
            dispatches: Vec::new(),
            dirty: BTreeSet::new(),
            new_events: Vec::new(),
        }
    }

    pub(crate) fn operation(&self, id: &str) -> Option<&Operation> {
        self.index.get(id).map(|at| &self.operations[*at])
    }

    /// The unmodified input.
    pub(crate) fn input(&self) -> &str {
        let start = self.operations.first();
        start
            .and_then(|start| start.payload.as_deref())
            .unwrap_or_default()
    }

    /// Stores the new state of an operation.
    pub(super) fn put(&mut self, mut operation: Operation) {
        self.head.changes += 1;
        let before = std::mem::replace(&mut operation.changed, self.head.changes);
        self.changed.remove(&before);
        let position = *self
            .index
            .entry(operation.id.clone())
            .or_insert(self.operations.len());
        self.changed.insert(self.head.changes, position);
        self.store(position, operation);
    }

    /// Stores an operation without a change that handlers would see.
    pub(super) fn store(&mut self, position: usize, operation: Operation) {
        let before = self.operations.get(position).and_then(Operation::timer);
        if let Some(due) = before {
            self.timers.remove(&(due, position));
        }
        if let Some(due) = operation.timer() {
            self.timers.insert((due, position));
        }
        self.dirty.insert(position);
        match self.operations.get_mut(position) {
            Some(place) => *place = operation,
            None => self.operations.push(operation),
        }
    }

    pub(super) fn event(&mut self, kind: &str, at: u64, about: Option<usize>, details: Value) {
        self.head.events += 1;
        let operation = about.map(|position| &self.operations[position]);
        let event = history::event(self.head.events, kind, at, operation, details);
        self.new_events.push((self.head.events, event.to_string()));
    }

    /// Appends an event of the execution itself.
    pub(super) fn execution_event(&mut self, kind: &str, at: u64, details: Value) {
        self.event(kind, at, Some(0), details);
    }

    /// Whether there are changes that no invocation has seen.
    pub(super) fn has_unseen_changes(&self) -> bool {
        self.changed.range(self.head.seen + 1..).next().is_some()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.head.ending.is_none()
    }

    /// The request id of the invocation in flight.
    pub(crate) fn invocation(&self) -> Option<&str> {
        let invocation = self.head.invocation.as_ref();
        invocation.map(|invocation| &*invocation.request_id)
    }

    /// Notes that an external event has changed an operation.
    pub(super) fn trigger(&mut self) {
        if let Some(invocation) = &mut self.head.invocation {
            invocation.triggered = true;
        }
    }

    pub(super) fn end(&mut self, ending: Ending) {
        if !self.is_running() {
            return;
        }
        self.flush_invokes();
        let (kind, details) = history::ending(&ending);
        self.execution_event(kind, ending.at, details);
        self.head.ending = Some(ending);
        self.head.token = None;
        self.head.wake = None;
        self.head.deadline = None;
        self.head.pause = None;
        self.last = None;
    }

    /// Whether operations or the history have changed since the last [`Self::take_changes`].
    pub(crate) fn is_changed(&self) -> bool {
        !self.dirty.is_empty() || !self.new_events.is_empty()
    }

    /// Takes the changes since the last call.
    pub(crate) fn take_changes(&mut self) -> Result<Changes, serde_json::Error> {
        let dirty = std::mem::take(&mut self.dirty);
        let operations = dirty.into_iter().map(|position| {
            let json = serde_json::to_string(&self.operations[position])?;
            Ok((position, json))
        });
        Ok(Changes {
            operations: operations.collect::<Result<_, serde_json::Error>>()?,
            head: serde_json::to_string(&self.head)?,
            events: std::mem::take(&mut self.new_events),
        })
    }
}

impl Head {
    fn new(new: &NewExecution, at: Moment) -> Self {
        Self {
            arn: new.arn(),
            id: new.id.clone(),
            name: new.name.clone(),
            function: new.function.clone(),
            function_arn: new.function_arn.clone(),
            version: new.version.clone(),
            tenant: new.tenant.clone(),
            trace: new.trace.clone(),
            timeout_seconds: new.timeout_seconds,
            retention_days: new.retention_days,
            asynchronous: new.asynchronous,
            parent: new.parent.clone(),
            started: at.now,
            ending: None,
            secret: new.secret.clone(),
            changes: 0,
            seen: 0,
            handed_over: 0,
            tokens: 0,
            token: None,
            invocation: None,
            outcome: None,
            failures: 0,
            improper: 0,
            withheld: false,
            wake: Some(at.now),
            used: Used {
                operations: 1,
                bytes: new.input.len() as u64,
            },
            deadline: Some(at.after(new.timeout_seconds)),
            pause: None,
            resumed_by: None,
            events: 0,
        }
    }

    pub(crate) fn status(&self) -> ExecutionStatus {
        match (&self.ending, &self.pause) {
            (Some(ending), _) => ending.status,
            (None, Some(pause)) if pause.is_complete() => ExecutionStatus::Paused,
            (None, Some(_)) => ExecutionStatus::Pausing,
            (None, None) => ExecutionStatus::Running,
        }
    }
}
