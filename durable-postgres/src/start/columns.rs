//! Executions to start, as arrays of columns: one statement inserts any number of them.

use std::borrow::Cow;

use durable_core::store::{Execution, ForkedFrom};
use durable_core::{Timestamp, TraceParent};

use crate::checksums;
use crate::columns::{due, position};
use crate::connection::{Conn, Param, params};
use crate::error::Fault;
use crate::text::stored;

macro_rules! start {
    ($returned:literal) => {
        concat!(
            "INSERT INTO @.executions (key, id, handler, status, input_codec, input, input_checksum, created_at, updated_at, \
             parent, parent_seq, parent_operation, start_at, queue, queue_key, priority, admitted, due, enqueued, input_type, \
             labels, forked_from, wake_at, trace) SELECT key, id, handler, status, input_codec, input, checksum, created_at, created_at, parent, \
             parent_seq, parent_operation, start_at, queue, queue_key, priority, admitted, due, enqueued, input_type, labels, forked_from, \
             wake_at, trace \
             FROM unnest((SELECT $1::int8[]), $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::int4[], $8::int8[], \
             $9::text[], $10::int8[], $11::bytea[], $12::int8[], $13::text[], $14::text[], $15::int4[], $16::bool[], \
             $17::int8[], $18::int8[], $19::text[], $20::text[], $21::text[], $22::int8[], $23::text[]) AS new (key, id, handler, status, input_codec, input, \
             checksum, created_at, parent, parent_seq, parent_operation, start_at, queue, queue_key, priority, admitted, \
             due, enqueued, input_type, labels, forked_from, wake_at, trace) ORDER BY id ON CONFLICT DO NOTHING RETURNING ",
            $returned
        )
    };
}

const START: &str = start!("key");

/// Also adds the new executions to the index of labels.
const START_LABELLED: &str = concat!(
    "WITH started AS (",
    start!("key, id"),
    "), indexed AS (INSERT INTO @.labels (label, value, execution_id, execution) SELECT l.label, l.value, s.id, s.key FROM \
     unnest((SELECT $24::int8[]), $25::text[], $26::text[]) AS l (key, label, value) JOIN started s ON s.key = l.key) \
     SELECT key FROM started"
);

/// Columns of executions that are started together.
#[derive(Default)]
pub(crate) struct Starts<'a> {
    key: Vec<i64>,
    id: Vec<&'a str>,
    handler: Vec<Cow<'a, str>>,
    status: Vec<&'a str>,
    input_codec: Vec<Cow<'a, str>>,
    input: Vec<&'a [u8]>,
    checksum: Vec<Option<i32>>,
    created_at: Vec<i64>,
    parent: Vec<Option<&'a str>>,
    parent_seq: Vec<Option<i64>>,
    parent_operation: Vec<Option<&'a [u8]>>,
    start_at: Vec<Option<i64>>,
    queue: Vec<Option<Cow<'a, str>>>,
    queue_key: Vec<Option<Cow<'a, str>>>,
    priority: Vec<i32>,
    admitted: Vec<bool>,
    due: Vec<Option<i64>>,
    enqueued: Vec<Option<i64>>,
    input_type: Vec<Option<Cow<'a, str>>>,
    labels: Vec<Option<String>>,
    forked_from: Vec<Option<String>>,
    wake_at: Vec<Option<i64>>,
    trace: Vec<Option<&'a str>>,
    index: Index<'a>,
}

/// Rows of the index of labels, by the keys of their executions.
#[derive(Default)]
struct Index<'a> {
    key: Vec<i64>,
    label: Vec<&'a str>,
    value: Vec<Cow<'a, str>>,
}

impl<'a> Starts<'a> {
    pub(crate) fn push(&mut self, key: i64, execution: &'a Execution) {
        let (parent, entry) = (execution.parent.as_ref(), execution.queue.as_ref());
        let (due, enqueued) = due(execution);
        self.key.push(key);
        self.id.push(execution.id.as_str());
        self.handler.push(stored(&execution.handler));
        self.status.push(execution.status.as_str());
        self.input_codec.push(stored(&execution.input.codec));
        self.input.push(&execution.input.data);
        self.checksum.push(Some(checksums::of_start(execution)));
        self.created_at.push(execution.created_at.as_millis());
        self.parent
            .push(parent.map(|parent| parent.execution.as_str()));
        self.parent_seq
            .push(parent.map(|parent| position(parent.seq)));
        let operation = parent.map(|parent| parent.operation.as_bytes().as_slice());
        self.parent_operation.push(operation);
        self.start_at
            .push(execution.start_at.map(Timestamp::as_millis));
        self.queue.push(entry.map(|entry| stored(&entry.queue)));
        let queue_key = entry.and_then(|entry| entry.key.as_deref());
        self.queue_key.push(queue_key.map(stored));
        self.priority.push(entry.map_or(0, |entry| entry.priority));
        self.admitted.push(execution.admitted);
        self.due.push(due);
        self.enqueued.push(enqueued);
        let input_type = execution.input_type.as_deref();
        self.input_type.push(input_type.map(stored));
        self.labels.push(execution.labels.encode());
        let origin = execution.forked_from.as_deref();
        self.forked_from.push(origin.map(ForkedFrom::encode));
        self.wake_at
            .push(execution.wake_at.map(Timestamp::as_millis));
        let trace = execution.trace.as_ref();
        self.trace.push(trace.map(TraceParent::as_str));
        for (label, value) in execution.labels.iter() {
            self.index.key.push(key);
            self.index.label.push(label);
            self.index.value.push(stored(value));
        }
    }

    /// Inserts the executions whose ids do not exist yet. Returns the keys of those inserted.
    pub(crate) async fn insert(&self, conn: &Conn<'_>) -> Result<Vec<i64>, Fault> {
        let index = &self.index;
        let mut all = self.params().to_vec();
        let statement = if index.key.is_empty() {
            START
        } else {
            all.extend_from_slice(params![
                index.key => INT8_ARRAY, index.label => TEXT_ARRAY, index.value => TEXT_ARRAY,
            ]);
            START_LABELLED
        };
        let new = conn.query(statement, &all).await?;
        let keys = new.iter().map(|row| row.try_get(0));
        Ok(keys.collect::<Result<_, _>>()?)
    }

    fn params(&self) -> [Param<'_>; 23] {
        let all: &[Param<'_>; 23] = params![
            self.key => INT8_ARRAY, self.id => TEXT_ARRAY, self.handler => TEXT_ARRAY, self.status => TEXT_ARRAY,
            self.input_codec => TEXT_ARRAY, self.input => BYTEA_ARRAY, self.checksum => INT4_ARRAY,
            self.created_at => INT8_ARRAY, self.parent => TEXT_ARRAY, self.parent_seq => INT8_ARRAY,
            self.parent_operation => BYTEA_ARRAY, self.start_at => INT8_ARRAY, self.queue => TEXT_ARRAY,
            self.queue_key => TEXT_ARRAY, self.priority => INT4_ARRAY, self.admitted => BOOL_ARRAY,
            self.due => INT8_ARRAY, self.enqueued => INT8_ARRAY, self.input_type => TEXT_ARRAY, self.labels => TEXT_ARRAY,
            self.forked_from => TEXT_ARRAY, self.wake_at => INT8_ARRAY,
            self.trace => TEXT_ARRAY,
        ];
        all.clone()
    }
}
