//! From the service's operations to records.

use std::time::Duration;

use durable_core::store::{StoreError, StoreErrorKind};
use durable_core::{ErrorKind, Kind, Occurrence, OperationId, Payload, Record, Timestamp};

use super::error::from_object;
use super::{ErrorObject, Operation, Status, Time, Type, from_text};

/// Space between the orders of two records.
const SPACING: u64 = 1 << 20;
/// A body that was cut off is counted from this age of its START on: before, the note of it would cost more than the
/// few times that it can run.
const COUNTED_FROM: Duration = Duration::from_secs(60);

/// The identity behind an operation's id; other ids than ours stand for operations that nothing asks for.
pub(crate) fn id_of(wire: &str) -> OperationId {
    let mut bytes = [0; 16];
    let digits = wire.as_bytes();
    let ours = digits.len() == 32 && digits.is_ascii();
    for (at, byte) in bytes.iter_mut().enumerate().take_while(|_| ours) {
        match u8::from_str_radix(&wire[2 * at..2 * at + 2], 16) {
            Ok(value) => *byte = value,
            Err(_) => return foreign(wire),
        }
    }
    if ours {
        OperationId::from_bytes(bytes)
    } else {
        foreign(wire)
    }
}

fn foreign(wire: &str) -> OperationId {
    OperationId::of(
        OperationId::ROOT,
        "#foreign",
        &Occurrence::Keyed(wire.to_owned()),
    )
}

/// What an operation does, as its type and sub type say.
pub(crate) fn kind_of(operation: &Operation) -> Option<Kind> {
    let sub = operation.sub_type.as_deref().unwrap_or_default();
    Some(match (operation.kind, sub) {
        (Type::Step, "Record" | "CutOff" | "Count") => Kind::Record,
        (Type::Step, "WaitForCondition") => Kind::Poll,
        (Type::Step, "Batch") => Kind::Batch,
        (Type::Step, "Undo") => Kind::Undo,
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

/// The record of an operation, the `seq`-th of its execution, as of now.
pub(crate) fn record_of(
    operation: Operation,
    seq: u64,
    now: Timestamp,
) -> Result<Record, StoreError> {
    let written = operation.name.clone().unwrap_or_default();
    let unknown = |what: &str| {
        StoreError::new(
            StoreErrorKind::TooNew,
            format!(
                "operation `{written}` ({}) has a {what} that this release does not know: deploy a newer one",
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
        .map_or(OperationId::ROOT, id_of);
    let started_at = operation.start_timestamp.map_or(now, at);
    let name = name_of(&operation, &written);
    let mut record = Record::started(
        seq,
        id_of(&operation.id),
        parent,
        kind,
        name,
        Occurrence::Once,
        started_at,
    );
    record.order = seq * SPACING;
    record.status = status_of(operation.status);
    record.ended_at = operation.end_timestamp.map(at);
    record.label = Some(written);
    details(&mut record, operation);
    let age = now.since(started_at);
    if record.status == durable_core::Status::Started && age >= COUNTED_FROM {
        record.interruptions = 1;
    }
    Ok(record)
}

fn at(time: Time) -> Timestamp {
    time.0
}

/// The name without key; of what the engine makes for itself, as the engine knows it.
fn name_of(operation: &Operation, written: &str) -> String {
    match operation.sub_type.as_deref() {
        Some(sub @ ("Slice" | "Continue" | "CutOff" | "Count")) => {
            format!("#{}", sub.to_lowercase())
        }
        _ => {
            let keyed = written
                .strip_suffix(']')
                .and_then(|rest| rest.split_once('['));
            keyed.map_or(written, |(name, _)| name).to_owned()
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

/// Takes over what depends on the type.
fn details(record: &mut Record, operation: Operation) {
    let status = operation.status;
    match operation.kind {
        Type::Step => {
            let details = operation.step_details.unwrap_or_default();
            let finished = details.attempt.unwrap_or_default();
            record.attempt = finished + u32::from(status == Status::Started);
            if status == Status::Pending {
                record.due_at = details.next_attempt_timestamp.map(at);
            }
            // A check that is repeated has left its state.
            if details.result.is_some() || status == Status::Succeeded {
                record.payload = Some(from_text(details.result.unwrap_or_default()));
            }
            record.error = error(details.error, status, record);
        }
        Type::Wait => {
            record.due_at = operation
                .wait_details
                .and_then(|details| details.scheduled_end_timestamp)
                .filter(|_| !status.is_terminal())
                .map(at);
        }
        Type::Context => {
            let details = operation.context_details.unwrap_or_default();
            let rebuilt = details.replay_children == Some(true);
            let text = details.result.filter(|text| !(rebuilt && text.is_empty()));
            if status == Status::Succeeded && (text.is_some() || !rebuilt) {
                record.payload = Some(from_text(text.unwrap_or_default()));
            }
            record.error = error(details.error, status, record);
        }
        Type::Callback => {
            let details = operation.callback_details.unwrap_or_default();
            record.handle = details.callback_id;
            outcome(record, status, details.result, details.error);
        }
        Type::ChainedInvoke => {
            let details = operation.chained_invoke_details.unwrap_or_default();
            outcome(record, status, details.result, details.error);
        }
        Type::Execution | Type::Unknown => {}
    }
    if record.kind == Kind::Batch {
        batch(record);
    }
}

fn outcome(
    record: &mut Record,
    status: Status,
    result: Option<String>,
    failed: Option<ErrorObject>,
) {
    if status == Status::Succeeded {
        record.payload = Some(from_text(result.unwrap_or_default()));
    }
    record.error = error(failed, status, record);
}

fn error(
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
    Some(from_object(object, kind, &record.written()))
}

/// A batch says which items it covers in its name, and once it has ended with its value.
fn batch(record: &mut Record) {
    let written = record.written();
    let named = written
        .strip_suffix(']')
        .and_then(|rest| rest.rsplit_once(".."));
    record.extent = named.and_then(|(_, end)| end.parse().ok());
    let Some(kept) = record.payload.take() else {
        return;
    };
    let Some(kept) = Items::read(&kept.data) else {
        record.payload = Some(kept);
        return;
    };
    record.extent = Some(kept.end);
    if let Some(ended) = record.ended_at {
        let millis = i64::try_from(kept.millis).unwrap_or(i64::MAX);
        record.started_at = Timestamp::from_millis(ended.as_millis().saturating_sub(millis));
    }
    record.payload = Some(kept.value);
}

/// The value of a batch with the index after its last item and the time that it took.
pub(super) struct Items {
    end: u64,
    millis: u64,
    value: Payload,
}

impl Items {
    fn read(data: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(data).ok()?;
        let (head, value) = text.split_once('\n')?;
        let (end, millis) = head.strip_prefix("items ..")?.split_once(" in ")?;
        Some(Self {
            end: end.parse().ok()?,
            millis: millis.strip_suffix(" ms")?.parse().ok()?,
            value: from_text(value.to_owned()),
        })
    }

    /// The text that [`Items::read`] takes apart.
    pub(super) fn write(record: &Record, value: &str) -> String {
        let ended = record.ended_at.unwrap_or(record.started_at);
        let millis = (ended.as_millis() - record.started_at.as_millis()).max(0);
        let end = record.extent.unwrap_or_default();
        format!("items ..{end} in {millis} ms\n{value}")
    }
}
