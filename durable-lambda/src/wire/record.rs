//! Conversion of the service's operations to records.

use std::time::Duration;

use durable_core::store::{StoreError, StoreErrorKind};
use durable_core::{ErrorKind, Kind, Occurrence, OperationId, Payload, Record, Timestamp};

use super::error::from_object;
use super::{ErrorObject, Operation, Status, Time, Type, from_text};

/// Gap between the orders of two records, which leaves room for records in between.
const ORDER_GAP: u64 = 1 << 20;
/// Age of a started body from which its interruption is counted. A younger one could rerun only a few times, which
/// costs less than recording the count.
const MIN_INTERRUPTED_AGE: Duration = Duration::from_secs(60);

/// Parses an operation's id. An id of another format maps to one that no call site has.
pub(crate) fn parse_id(wire: &str) -> OperationId {
    let mut bytes = [0; 16];
    let digits = wire.as_bytes();
    let is_own = digits.len() == 32 && digits.is_ascii();
    for (at, byte) in bytes.iter_mut().enumerate().take_while(|_| is_own) {
        match u8::from_str_radix(&wire[2 * at..2 * at + 2], 16) {
            Ok(value) => *byte = value,
            Err(_) => return foreign_id(wire),
        }
    }
    if is_own {
        OperationId::from_bytes(bytes)
    } else {
        foreign_id(wire)
    }
}

fn foreign_id(wire: &str) -> OperationId {
    OperationId::of(
        OperationId::ROOT,
        "#foreign",
        &Occurrence::Keyed(wire.to_owned()),
    )
}

/// Derives an operation's kind from its type and subtype.
pub(crate) fn kind_of(operation: &Operation) -> Option<Kind> {
    let sub = operation.sub_type.as_deref().unwrap_or_default();
    Some(match (operation.kind, sub) {
        (Type::Step, "Record" | "CutOff" | "Count") => Kind::Record,
        (Type::Step, "WaitForCondition") => Kind::Poll,
        (Type::Step, "Batch") => Kind::Batch,
        (Type::Step, "Undo") => Kind::Undo,
        (Type::Step, "Receive") => Kind::Receive,
        (Type::Step, "Send") => Kind::SendMessage,
        (Type::Step, _) => Kind::Step,
        (Type::Wait, _) => Kind::Wait,
        (Type::Context, "Call") => Kind::Call,
        (Type::Context, "Map") => Kind::Map,
        (Type::Context, "Parallel") => Kind::Parallel,
        (Type::Context, "MapIteration" | "ParallelBranch") => Kind::Branch,
        (Type::Context, "Race") => Kind::Race,
        (Type::Context, "WaitForCallback") => Kind::WaitForCallback,
        (Type::Context, _) => Kind::Scope,
        (Type::Callback, _) => Kind::Callback,
        (Type::ChainedInvoke, _) => Kind::Invoke,
        (Type::Execution | Type::Unknown, _) => return None,
    })
}

/// Converts the `seq`-th operation of an execution to its record at the time `now`.
pub(crate) fn to_record(
    operation: Operation,
    seq: u64,
    now: Timestamp,
) -> Result<Record, StoreError> {
    let display_name = operation.name.clone().unwrap_or_default();
    let unknown = |field: &str| {
        StoreError::new(
            StoreErrorKind::TooNew,
            format!(
                "operation `{display_name}` ({}) has an unknown {field}: deploy a newer release of durably-lambda",
                operation.id
            ),
        )
    };
    let kind = kind_of(&operation).ok_or_else(|| unknown("type"))?;
    if operation.status == Status::Unknown {
        return Err(unknown("status"));
    }
    let parent = operation
        .parent_id
        .as_deref()
        .map_or(OperationId::ROOT, parse_id);
    let started_at = operation.start_timestamp.map_or(now, timestamp);
    let name = name_of(&operation, &display_name);
    let mut record = Record::started(
        seq,
        parse_id(&operation.id),
        parent,
        kind,
        name,
        Occurrence::Once,
        started_at,
    );
    record.order = seq * ORDER_GAP;
    record.status = status_of(operation.status);
    record.ended_at = operation.end_timestamp.map(timestamp);
    record.label = Some(display_name);
    set_details(&mut record, operation);
    let age = now.since(started_at);
    if record.status == durable_core::Status::Started && age >= MIN_INTERRUPTED_AGE {
        record.interruptions = 1;
    }
    Ok(record)
}

fn timestamp(time: Time) -> Timestamp {
    time.0
}

/// Returns the name without its key. Operations of the engine itself get their internal `#` names.
fn name_of(operation: &Operation, display_name: &str) -> String {
    match operation.sub_type.as_deref() {
        Some(sub @ ("Slice" | "Continue" | "CutOff" | "Count")) => {
            format!("#{}", sub.to_lowercase())
        }
        _ => {
            let keyed = display_name
                .strip_suffix(']')
                .and_then(|rest| rest.split_once('['));
            keyed.map_or(display_name, |(name, _)| name).to_owned()
        }
    }
}

