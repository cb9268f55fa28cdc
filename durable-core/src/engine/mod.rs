//! The state machine of an invocation: records and events in, decisions and batches out.
//!
//! It does no I/O and reads no clock: callers pass in events with their times. [`Engine::decide`] alone decides
//! whether an operation is answered from its record or runs.

mod decide;
mod drift;
mod external;
mod hints;
mod inbox;
mod interruptions;
mod mismatch;
mod moves;
mod operation;
mod outcome;
mod published;
mod quota;
mod register;
mod scope;
mod slicing;
mod start;
mod transaction;
mod unreadable;
mod write;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::model::error::OperationError;
use crate::model::record::Record;
use crate::model::site::Site;
use crate::store::{Capabilities, NewExecution};
use crate::{Occurrence, OperationId, Timestamp};

pub use drift::{Drift, Successor};

pub(crate) use decide::{Decision, Outcome};
pub(crate) use external::CallbackTimeouts;
pub(crate) use operation::OpIndex;
use operation::OperationState;

pub(crate) use register::RunKey;
pub(crate) use scope::ScopeIndex;
pub(crate) use slicing::Budget;
pub(crate) use start::{Begin, Conditions};
pub(crate) use unreadable::{Unreadable, unreadable_input};

/// Number of interruptions after which an operation fails.
const MAX_INTERRUPTIONS: u32 = 3;

/// Why an invocation stops.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StopReason {
    /// Code and history disagree.
    Blocked(String),
    /// Another execution continues this one.
    Continued(Box<NewExecution>),
}

/// Hasher for ids, which are hashes already.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

type IdMap<V> = HashMap<OperationId, V, BuildHasherDefault<IdHasher>>;

/// Statistics of an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) replayed: u64,
    pub(crate) ran: u64,
    /// Bodies that the end of their process interrupted.
    pub(crate) interrupted: u64,
    pub(crate) batches: u64,
    pub(crate) records_written: u64,
}

