//! State of one execution by the service's rules, without I/O or a clock.

mod batch;
mod checkpoint;
mod external;
mod invocation_end;
mod pages;
mod timers;
pub(crate) mod token;
mod transition;
mod validation;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use crate::operation::Operation;
use crate::wire::{Action, ErrorObject, Kind, Status, Update};

pub(crate) use checkpoint::ResponseOptions;
pub(crate) use external::function_name;
pub(crate) use invocation_end::OutputCheck;

/// Factor by which the service's timers are shortened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Speedup(pub(crate) f64);

/// Time and execution of an update.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UpdateContext<'a> {
    pub(crate) now: u64,
    pub(crate) speedup: Speedup,
    pub(crate) execution: &'a str,
    pub(crate) arn: &'a str,
}

impl Speedup {
    /// Returns the real duration of `seconds` of the service.
    fn real_duration(self, seconds: i64) -> Duration {
        Duration::from_secs_f64(seconds as f64 / self.0)
    }

    /// Returns the time that is `seconds` of the service after `now`.
    pub(crate) fn after(self, now: u64, seconds: i64) -> u64 {
        now + (self.real_duration(seconds).as_millis() as u64).max(1)
    }
}

impl UpdateContext<'_> {
    fn after(self, seconds: i64) -> u64 {
        self.speedup.after(self.now, seconds)
    }
}

/// Limits of an execution.
#[derive(Debug, Clone)]
pub struct Quotas {
    /// Billed operations: one for the start, one for each operation and each retry.
    pub operations: u64,
    /// Total bytes of payloads and errors.
    pub bytes: u64,
    /// Consecutive failed invocations that fail the execution.
    pub failed_invocations: u32,
    /// Consecutive `PENDING` outputs without a pending operation that fail the execution.
    pub invalid_pendings: u32,
    /// Whether the execution is started asynchronously, which limits its output to 1 MiB.
    pub asynchronous: bool,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            operations: 3_000,
            bytes: 100 << 20,
            failed_invocations: 5,
            invalid_pendings: 4,
            asynchronous: false,
        }
    }
}

/// Page sizes of the state.
#[derive(Debug, Clone, Default)]
pub struct Paging {
    /// Operations on the first page, which is part of the event. The default is all of them.
    pub first: Option<usize>,
    /// Most operations on other pages, even if the call requests more.
    pub next: Option<usize>,
}

/// Outcome of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs)]
pub enum ExecutionOutcome {
    /// The execution succeeded with this JSON text.
    Succeeded(String),
    Failed(ErrorObject),
    TimedOut(ErrorObject),
    Stopped(ErrorObject),
}

/// Usage of an execution's quotas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Billed operations.
    pub operations: u64,
    /// Total bytes of payloads and errors.
    pub bytes: u64,
}

#[derive(Debug)]
pub(crate) struct Execution {
    pub(crate) arn: String,
    pub(crate) id: String,
    pub(crate) quotas: Quotas,
    pub(crate) paging: Paging,
    pub(crate) speedup: Speedup,
    /// Milliseconds by which the service's clock is ahead of the function's.
    pub(crate) clock_skew: i64,
    /// Names of the functions that chained invokes can call.
    pub(crate) functions: BTreeSet<String>,
    /// Operations in the order in which they were started. The first is the execution itself.
    pub(crate) operations: Vec<Operation>,
    index: HashMap<String, usize>,
    /// Number of the last change.
    changes: u64,
    /// Index of each operation by the number of its last change.
    changed: BTreeMap<u64, usize>,
    /// Number of the last change that the current invocation has received.
    seen: u64,
    /// Number of the last change that an invocation with a valid output has received.
    acknowledged: u64,
    token: Option<String>,
    /// Number of tokens issued.
    tokens: u64,
    last_response: Option<checkpoint::LastResponse>,
    /// Remaining operations behind each marker.
    pages: Vec<Vec<usize>>,
    /// Outcome of an EXECUTION update that has not been applied yet.
    pending_outcome: Option<ExecutionOutcome>,
    pub(crate) outcome: Option<ExecutionOutcome>,
    pub(crate) usage: Usage,
    /// Consecutive failed invocations.
    failures: u32,
    /// Consecutive `PENDING` outputs without a pending operation.
    pub(crate) invalid_pendings: u32,
    /// Whether the last response to the current invocation had no token.
    token_withheld: bool,
    /// Time of the next invocation that does not depend on a change.
    pub(crate) wake_at: Option<u64>,
    /// Whether an invocation is queued or active.
    pub(crate) invoked: bool,
    /// Time at which the execution times out, and its timeout in seconds.
    pub(crate) deadline: Option<(u64, i64)>,
}

impl Execution {
    pub(crate) fn new(arn: String, name: &str, input: String, speedup: Speedup, now: u64) -> Self {
        let id = arn.rsplit('/').next().unwrap_or_default().to_owned();
        let mut start = transition::started(&Update::new(&id, Kind::Execution, Action::Start), now);
        start.name = Some(name.to_owned());
        let usage = Usage {
            operations: 1,
            bytes: input.len() as u64,
        };
        start.payload = Some(input);
        let mut execution = Self {
            arn,
            id,
            quotas: Quotas::default(),
            paging: Paging::default(),
            speedup,
            clock_skew: 0,
            functions: BTreeSet::new(),
            operations: Vec::new(),
            index: HashMap::new(),
            changes: 0,
            changed: BTreeMap::new(),
            seen: 0,
            acknowledged: 0,
            token: None,
            tokens: 0,
            last_response: None,
            pages: Vec::new(),
            pending_outcome: None,
            outcome: None,
            usage,
            failures: 0,
            invalid_pendings: 0,
            token_withheld: false,
            wake_at: Some(now),
            invoked: false,
            deadline: None,
        };
        execution.put(start);
        execution
    }

    pub(crate) fn operation(&self, id: &str) -> Option<&Operation> {
        self.index.get(id).map(|at| &self.operations[*at])
    }

    /// Inserts or replaces an operation.
    fn put(&mut self, mut operation: Operation) {
        self.changes += 1;
        let before = std::mem::replace(&mut operation.changed, self.changes);
        self.changed.remove(&before);
        let at = *self
            .index
            .entry(operation.id.clone())
            .or_insert(self.operations.len());
        self.changed.insert(self.changes, at);
        if at == self.operations.len() {
            self.operations.push(operation);
        } else {
            self.operations[at] = operation;
        }
    }

    /// Whether an operation has changed since the last response.
    pub(crate) fn has_unseen_changes(&self) -> bool {
        self.changed.range(self.seen + 1..).next().is_some()
    }

    /// Whether the service will change the status of an operation.
    fn has_pending(&self) -> bool {
        self.operations[1..]
            .iter()
            .any(|operation| match operation.kind {
                // A ready step is either an unseen change or known to the handler.
                Kind::Step => operation.status == Status::Pending,
                Kind::Wait | Kind::Callback | Kind::ChainedInvoke => !operation.status.is_closed(),
                Kind::Context | Kind::Execution => false,
            })
    }

    fn new_token(&mut self) -> String {
        self.tokens += 1;
        let token = token::of_checkpoint(&self.id, self.tokens);
        self.token = Some(token.clone());
        token
    }

    pub(crate) fn is_running(&self) -> bool {
        self.outcome.is_none()
    }
}