fn status_of(status: Status) -> durable_core::Status {
    match status {
        Status::Started | Status::Unknown => durable_core::Status::Started,
        Status::Pending | Status::Ready => durable_core::Status::Pending,
        Status::Succeeded => durable_core::Status::Succeeded,
        Status::Cancelled => durable_core::Status::Cancelled,
        Status::Failed | Status::TimedOut | Status::Stopped => durable_core::Status::Failed,
    }
}

/// Sets the fields that depend on the operation's type.
fn set_details(record: &mut Record, operation: Operation) {
    let status = operation.status;
    match operation.kind {
        Type::Step => {
            let details = operation.step_details.unwrap_or_default();
            let finished = details.attempt.unwrap_or_default();
            record.attempt = finished + u32::from(status == Status::Started);
            if status == Status::Pending {
                record.due_at = details.next_attempt_timestamp.map(timestamp);
            }
            // A poll that is not finished stores the state of its last check as its result.
            if details.result.is_some() || status == Status::Succeeded {
                record.payload = Some(from_text(details.result.unwrap_or_default()));
            }
            record.error = operation_error(details.error, status, record);
        }
        Type::Wait => {
            record.due_at = operation
                .wait_details
                .and_then(|details| details.scheduled_end_timestamp)
                .filter(|_| !status.is_terminal())
                .map(timestamp);
        }
        Type::Context => {
            let details = operation.context_details.unwrap_or_default();
            let replays_children = details.replay_children == Some(true);
            let text = details
                .result
                .filter(|text| !(replays_children && text.is_empty()));
            if status == Status::Succeeded && (text.is_some() || !replays_children) {
                record.payload = Some(from_text(text.unwrap_or_default()));
            }
            record.error = operation_error(details.error, status, record);
        }
        Type::Callback => {
            let details = operation.callback_details.unwrap_or_default();
            record.handle = details.callback_id;
            set_outcome(record, status, details.result, details.error);
        }
        Type::ChainedInvoke => {
            let details = operation.chained_invoke_details.unwrap_or_default();
            set_outcome(record, status, details.result, details.error);
        }
        Type::Execution | Type::Unknown => {}
    }
    if record.kind == Kind::Batch {
        set_batch_details(record);
    }
}

fn set_outcome(
    record: &mut Record,
    status: Status,
    result: Option<String>,
    error: Option<ErrorObject>,
) {
    if status == Status::Succeeded {
        record.payload = Some(from_text(result.unwrap_or_default()));
    }
    record.error = operation_error(error, status, record);
}

fn operation_error(
    object: Option<ErrorObject>,
    status: Status,
    record: &Record,
) -> Option<durable_core::OperationError> {
    let kind = match status {
        Status::TimedOut => ErrorKind::TimedOut,
        Status::Stopped => ErrorKind::Cancelled,
        Status::Failed | Status::Pending | Status::Ready => ErrorKind::Failed,
        _ => return None,
    };
    let ended = record.status == durable_core::Status::Failed;
    let object = match object {
        None if ended => ErrorObject::default(),
        other => other?,
    };
    Some(from_object(object, kind, &record.display_name()))
}

/// Sets the extent of a batch: planned from its display name, actual from its result once it has ended.
fn set_batch_details(record: &mut Record) {
    let display_name = record.display_name();
    let range = display_name
        .strip_suffix(']')
        .and_then(|rest| rest.rsplit_once(".."));
    record.extent = range.and_then(|(_, end)| end.parse().ok());
    let Some(payload) = record.payload.take() else {
        return;
    };
    let Some(result) = BatchResult::parse(&payload.data) else {
        record.payload = Some(payload);
        return;
    };
    record.extent = Some(result.end);
    if let Some(ended) = record.ended_at {
        let millis = i64::try_from(result.millis).unwrap_or(i64::MAX);
        record.started_at = Timestamp::from_millis(ended.as_millis().saturating_sub(millis));
    }
    record.payload = Some(result.value);
}

/// Stored result of a batch: its value, the index after its last item, and its duration in milliseconds.
pub(super) struct BatchResult {
    end: u64,
    millis: u64,
    value: Payload,
}

impl BatchResult {
    fn parse(data: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(data).ok()?;
        let (head, value) = text.split_once('\n')?;
        let (end, millis) = head.strip_prefix("items ..")?.split_once(" in ")?;
        Some(Self {
            end: end.parse().ok()?,
            millis: millis.strip_suffix(" ms")?.parse().ok()?,
            value: from_text(value.to_owned()),
        })
    }

    /// Formats the text that [`BatchResult::parse`] parses.
    pub(super) fn format(record: &Record, value: &str) -> String {
        let ended = record.ended_at.unwrap_or(record.started_at);
        let millis = (ended.as_millis() - record.started_at.as_millis()).max(0);
        let end = record.extent.unwrap_or_default();
        format!("items ..{end} in {millis} ms\n{value}")
    }
}
