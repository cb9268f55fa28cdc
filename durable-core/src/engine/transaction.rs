//! Steps in a transaction of the application's database: what tells apart their runs before and after a retry by an
//! operator.

use super::{Engine, OpIndex};
use crate::model::record::{RERUN, Record, TRANSACTION};
use crate::{Occurrence, OperationId};

/// Points from which an operator has let the execution run again: position and tag, in ascending order.
pub(super) fn reruns(records: &[Record]) -> Vec<(u64, String)> {
    let reruns = records.iter().filter(|record| record.name == RERUN);
    reruns
        .filter_map(|record| match &record.occurrence {
            Occurrence::Keyed(tag) => Some((record.seq, tag.clone())),
            _ => None,
        })
        .collect()
}

impl Engine {
    /// Notes that the body of `op` runs in a transaction. Returns its id, and a text that differs each time an operator
    /// lets it run again.
    pub(crate) fn in_transaction(&mut self, op: OpIndex) -> (OperationId, String) {
        let record = &mut self.operations[op.index()].record;
        if record.seq == 0 && record.handle.is_none() {
            record.handle = Some(TRANSACTION.to_owned());
        }
        let own = record.handle.as_deref().unwrap_or_default();
        let own = own
            .strip_prefix(TRANSACTION)
            .and_then(|tag| tag.strip_prefix('/'));
        if let Some(tag) = own {
            return (record.id, tag.to_owned());
        }
        let (id, seq) = (record.id, record.seq);
        let before = |rerun: &&(u64, String)| seq == 0 || rerun.0 < seq;
        let last = self.reruns.iter().rev().find(before);
        (id, last.map(|(_, tag)| tag.clone()).unwrap_or_default())
    }

    /// Returns whether an attempt of `op` may have committed without a record of it.
    pub(crate) fn may_have_committed(&self, op: OpIndex) -> bool {
        let recorded = self.operations[op.index()].is_recorded();
        recorded || self.was_interrupted || self.limits.service_driven
    }
}
