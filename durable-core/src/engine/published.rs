//! Published values: the latest value under each name, for clients to read while the execution runs.
//!
//! Each name has one internal record, which every call overwrites. A replay repeats the calls whose values the record has
//! already had, and they must not set it back. So the record keeps the number of calls in each scope that has not ended,
//! and that many calls are skipped. Calls in a scope that has ended are not counted: a replay either skips the scope, or
//! repeats nothing but what the record has had.

use std::collections::{BTreeMap, HashMap};

use super::{Engine, OpIndex, ScopeIndex};
use crate::model::payload::Payload;
use crate::model::record::{Kind, PUBLISHED, Record, Status};
use crate::{Occurrence, OperationId, Timestamp};

/// The names published so far.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// `None` until the first call, which looks for recorded names.
    names: Option<HashMap<String, Name>>,
    /// When the oldest value that is not written was published.
    unwritten_since: Option<Timestamp>,
}

#[derive(Debug)]
struct Name {
    op: OpIndex,
    calls: BTreeMap<[u8; 16], Calls>,
}

/// Calls in a scope.
#[derive(Debug, Default, Clone, Copy)]
struct Calls {
    /// Calls that the record reflects.
    recorded: u64,
    /// Calls in this invocation.
    made: u64,
}

impl Engine {
    /// Publishes a value, unless a replay repeats this call. It is written with the next batch.
    ///
    /// A call in the body of an operation is never repeated, because a replay skips the body.
    pub(crate) fn publish(
        &mut self,
        scope: ScopeIndex,
        name: &str,
        payload: Payload,
        in_body: bool,
        now: Timestamp,
    ) {
        let now = self.advance_clock(now);
        let op = self.published_op(name, now);
        if !in_body && self.is_repeated(self.scopes[scope.index()].records, name) {
            return;
        }
        let calls = self.calls_to_record(name);
        let record = &mut self.operations[op.index()].record;
        record.attempt = record.attempt.saturating_add(1);
        record.payload = Some(payload);
        record.handle = calls;
        record.ended_at = Some(now);
        self.published.unwritten_since.get_or_insert(now);
        self.enqueue(op, false);
    }

    /// Returns when the oldest value that is not written was published.
    pub(super) fn oldest_unwritten_value(&self) -> Option<Timestamp> {
        self.published.unwritten_since
    }

    /// Notes that the batch to be sent holds everything published so far.
    pub(super) fn values_sent(&mut self) {
        self.published.unwritten_since = None;
    }

    /// Counts a call. Returns whether the record already reflects it.
    fn is_repeated(&mut self, scope: OperationId, name: &str) -> bool {
        let has_ended = self.has_ended_before(scope);
        let Some(name) = self.published_name(name) else {
            return false;
        };
        let calls = name.calls.entry(*scope.as_bytes()).or_default();
        calls.made += 1;
        if calls.made <= calls.recorded || has_ended {
            return true;
        }
        calls.recorded = calls.made;
        false
    }

    /// Returns whether an earlier invocation has recorded the end of this scope.
    fn has_ended_before(&mut self, scope: OperationId) -> bool {
        let op = self.index().get(&scope).copied();
        op.is_some_and(|op| {
            let state = &self.operations[op.index()];
            state.is_recorded() && state.record.status.is_terminal()
        })
    }

    /// Returns the text that keeps the numbers of calls in scopes that have not ended, and forgets the others.
    fn calls_to_record(&mut self, name: &str) -> Option<String> {
        let mut calls = std::mem::take(&mut self.published_name(name)?.calls);
        calls.retain(|scope, _| {
            let op = self.index().get(&OperationId::from_bytes(*scope)).copied();
            op.is_none_or(|op| !self.operations[op.index()].record.status.is_terminal())
        });
        let name = self.published_name(name)?;
        name.calls = calls;
        Some(encode(&name.calls))
    }

    fn published_name(&mut self, name: &str) -> Option<&mut Name> {
        self.published.names.as_mut()?.get_mut(name)
    }

    /// Returns the record of a name, and creates it if there is none.
    fn published_op(&mut self, name: &str, now: Timestamp) -> OpIndex {
        let operations = &self.operations;
        let names = self.published.names.get_or_insert_with(|| {
            let ops = operations.iter().enumerate();
            let names = ops.filter_map(|(index, state)| {
                let name = state.record.published_name()?.to_owned();
                let (op, calls) = (OpIndex::new(index), decode(state.record.handle.as_deref()));
                Some((name, Name { op, calls }))
            });
            names.collect()
        });
        if let Some(known) = names.get(name) {
            return known.op;
        }
        let root = OperationId::ROOT;
        let occurrence = Occurrence::Keyed(name.to_owned());
        let id = OperationId::of(root, PUBLISHED, &occurrence);
        let mut record = Record::started(0, id, root, Kind::Record, PUBLISHED, occurrence, now);
        record.status = Status::Succeeded;
        let op = self.add_internal(record);
        let calls = BTreeMap::new();
        if let Some(names) = &mut self.published.names {
            names.insert(name.to_owned(), Name { op, calls });
        }
        op
    }
}

/// Writes numbers of calls as `scope:number`, separated by spaces.
fn encode(calls: &BTreeMap<[u8; 16], Calls>) -> String {
    let calls = calls.iter().map(|(scope, calls)| {
        let scope = u128::from_be_bytes(*scope);
        format!("{scope:x}:{}", calls.recorded)
    });
    calls.collect::<Vec<_>>().join(" ")
}

/// Reads what [`encode`] has written, and skips what it cannot have written.
fn decode(text: Option<&str>) -> BTreeMap<[u8; 16], Calls> {
    let calls = text.unwrap_or_default().split(' ').filter_map(|part| {
        let (scope, recorded) = part.split_once(':')?;
        let scope = u128::from_str_radix(scope, 16).ok()?.to_be_bytes();
        let recorded = recorded.parse().ok()?;
        Some((scope, Calls { recorded, made: 0 }))
    });
    calls.collect()
}
