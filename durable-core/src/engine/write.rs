//! The queue of changes for the store, and its acknowledgements.

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use super::operation::Persistence;
use super::{Engine, OpIndex};
use crate::Timestamp;
use crate::model::record::{Kind, Record, Status};
use crate::store::{Ack, Batch, ExecutionUpdate, NewExecution};

/// Changes that are to be written, in the order in which they happened.
#[derive(Debug, Default)]
pub(super) struct Queue {
    changed: VecDeque<OpIndex>,
    /// Whether the next batch has to be written without delay.
    urgent: bool,
    /// Bodies that have begun and whose START is not written, with the time they began.
    pub(super) started: VecDeque<(Timestamp, OpIndex)>,
    /// Operations in the batch that is being written.
    sent: Vec<OpIndex>,
    /// The last operation in a batch.
    pub(super) last_sent: Option<OpIndex>,
    /// Executions to start in the same write as the operations that wait for them.
    pub(super) children: Vec<(OpIndex, NewExecution)>,
    batches: u64,
}

impl Engine {
    /// Queues the current state of `op`. If `urgent`, it is written without delay, otherwise with the next batch.
    pub(super) fn enqueue(&mut self, op: OpIndex, urgent: bool) {
        if self.operations[op.index()].is_unrecorded() {
            return;
        }
        self.number_record(op);
        let state = &mut self.operations[op.index()];
        if state.persistence != Persistence::Queued {
            state.persistence = Persistence::Queued;
            self.queue.changed.push_back(op);
        }
        self.queue.urgent |= urgent;
    }

    /// Gives the record of `op` its sequence number and source location, unless it has them.
    pub(super) fn number_record(&mut self, op: OpIndex) {
        let state = &mut self.operations[op.index()];
        if state.record.seq != 0 {
            return;
        }
        state.record.seq = self.next_seq;
        self.next_seq += 1;
        let scope = state.scope;
        self.scope(scope).used.operations += 1;
        let state = &mut self.operations[op.index()];
        if let Some(site) = state.site {
            state.record.source = Cow::Owned(format!("{}:{}", site.file, site.line));
        }
    }

    /// Returns whether a change has to be written without delay.
    pub(crate) fn has_urgent(&self) -> bool {
        self.queue.urgent
    }

    /// Returns whether there are changes to write.
    pub(crate) fn has_queued(&self) -> bool {
        !self.queue.changed.is_empty()
    }

    /// Lets the STARTs of running bodies and published values be written without delay.
    pub(crate) fn flush(&mut self) {
        self.queue.urgent |= self.oldest_unwritten().is_some();
    }

    /// Returns when the oldest body whose START is not written began, or the oldest value that is not written was published.
    pub(crate) fn oldest_unwritten(&self) -> Option<Timestamp> {
        let start = self.queue.started.front().map(|(began, _)| *began);
        [start, self.oldest_unwritten_value()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Removes operations that have only started from the queue, except scopes around finished ones: an invocation
    /// that is stopped records nothing that it did not finish.
    pub(crate) fn discard_starts(&mut self) {
        let mut kept = HashSet::new();
        for op in &self.queue.changed {
            if self.operations[op.index()].record.status == Status::Started {
                continue;
            }
            let mut around = Some(*op);
            while let Some(op) = around {
                kept.insert(op);
                around = self.scopes[self.operations[op.index()].scope.index()].op;
            }
        }
        let operations = &mut self.operations;
        self.queue.changed.retain(|op| {
            let stays = kept.contains(op);
            if !stays {
                operations[op.index()].dequeue();
            }
            stays
        });
        self.queue.started.clear();
    }

    /// Takes the next batch. It includes `update` if all changes fit into it.
    pub(crate) fn take_batch(&mut self, update: Option<ExecutionUpdate>) -> Option<Arc<Batch>> {
        let mut records: Vec<Record> = Vec::with_capacity(self.queue.changed.len());
        let mut size = 0;
        self.queue.sent.clear();
        while let Some(op) = self.queue.changed.front().copied() {
            let closed = self.is_closed(self.operations[op.index()].scope);
            let state = &mut self.operations[op.index()];
            // Operations in a scope that has ended are no longer written, except timers and `receive!`: no other
            // record says that they have ended or were cancelled.
            let is_timer = matches!(state.record.kind, Kind::Wait | Kind::Receive)
                && state.record.status.is_terminal();
            let is_undo = state.record.kind == Kind::Undo;
            let is_stale = state.persistence != Persistence::Queued;
            if is_stale || closed && !is_timer && !is_undo {
                state.dequeue();
                self.queue.changed.pop_front();
                continue;
            }
            let more = state.record.size();
            if size + more > self.limits.max_batch && !records.is_empty() {
                break;
            }
            size += more;
            state.dequeue();
            records.push(state.record.clone());
            self.used_by(op).bytes += more as u64;
            self.queue.sent.push(op);
            self.queue.changed.pop_front();
        }
        self.count_hidden(&mut records);
        self.quota.write(size);
        self.queue.last_sent = self.queue.sent.last().copied().or(self.queue.last_sent);
        let all = self.queue.changed.is_empty();
        self.queue.urgent = !all;
        if all {
            self.queue.started.clear();
            self.values_sent();
        }
        let execution = if all { update } else { None };
        if records.is_empty() && execution.is_none() {
            return None;
        }
        Some(self.batch(records, execution))
    }

    /// Makes an empty batch, whose acknowledgement returns the external updates.
    pub(crate) fn refresh_batch(&mut self) -> Arc<Batch> {
        self.queue.sent.clear();
        self.batch(Vec::new(), None)
    }

    fn batch(&mut self, records: Vec<Record>, execution: Option<ExecutionUpdate>) -> Arc<Batch> {
        let messages_after = self.messages_after();
        self.queue.batches += 1;
        let children = std::mem::take(&mut self.queue.children);
        let sent: HashSet<OpIndex> = match children.is_empty() {
            true => HashSet::new(),
            false => self.queue.sent.iter().copied().collect(),
        };
        let (now, later) = children.into_iter().partition(|(op, _)| sent.contains(op));
        self.queue.children = later;
        Arc::new(Batch {
            id: self.queue.batches,
            records,
            children: Vec::into_iter(now).map(|(_, child)| child).collect(),
            seen: self.seen,
            messages_after,
            execution,
        })
    }

    /// Processes the acknowledgement of the last batch. Returns the operations that may be able to continue.
    pub(crate) fn acknowledge(&mut self, ack: &Ack) -> Vec<OpIndex> {
        self.merge(ack);
        self.deliver(&ack.messages);
        let mut sent = std::mem::take(&mut self.queue.sent);
        self.counts.batches += 1;
        self.counts.records_written += sent.len() as u64;
        for op in &sent {
            let state = &mut self.operations[op.index()];
            state.acknowledge();
        }
        sent.append(&mut self.updated);
        sent
    }
}
