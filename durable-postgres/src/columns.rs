//! Records and executions as arrays of columns: one statement writes any number of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use durable_core::error::OperationError;
use durable_core::store::{Execution, StoreError, StoreErrorKind};
use durable_core::{Occurrence, OperationId, Record, Timestamp};

use crate::checksums;
use crate::connection::{Param, params, values};
use crate::text::stored;

/// Columns of `records`, in the order of [`Records::params`].
macro_rules! written_columns {
    () => {
        "execution, seq, ord, started_at, ended_at, due_at, turn, deadline, heartbeat, extent, attempt, interruptions, \
         checksum, secret, id, parent, kind, name, item, label, status, source, value_type, codec, data, error, handle, \
         fingerprint, state_type"
    };
}
pub(crate) use written_columns;

/// Replaces every column but the key, unless an external event has settled the operation.
macro_rules! replace_unless_settled {
    () => {
        "ON CONFLICT (execution, seq) DO UPDATE SET ord = excluded.ord, started_at = excluded.started_at, ended_at = \
         excluded.ended_at, due_at = excluded.due_at, turn = excluded.turn, deadline = excluded.deadline, heartbeat = \
         excluded.heartbeat, extent = excluded.extent, attempt = excluded.attempt, interruptions = \
         excluded.interruptions, checksum = excluded.checksum, secret = excluded.secret, id = excluded.id, parent = \
         excluded.parent, kind = excluded.kind, name = excluded.name, item = excluded.item, label = excluded.label, \
         status = excluded.status, source = excluded.source, value_type = excluded.value_type, codec = excluded.codec, \
         data = excluded.data, error = excluded.error, handle = excluded.handle, fingerprint = excluded.fingerprint, state_type = excluded.state_type \
         WHERE r.kind NOT IN ('callback', 'invoke') OR r.status NOT IN ('succeeded', 'failed', 'cancelled')"
    };
}
pub(crate) use replace_unless_settled;

/// Columns of records of any number of executions.
#[derive(Default)]
pub(crate) struct Records<'a> {
    execution: Vec<i64>,
    seq: Vec<i64>,
    order: Vec<i64>,
    started_at: Vec<i64>,
    ended_at: Vec<Option<i64>>,
    due_at: Vec<Option<i64>>,
    turn: Vec<Option<i64>>,
    deadline: Vec<Option<i64>>,
    heartbeat: Vec<Option<i64>>,
    extent: Vec<Option<i64>>,
    attempt: Vec<i32>,
    interruptions: Vec<i32>,
    checksum: Vec<Option<i32>>,
    secret: Vec<bool>,
    id: Vec<&'a [u8]>,
    parent: Vec<Option<&'a [u8]>>,
    kind: Vec<&'a str>,
    name: Vec<Cow<'a, str>>,
    item: Vec<Option<Cow<'a, str>>>,
    label: Vec<Option<Cow<'a, str>>>,
    status: Vec<&'a str>,
    source: Vec<Cow<'a, str>>,
    value_type: Vec<Option<Cow<'a, str>>>,
    codec: Vec<Option<Cow<'a, str>>>,
    data: Vec<Option<&'a [u8]>>,
    error: Vec<Option<String>>,
    handle: Vec<Option<Cow<'a, str>>>,
    fingerprint: Vec<Option<&'a [u8]>>,
    state_type: Vec<Option<Cow<'a, str>>>,
}

impl<'a> Records<'a> {
    /// Adds the records of one batch. The last of several with the same position wins, unless an
    /// earlier one was settled by an external event.
    pub(crate) fn extend(
        &mut self,
        execution: i64,
        records: &'a [Record],
    ) -> Result<(), StoreError> {
        if records.is_sorted_by(|a, b| a.seq < b.seq) {
            return records
                .iter()
                .try_for_each(|record| self.push(execution, record));
        }
        let closed = |record: &Record| record.kind.is_external() && record.status.is_terminal();
        let mut last = BTreeMap::new();
        for record in records {
            let kept = last.entry(record.seq).or_insert(record);
            if !closed(kept) {
                *kept = record;
            }
        }
        last.into_values()
            .try_for_each(|record| self.push(execution, record))
    }

    fn push(&mut self, execution: i64, record: &'a Record) -> Result<(), StoreError> {
        let (turn, item) = match &record.occurrence {
            Occurrence::Once => (None, None),
            Occurrence::Ordered(turn) => (Some(turn.cast_signed()), None),
            Occurrence::Keyed(key) => (None, Some(stored(key))),
        };
        self.execution.push(execution);
        self.seq.push(position(record.seq));
        self.order.push(record.order.cast_signed());
        self.started_at.push(record.started_at.as_millis());
        self.ended_at
            .push(record.ended_at.map(Timestamp::as_millis));
        self.due_at.push(record.due_at.map(Timestamp::as_millis));
        self.turn.push(turn);
        self.deadline
            .push(record.deadline.map(Timestamp::as_millis));
        self.heartbeat.push(record.heartbeat.map(nanoseconds));
        self.extent.push(record.extent.map(u64::cast_signed));
        self.attempt.push(record.attempt.cast_signed());
        self.interruptions.push(record.interruptions.cast_signed());
        let error = record.error.as_ref().map(encode_error).transpose()?;
        let sum = checksums::of_record(record, error.as_deref());
        self.checksum.push(Some(sum));
        self.secret.push(record.secret);
        self.id.push(record.id.as_bytes());
        let inside = record.parent != OperationId::ROOT;
        self.parent
            .push(inside.then(|| record.parent.as_bytes().as_slice()));
        self.kind.push(record.kind.as_str());
        self.name.push(stored(&record.name));
        self.item.push(item);
        self.label.push(record.label.as_deref().map(stored));
        self.status.push(record.status.as_str());
        self.source.push(stored(&record.source));
        self.value_type
            .push(record.value_type.as_deref().map(stored));
        let payload = record.payload.as_ref();
        self.codec
            .push(payload.map(|payload| stored(&payload.codec)));
        self.data.push(payload.map(|payload| &payload.data[..]));
        self.error.push(error);
        self.handle.push(record.handle.as_deref().map(stored));
        self.state_type
            .push(record.state_type.as_deref().map(stored));
        let print = record.fingerprint.as_ref();
        self.fingerprint
            .push(print.map(|print| print.as_bytes().as_slice()));
        Ok(())
    }

