//! What batches say about messages, as arrays of columns.

use std::collections::BTreeMap;

use durable_core::Status;

use super::Checkpoint;
use crate::columns::position;
use crate::connection::{Param, params};

/// Messages that batches of any number of executions receive, and those that they ask for.
#[derive(Default)]
pub(super) struct Inbox {
    execution: Vec<i64>,
    number: Vec<i64>,
    /// Position of the receiving operation, `None` for a message that waits again.
    receiver: Vec<Option<i64>>,
    asking: Vec<i64>,
    after: Vec<i64>,
}

impl Inbox {
    /// Adds a batch. The last of several records about one message wins.
    pub(super) fn push(&mut self, checkpoint: &Checkpoint) {
        let (key, batch) = (checkpoint.token.key, &checkpoint.batch);
        if let Some(after) = batch.messages_after {
            self.asking.push(key);
            self.after.push(position(after));
        }
        let mut marks = BTreeMap::new();
        for record in &batch.records {
            if let Some(number) = record.received_message() {
                let receiver = record.status == Status::Succeeded;
                marks.insert(number, receiver.then(|| position(record.seq)));
            }
        }
        for (number, receiver) in marks {
            self.execution.push(key);
            self.number.push(position(number));
            self.receiver.push(receiver);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.execution.is_empty() && self.asking.is_empty()
    }

    pub(super) fn params(&self) -> [Param<'_>; 5] {
        let all: &[Param<'_>; 5] = params![
            self.execution => INT8_ARRAY, self.number => INT8_ARRAY, self.receiver => INT8_ARRAY,
            self.asking => INT8_ARRAY, self.after => INT8_ARRAY,
        ];
        all.clone()
    }

    /// The number after which the only batch asks for messages, and the message that it receives with the position of the
    /// receiving operation.
    pub(super) fn only(&self) -> [Option<i64>; 3] {
        let receiver = self.receiver.first().copied().flatten();
        [
            self.after.first().copied(),
            self.number.first().copied(),
            receiver,
        ]
    }
}
