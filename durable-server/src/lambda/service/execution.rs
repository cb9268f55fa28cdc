//! State of one execution.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};

use super::checkpoint::Answered;
use super::head::{Ending, Head, Limits, Moment, NewExecution};
use super::history;
use super::operation::Operation;
use super::transition;
use super::wire::{Action, Kind, Update};

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

    /// Every operation, in the order of their start; the first stands for the execution itself.
    #[cfg(feature = "serve")]
    pub(crate) fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Number of the last change of an operation.
    #[cfg(feature = "serve")]
    pub(crate) fn changes(&self) -> u64 {
        self.head.changes
    }

    /// When an operation last started or ended.
    #[cfg(feature = "serve")]
    pub(crate) fn last_change(&self) -> u64 {
        let times = self.operations.iter();
        let times = times.map(|operation| operation.ended.unwrap_or(operation.started));
        times.max().unwrap_or(self.head.started)
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