    pub(crate) fn params(&self) -> [Param<'_>; 29] {
        let all: &[Param<'_>; 29] = params![
            self.execution => INT8_ARRAY, self.seq => INT8_ARRAY, self.order => INT8_ARRAY,
            self.started_at => INT8_ARRAY, self.ended_at => INT8_ARRAY, self.due_at => INT8_ARRAY,
            self.turn => INT8_ARRAY, self.deadline => INT8_ARRAY, self.heartbeat => INT8_ARRAY,
            self.extent => INT8_ARRAY, self.attempt => INT4_ARRAY, self.interruptions => INT4_ARRAY,
            self.checksum => INT4_ARRAY, self.secret => BOOL_ARRAY, self.id => BYTEA_ARRAY,
            self.parent => BYTEA_ARRAY, self.kind => TEXT_ARRAY, self.name => TEXT_ARRAY,
            self.item => TEXT_ARRAY, self.label => TEXT_ARRAY, self.status => TEXT_ARRAY,
            self.source => TEXT_ARRAY, self.value_type => TEXT_ARRAY, self.codec => TEXT_ARRAY,
            self.data => BYTEA_ARRAY, self.error => TEXT_ARRAY, self.handle => TEXT_ARRAY,
            self.fingerprint => BYTEA_ARRAY, self.state_type => TEXT_ARRAY,
        ];
        all.clone()
    }

    /// The columns as scalars, if there is exactly one record.
    pub(crate) fn only(&self) -> Option<[Param<'_>; 29]> {
        let [_] = self.seq[..] else {
            return None;
        };
        let all: &[Param<'_>; 29] = values![
            self.execution.first()? => INT8,
            self.seq.first()? => INT8,
            self.order.first()? => INT8,
            self.started_at.first()? => INT8,
            self.ended_at.first()? => INT8,
            self.due_at.first()? => INT8,
            self.turn.first()? => INT8,
            self.deadline.first()? => INT8,
            self.heartbeat.first()? => INT8,
            self.extent.first()? => INT8,
            self.attempt.first()? => INT4,
            self.interruptions.first()? => INT4,
            self.checksum.first()? => INT4,
            self.secret.first()? => BOOL,
            self.id.first()? => BYTEA,
            self.parent.first()? => BYTEA,
            self.kind.first()? => TEXT,
            self.name.first()? => TEXT,
            self.item.first()? => TEXT,
            self.label.first()? => TEXT,
            self.status.first()? => TEXT,
            self.source.first()? => TEXT,
            self.value_type.first()? => TEXT,
            self.codec.first()? => TEXT,
            self.data.first()? => BYTEA,
            self.error.first()? => TEXT,
            self.handle.first()? => TEXT,
            self.fingerprint.first()? => BYTEA,
            self.state_type.first()? => TEXT,
        ];
        Some(all.clone())
    }
}

/// Epoch of keys: 1 January 2025. Keys fit their column until 2094.
const KEY_EPOCH: u64 = 1_735_689_600_000;

/// Generates a unique key without a query: milliseconds, then random bits. Keys of one process
/// increase.
pub(crate) fn new_key() -> i64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let since = u64::try_from(now.as_millis()).unwrap_or_default();
    let milliseconds = since.saturating_sub(KEY_EPOCH) & ((1 << 41) - 1);
    let candidate = milliseconds << 22 | fastrand::u64(..1 << 22);
    let step = fastrand::u64(1..1 << 8);
    let next = |last: u64| candidate.max(last + step);
    let before = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
        Some(next(last))
    });
    next(before.unwrap_or_default()).cast_signed()
}

/// Values of the columns `due` and `enqueued` of an execution.
pub(crate) fn due(execution: &Execution) -> (Option<i64>, Option<i64>) {
    let at = execution.due_at().map(Timestamp::as_millis);
    if execution.waits_in_queue() {
        (None, at)
    } else {
        (at, None)
    }
}

/// Converts a position in a history to a database integer.
pub(crate) fn position(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// Whole nanoseconds, capped at 292 years.
fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

pub(crate) fn encode_error(error: &OperationError) -> Result<String, StoreError> {
    serde_json::to_string(error).map_err(|error| {
        let message = format!("cannot encode an error as JSON: {error}");
        StoreError::new(StoreErrorKind::TooLarge, message)
    })
}
