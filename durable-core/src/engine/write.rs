//! What is to be written, and what the store has acknowledged.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use super::{Engine, Op};
use crate::Timestamp;
use crate::record::Record;
use crate::store::{Batch, ExecutionUpdate};

/// Changes on their way to the store, in the order in which they happened.
#[derive(Debug, Default)]
pub(super) struct Queue {
    changed: VecDeque<Op>,
    /// How many of them somebody waits for.
    urgent: bool,
    /// Bodies that began and whose START is not written.
    pub(super) started: VecDeque<(Timestamp, Op)>,
    /// What the batch under way holds.
    sent: Vec<Op>,
    batches: u64,
}

impl Engine {
    /// Queues the present state of `op`; `urgent` when it may not wait for company.
    pub(super) fn enqueue(&mut self, op: Op, urgent: bool) {
        let slot = &mut self.slots[op.index()];
        if slot.record.seq == 0 {
            slot.record.seq = self.next_seq;
            self.next_seq += 1;
            if let Some(site) = slot.site {
                slot.record.source = Cow::Owned(format!("{}:{}", site.file, site.line));
            }
        }
        slot.written = false;
        if !slot.queued {
            slot.queued = true;
            self.queue.changed.push_back(op);
        }
        self.queue.urgent |= urgent;
    }

    /// Whether something waits to be written that may not wait for company.
    pub(crate) fn has_urgent(&self) -> bool {
        self.queue.urgent
    }

    /// Bodies have run for long enough: their STARTs go alone.
    pub(crate) fn flush_starts(&mut self) {
        self.queue.urgent |= !self.queue.started.is_empty();
    }

    /// The next batch, with `update` when everything queued fits into it.
    pub(crate) fn take_batch(&mut self, update: Option<ExecutionUpdate>) -> Option<Arc<Batch>> {
        let mut records: Vec<Record> = Vec::with_capacity(self.queue.changed.len());
        let mut size = 0;
        self.queue.sent.clear();
        while let Some(op) = self.queue.changed.front().copied() {
            let slot = &mut self.slots[op.index()];
            size += slot.record.size();
            if size > self.limits.max_batch && !records.is_empty() {
                break;
            }
            slot.queued = false;
            records.push(slot.record.clone());
            self.queue.sent.push(op);
            self.queue.changed.pop_front();
        }
        let all = self.queue.changed.is_empty();
        self.queue.urgent = !all;
        if all {
            self.queue.started.clear();
        }
        let execution = if all { update } else { None };
        if records.is_empty() && execution.is_none() {
            return None;
        }
        self.queue.batches += 1;
        Some(Arc::new(Batch {
            id: self.queue.batches,
            records,
            execution,
        }))
    }

    /// The store has acknowledged the batch taken last. Answers with the operations in it: somebody
    /// may wait for them.
    pub(crate) fn acknowledge(&mut self) -> Vec<Op> {
        let sent = std::mem::take(&mut self.queue.sent);
        self.counts.batches += 1;
        self.counts.records_written += sent.len() as u64;
        for op in &sent {
            let slot = &mut self.slots[op.index()];
            slot.written |= !slot.queued;
        }
        sent
    }
}
