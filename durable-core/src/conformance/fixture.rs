//! Helpers of the cases.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Defect, Outcome, Store};
use crate::model::payload::Payload;
use crate::model::record::{Completion, Kind, Record, Status};
use crate::store::{
    Ack, Batch, CallbackId, Execution, ExecutionUpdate, Fence, Lease, NewExecution, Parent,
    StoreError,
};
use crate::{ExecutionId, Occurrence, OperationId, Timestamp, TraceParent};

/// Lease duration that no case exceeds by accident.
pub(super) const TTL: Duration = Duration::from_secs(60);

/// Time at which the cases start. Not zero, so that a missing time is noticed.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// Returns the time `seconds` after (or, if negative, before) `NOW`.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis() + seconds * 1000)
}

pub(super) fn id(name: &str) -> Result<ExecutionId, Defect> {
    name.parse()
        .map_err(|invalid| Defect::new(format!("{invalid}")))
}

pub(super) fn json(data: impl Into<Bytes>) -> Payload {
    Payload {
        codec: "json".into(),
        data: data.into(),
    }
}

pub(super) fn new(name: &str) -> Result<NewExecution, Defect> {
    let input = json(r#"{"path":"a.csv"}"#);
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    Ok(NewExecution {
        trace: TraceParent::from_header(trace),
        ..NewExecution::new(id(name)?, "etl", input, NOW).with_input_type("app::Job")
    })
}

/// Returns the record of a step that succeeded with `value`.
pub(super) fn step(seq: u64, value: &str) -> Record {
    let occurrence = Occurrence::Ordered(seq);
    let id = OperationId::of(OperationId::ROOT, "load", &occurrence);
    let root = OperationId::ROOT;
    let mut record = Record::started(seq, id, root, Kind::Step, "load", occurrence, NOW);
    record.order = seq;
    record.attempt = 1;
    record.status = Status::Succeeded;
    record.ended_at = Some(at(1));
    record.payload = Some(json(value.to_owned()));
    record
}

pub(super) fn batch(id: u64, records: Vec<Record>) -> Arc<Batch> {
    Arc::new(Batch {
        id,
        records,
        children: Vec::new(),
        seen: 0,
        messages_after: None,
        execution: None,
    })
}

pub(super) fn ending(id: u64, update: ExecutionUpdate) -> Arc<Batch> {
    ending_seen(id, update, 0)
}

/// Returns a batch with an update, from a writer that has seen this many changes.
pub(super) fn ending_seen(id: u64, update: ExecutionUpdate, seen: u64) -> Arc<Batch> {
    Arc::new(Batch {
        id,
        records: Vec::new(),
        children: Vec::new(),
        seen,
        messages_after: None,
        execution: Some(update),
    })
}

/// Returns an empty batch, whose ack contains the changes after `seen`.
pub(super) fn empty_batch(id: u64, seen: u64) -> Arc<Batch> {
    Arc::new(Batch {
        id,
        records: Vec::new(),
        children: Vec::new(),
        seen,
        messages_after: None,
        execution: None,
    })
}

/// Returns the record of an operation that an external party settles.
fn external(seq: u64, kind: Kind) -> Record {
    let occurrence = Occurrence::Ordered(seq);
    let root = OperationId::ROOT;
    let id = OperationId::of(root, kind.as_str(), &occurrence);
    Record::started(seq, id, root, kind, kind.as_str(), occurrence, NOW)
}

/// Returns an open callback of the execution `name`, with its id.
pub(super) fn callback(name: &str, seq: u64) -> Result<(CallbackId, Record), Defect> {
    let mut record = external(seq, Kind::Callback);
    let id = CallbackId::unguessable(&id(name)?, seq, record.id);
    record.handle = Some(id.to_string());
    Ok((id, record))
}

/// Starts the execution `name`, whose operation 1 is a callback.
pub(super) async fn with_callback(
    store: &Store,
    name: &str,
) -> Result<(Fence, CallbackId, Record), Defect> {
    let lease = start_and_claim(store, name).await?;
    let (callback, record) = callback(name, 1)?;
    let fence = checkpoint(store, &lease.fence, batch(1, vec![record.clone()])).await?;
    Ok((fence, callback, record))
}

/// Returns operation `seq` of the execution `parent`, and the child `name` that it waits for.
pub(super) fn child(parent: &str, seq: u64, name: &str) -> Result<(Record, NewExecution), Defect> {
    let mut record = external(seq, Kind::Invoke);
    record.handle = Some(name.to_owned());
    let mut child = new(name)?;
    child.parent = Some(Parent {
        execution: id(parent)?,
        seq,
        operation: record.id,
    });
    Ok((record, child))
}

/// Starts the execution `parent`, whose operation 1 is the child `name`.
pub(super) async fn with_child(
    store: &Store,
    parent: &str,
    name: &str,
) -> Result<(Fence, Record), Defect> {
    let lease = start_and_claim(store, parent).await?;
    let (record, child) = child(parent, 1, name)?;
    let both = Batch {
        id: 1,
        records: vec![record.clone()],
        children: vec![child],
        seen: 0,
        messages_after: None,
        execution: None,
    };
    let fence = checkpoint(store, &lease.fence, both.into()).await?;
    Ok((fence, record))
}

/// Claims an execution and ends the lease with `update`.
pub(super) async fn claim_and_end(store: &Store, name: &str, update: ExecutionUpdate) -> Outcome {
    let lease = store.claim(&id(name)?, NOW, TTL).await?;
    let seen = lease.execution.changes;
    store
        .checkpoint(&lease.fence, ending_seen(1, update, seen))
        .await?;
    Ok(())
}

/// Writes a checkpoint and returns the fence to continue with, and the ack.
pub(super) async fn checkpoint_ack(
    store: &Store,
    fence: &Fence,
    batch: Arc<Batch>,
) -> Result<(Fence, Ack), StoreError> {
    let ack = store.checkpoint(fence, batch).await?;
    Ok((ack.fence.clone().unwrap_or_else(|| fence.clone()), ack))
}

/// Settles a record with an external outcome.
pub(super) fn settled(mut record: Record, outcome: &Completion, now: Timestamp) -> Record {
    record.settle(outcome, now);
    record
}

/// Removes the end time from a record that a store has settled by its own clock.
pub(super) fn without_end_time(mut record: Record) -> Record {
    record.ended_at = None;
    record
}

pub(super) fn suspend() -> ExecutionUpdate {
    ExecutionUpdate::Suspend { wake_at: None }
}

/// Starts an execution and claims it.
pub(super) async fn start_and_claim(store: &Store, name: &str) -> Result<Lease, Defect> {
    let new = new(name)?;
    let id = new.id.clone();
    store.start(new).await?;
    Ok(store.claim(&id, NOW, TTL).await?)
}

/// Claims an execution again after its lease has expired.
pub(super) async fn take_over(store: &Store, lease: &Lease) -> Result<Lease, StoreError> {
    store.claim(&lease.fence.execution, at(3600), TTL).await
}

/// Returns the stored execution and its records, to compare before and after.
pub(super) async fn stored_state(
    store: &Store,
    id: &ExecutionId,
) -> Result<(Execution, Vec<Record>), StoreError> {
    Ok((store.get(id).await?, store.history(id).await?))
}

/// Returns all records that `load` yields, page by page.
pub(super) async fn load_all(
    store: &Store,
    fence: &Fence,
    mut after: u64,
) -> Result<Vec<Record>, StoreError> {
    let mut records = Vec::new();
    loop {
        let page = store.load(fence, after).await?;
        records.extend(page.records);
        match page.next {
            Some(next) => after = next,
            None => return Ok(records),
        }
    }
}

/// Writes a checkpoint and returns the fence to continue with.
pub(super) async fn checkpoint(
    store: &Store,
    fence: &Fence,
    batch: Arc<Batch>,
) -> Result<Fence, StoreError> {
    let ack = store.checkpoint(fence, batch).await?;
    Ok(ack.fence.unwrap_or_else(|| fence.clone()))
}
