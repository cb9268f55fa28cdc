//! The machine that decides: records and events in, decisions and batches out.
//!
//! Nothing here waits, asks the time, draws a random number or knows a store. Callers hand in what
//! happened and when; [`Engine::decide`] alone says whether an operation is answered from its record
//! or runs.

mod decide;
mod drift;
mod external;
mod hints;
mod interruptions;
mod mismatch;
mod moves;
mod operation;
mod outcome;
mod quota;
mod register;
mod scope;
mod slicing;
mod start;
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

/// How often the body of a step may be cut off by the end of its process before it is given up.
const MAX_INTERRUPTIONS: u32 = 3;

/// Why an invocation cannot go on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StopReason {
    /// Code and history disagree.
    Blocked(String),
    /// The execution goes on as another one.
    Continued(Box<NewExecution>),
}

/// Takes over the number that an id hashes to.
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

/// Counts of what an invocation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) replayed: u64,
    pub(crate) ran: u64,
    pub(crate) batches: u64,
    pub(crate) records_written: u64,
}

pub(crate) struct Engine {
    /// Recorded operations in the order of their records, then those of this invocation.
    operations: Vec<OperationState>,
    /// The operation that is asked for next if code and history agree.
    expected: usize,
    /// Where the operations stand; made when the first one is not the expected one.
    index: Option<IdMap<OpIndex>>,
    /// Orders of the recorded operations by scope, sorted; made when the first live one needs a place.
    orders: Option<IdMap<Vec<u64>>>,
    /// What stands in scopes whose branches have no records; made when first asked for.
    runs: IdMap<scope::Runs>,
    scopes: Vec<scope::Scope>,
    /// What call sites elsewhere have claimed out of a scope.
    moved_out: IdMap<moves::MovedOut>,
    /// The functions that run, with their call sites: the handler, and those it calls.
    functions: Vec<(Option<OpIndex>, &'static [Site])>,
    /// Which runs scopes are today, where their records do not say so.
    runs_now: HashMap<OpIndex, Occurrence>,
    queue: write::Queue,
    stop: Option<StopReason>,
    limits: Capabilities,
    /// The holder before ended uncleanly and nothing has been achieved since.
    cautious: bool,
    /// The holder before ended uncleanly.
    was_interrupted: bool,
    /// Changes from outside that are known here.
    seen: u64,
    /// The execution is to be cancelled: nothing live begins any more.
    cancelling: bool,
    /// Why the execution ends before its handler does: only undo bodies run any more.
    unwinding: Option<OperationError>,
    slicing: slicing::Slicing,
    quota: quota::Quota,
    /// No time before this one is believed.
    latest: Timestamp,
    next_seq: u64,
    /// Operations that were asked for in another order than they were recorded in.
    moved: Vec<OpIndex>,
    /// Operations that the outside has settled since the last acknowledgement.
    answered: Vec<OpIndex>,
    counts: Counts,
}

impl Engine {
    pub(crate) fn new(records: Vec<Record>, was_interrupted: bool, limits: Capabilities) -> Self {
        let next_seq = records.iter().map(|r| r.seq).max().unwrap_or(0) + 1;
        let known = records
            .iter()
            .flat_map(|r| [Some(r.started_at), r.ended_at]);
        // The times of a service are those of another clock: they say nothing about this one.
        let latest = known.flatten().max().filter(|_| !limits.service_driven);
        let latest = latest.unwrap_or_default();
        let at_the_top =
            |record: &&Record| record.parent == OperationId::ROOT && !record.is_internal();
        let mut root = scope::Scope::new(OperationId::ROOT, OperationId::ROOT, None);
        root.ahead = records.iter().filter(at_the_top).count();
        let quota = quota::Quota::of(&records, limits.service_driven);
        Self {
            operations: records.into_iter().map(OperationState::loaded).collect(),
            expected: 0,
            index: None,
            orders: None,
            runs: IdMap::default(),
            scopes: vec![root],
            moved_out: IdMap::default(),
            functions: Vec::new(),
            runs_now: HashMap::new(),
            queue: write::Queue::default(),
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
            answered: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// Time never runs backwards here, whatever the machine's clock does.
    pub(crate) fn believe(&mut self, now: Timestamp) -> Timestamp {
        self.latest = self.latest.max(now);
        self.latest
    }

    /// Whether there are no operations at all.
    pub(crate) fn is_untouched(&self) -> bool {
        self.operations.is_empty()
    }

    /// What the store can hold.
    pub(crate) fn limits(&self) -> &Capabilities {
        &self.limits
    }

    pub(crate) fn stop(&self) -> Option<&StopReason> {
        self.stop.as_ref()
    }

    /// Ends the invocation; the first reason counts.
    pub(crate) fn halt(&mut self, stop: StopReason) {
        self.stop.get_or_insert(stop);
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// What is known of an operation.
    pub(crate) fn record(&self, op: OpIndex) -> &Record {
        &self.operations[op.index()].record
    }

    /// Adds an operation of the engine's own at the top, which no call site claims.
    fn add_internal(&mut self, mut record: Record) -> OpIndex {
        record.order = self.place_live(ScopeIndex::ROOT);
        let op = OpIndex::at(self.operations.len());
        self.index().insert(record.id, op);
        self.operations.push(OperationState::new(record));
        op
    }

    /// The first run of an operation of the engine's own that there has not been.
    fn next_internal(&mut self, name: &str) -> (OperationId, Occurrence) {
        let mut turn = 0;
        loop {
            let occurrence = Occurrence::Ordered(turn);
            let id = OperationId::of(OperationId::ROOT, name, &occurrence);
            if !self.index().contains_key(&id) {
                return (id, occurrence);
            }
            turn += 1;
        }
    }

    /// Identity of an operation.
    pub(crate) fn id(&self, op: OpIndex) -> OperationId {
        self.operations[op.index()].record.id
    }

    /// The operation as reports write it, with the scopes it is in.
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