pub(crate) struct Engine {
    /// Recorded operations in the order of their records, then those of this invocation.
    operations: Vec<OperationState>,
    /// Index of the operation that is registered next if code and history agree.
    expected: usize,
    /// Indexes of the operations by id. Built when an operation other than the expected one is registered.
    index: Option<IdMap<OpIndex>>,
    /// Orders of the recorded operations by scope, sorted. Built when the first live operation needs an order.
    orders: Option<IdMap<Vec<u64>>>,
    /// Names and occurrences recorded in scopes whose branches have no records. Built on first use.
    runs: IdMap<scope::Runs>,
    scopes: Vec<scope::Scope>,
    /// Records that call sites in other scopes have registered, by the scope they were recorded in.
    moved_out: IdMap<moves::MovedOut>,
    /// Call sites of the handler and of the functions it calls.
    functions: Vec<(Option<OpIndex>, &'static [Site])>,
    /// Current occurrences of scopes that were recorded with another one.
    current_occurrences: HashMap<OpIndex, Occurrence>,
    queue: write::Queue,
    inbox: inbox::Inbox,
    published: published::Published,
    /// Points from which an operator has let the execution run again.
    reruns: Vec<(u64, String)>,
    stop: Option<StopReason>,
    limits: Capabilities,
    /// Whether the previous holder of the lease ended uncleanly and nothing was recorded since.
    cautious: bool,
    /// Whether the previous holder of the lease ended uncleanly.
    was_interrupted: bool,
    /// Number of external updates this invocation knows of.
    seen: u64,
    /// Whether the execution is to be cancelled. Then no live body begins.
    cancelling: bool,
    /// Error that ends the execution before its handler returns. Then only undo bodies run.
    unwinding: Option<OperationError>,
    slicing: slicing::Slicing,
    quota: quota::Quota,
    /// The latest time seen. Time never goes back behind it.
    latest: Timestamp,
    next_seq: u64,
    /// Operations that were registered in another order than they were recorded in.
    moved: Vec<OpIndex>,
    /// Operations that external updates have changed since the last acknowledgement.
    updated: Vec<OpIndex>,
    counts: Counts,
}

impl Engine {
    pub(crate) fn new(records: Vec<Record>, was_interrupted: bool, limits: Capabilities) -> Self {
        let last = records.iter().map(|record| record.seq).max();
        let next_seq = last.unwrap_or(0).saturating_add(1);
        let known = records
            .iter()
            .flat_map(|r| [Some(r.started_at), r.ended_at]);
        // A service records the times of its own clock, which say nothing about the local one.
        let latest = known.flatten().max().filter(|_| !limits.service_driven);
        let latest = latest.unwrap_or_default();
        let is_top_level =
            |record: &&Record| record.parent == OperationId::ROOT && !record.is_internal();
        let mut root = scope::Scope::new(OperationId::ROOT, OperationId::ROOT, None);
        root.unregistered = records.iter().filter(is_top_level).count();
        let quota = quota::Quota::of(&records, limits.service_driven);
        Self {
            reruns: transaction::reruns(&records),
            operations: records.into_iter().map(OperationState::loaded).collect(),
            expected: 0,
            index: None,
            orders: None,
            runs: IdMap::default(),
            scopes: vec![root],
            moved_out: IdMap::default(),
            functions: Vec::new(),
            current_occurrences: HashMap::new(),
            queue: write::Queue::default(),
            inbox: inbox::Inbox::default(),
            published: published::Published::default(),
            stop: None,
            limits,
            cautious: was_interrupted,
            was_interrupted,
            seen: 0,
            cancelling: false,
            unwinding: None,
            slicing: slicing::Slicing::default(),
            quota,
            latest,
            next_seq,
            moved: Vec::new(),
            updated: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// Advances the time to `now`. Returns the latest time seen, which is later than `now` if the clock was set back.
    pub(crate) fn advance_clock(&mut self, now: Timestamp) -> Timestamp {
        self.latest = self.latest.max(now);
        self.latest
    }

    /// Returns whether there are no operations.
    pub(crate) fn is_untouched(&self) -> bool {
        self.operations.is_empty()
    }

    /// Returns the capabilities of the store.
    pub(crate) fn limits(&self) -> &Capabilities {
        &self.limits
    }

    pub(crate) fn stop(&self) -> Option<&StopReason> {
        self.stop.as_ref()
    }

    /// Stops the invocation. The first reason counts.
    pub(crate) fn halt(&mut self, stop: StopReason) {
        self.stop.get_or_insert(stop);
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns the record of an operation.
    pub(crate) fn record(&self, op: OpIndex) -> &Record {
        &self.operations[op.index()].record
    }

    /// Adds an internal operation at the top level. No call site registers it.
    fn add_internal(&mut self, mut record: Record) -> OpIndex {
        record.order = self.live_order(ScopeIndex::ROOT);
        let op = OpIndex::new(self.operations.len());
        self.index().insert(record.id, op);
        self.operations.push(OperationState::new(record));
        op
    }

    /// Returns the first unused id of an internal operation.
    fn next_internal(&mut self, name: &str) -> (OperationId, Occurrence) {
        let mut number = 0;
        loop {
            let occurrence = Occurrence::Ordered(number);
            let id = OperationId::of(OperationId::ROOT, name, &occurrence);
            if !self.index().contains_key(&id) {
                return (id, occurrence);
            }
            number += 1;
        }
    }

    /// Returns the id of an operation.
    pub(crate) fn id(&self, op: OpIndex) -> OperationId {
        self.operations[op.index()].record.id
    }

    /// Returns the display name of an operation, with the scopes around it.
    pub(crate) fn path(&self, op: OpIndex) -> String {
        let state = &self.operations[op.index()];
        self.path_in(state.scope, &state.record)
    }

    fn path_in(&self, scope: ScopeIndex, record: &Record) -> String {
        match self.scopes[scope.index()].op {
            Some(parent) => format!("{}/{}", self.path(parent), record.display_name()),
            None => record.display_name(),
        }
    }
}
