//! One execution as the service keeps it. No input, no output, no clock.

mod batch;
mod checkpoint;
mod end;
mod outside;
mod pages;
mod shape;
mod timers;
pub(crate) mod token;
mod transition;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use crate::operation::Operation;
use crate::wire::{Action, ErrorObject, Kind, Status, Update};

pub(crate) use checkpoint::Twist;
pub(crate) use end::Verdict;
pub(crate) use outside::bare;

/// How much faster than asked the service's timers are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace(pub(crate) f64);

/// When something happens, and to which execution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment<'a> {
    pub(crate) now: u64,
    pub(crate) pace: Pace,
    pub(crate) execution: &'a str,
    pub(crate) arn: &'a str,
}

impl Pace {
    /// How long `seconds` of the service really take.
    fn real(self, seconds: i64) -> Duration {
        Duration::from_secs_f64(seconds as f64 / self.0)
    }

    /// `seconds` of the service after `now`.
    pub(crate) fn after(self, now: u64, seconds: i64) -> u64 {
        now + (self.real(seconds).as_millis() as u64).max(1)
    }
}

impl Moment<'_> {
    fn after(self, seconds: i64) -> u64 {
        self.pace.after(self.now, seconds)
    }
}

/// What the service lets an execution do.
#[derive(Debug, Clone)]
pub struct Quotas {
    /// Operations, as they are billed: one for the start, one for each operation and each retry.
    pub operations: u64,
    /// Bytes of payloads and errors that are ever written.
    pub bytes: u64,
    /// Invocations in a row that fail before the execution does.
    pub failed_invocations: u32,
    /// `PENDING` answers in a row with nothing pending before the execution fails.
    pub improper_pendings: u32,
    /// Whether the execution was started asynchronously, which limits its output to 1 MiB.
    pub asynchronous: bool,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            operations: 3_000,
            bytes: 100 << 20,
            failed_invocations: 5,
            improper_pendings: 4,
            asynchronous: false,
        }
    }
}

/// How the state is cut into pages.
#[derive(Debug, Clone, Default)]
pub struct Paging {
    /// Operations on the first page, the one in the event; all by default.
    pub first: Option<usize>,
    /// Operations on a page of the state, whatever was asked for.
    pub next: Option<usize>,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs)]
pub enum Ended {
    /// With this JSON text.
    Succeeded(String),
    Failed(ErrorObject),
    TimedOut(ErrorObject),
    Stopped(ErrorObject),
}

/// What has been used of the quotas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Operations, as they are billed.
    pub operations: u64,
    /// Bytes of payloads and errors.
    pub bytes: u64,
}

#[derive(Debug)]
pub(crate) struct Execution {
    pub(crate) arn: String,
    pub(crate) id: String,
    pub(crate) quotas: Quotas,
    pub(crate) paging: Paging,
    pub(crate) pace: Pace,
    /// Milliseconds that the service's clock is ahead of the function's.
    pub(crate) ahead: i64,
    /// Functions that chained invokes may name.
    pub(crate) functions: BTreeSet<String>,
    /// In the order in which they were started; the first is the execution itself.
    pub(crate) operations: Vec<Operation>,
    index: HashMap<String, usize>,
    /// Number of the last change, and which operation each change that is not superseded was made to.
    changes: u64,
    changed: BTreeMap<u64, usize>,
    /// Number of the last change that the current invocation knows of.
    seen: u64,
    /// Changes that the last invocation with a valid output knew of.
    handed_over: u64,
    token: Option<String>,
    tokens: u64,
    last: Option<checkpoint::Last>,
    /// Pages that were promised by a marker: the operations that are left.
    pages: Vec<Vec<usize>>,
    /// What an EXECUTION update said.
    outcome: Option<Ended>,
    pub(crate) ended: Option<Ended>,
    pub(crate) used: Used,
    failures: u32,
    pub(crate) improper: u32,
    /// Whether the current invocation was denied a further token.
    withheld: bool,
    /// When it is to be invoked whatever has changed.
    pub(crate) wake: Option<u64>,
    pub(crate) invoked: bool,
    /// When the execution is over, and after how many seconds that was to be.
    pub(crate) deadline: Option<(u64, i64)>,
}

impl Execution {
    pub(crate) fn new(arn: String, name: &str, input: String, pace: Pace, now: u64) -> Self {
        let id = arn.rsplit('/').next().unwrap_or_default().to_owned();
        let mut start = transition::begun(&Update::new(&id, Kind::Execution, Action::Start), now);
        start.name = Some(name.to_owned());
        let used = Used {
            operations: 1,
            bytes: input.len() as u64,
        };
        start.payload = Some(input);
        let mut execution = Self {
            arn,
            id,
            quotas: Quotas::default(),
            paging: Paging::default(),
            pace,
            ahead: 0,
            functions: BTreeSet::new(),
            operations: Vec::new(),
            index: HashMap::new(),
            changes: 0,
            changed: BTreeMap::new(),
            seen: 0,
            handed_over: 0,
            token: None,
            tokens: 0,
            last: None,
            pages: Vec::new(),
            outcome: None,
            ended: None,
            used,
            failures: 0,
            improper: 0,
            withheld: false,
            wake: Some(now),
            invoked: false,
            deadline: None,
        };
        execution.put(start);
        execution
    }

    pub(crate) fn operation(&self, id: &str) -> Option<&Operation> {
        self.index.get(id).map(|at| &self.operations[*at])
    }

    /// Stores an operation as it is now.
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

    /// Whether something has changed that no invocation was told of.
    pub(crate) fn has_news(&self) -> bool {
        self.changed.range(self.seen + 1..).next().is_some()
    }

    /// Whether an operation is there that the service will move on.
    fn has_pending(&self) -> bool {
        self.operations[1..]
            .iter()
            .any(|operation| match operation.kind {
                // One that became ready is news, or the handler knows of it.
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
        self.ended.is_none()
    }
}
