//! What the cases are made of.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Defect, Store};
use crate::record::{Kind, Payload, Record, Status};
use crate::store::{Batch, Execution, ExecutionUpdate, Fence, Lease, NewExecution, StoreError};
use crate::{ExecutionId, Occurrence, OperationId, Timestamp};

/// Long enough that no case outlives it by accident.
pub(super) const TTL: Duration = Duration::from_secs(60);

/// When the cases begin: not zero, so that a forgotten time is noticed.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// `NOW`, so many seconds later (or earlier).
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
    Ok(NewExecution {
        id: id(name)?,
        handler: "etl".to_owned(),
        input: json(r#"{"path":"a.csv"}"#),
        created_at: NOW,
    })
}

/// A step that ended with `value`.
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
        execution: None,
    })
}

pub(super) fn ending(id: u64, update: ExecutionUpdate) -> Arc<Batch> {
    Arc::new(Batch {
        id,
        records: Vec::new(),
        execution: Some(update),
    })
}

pub(super) fn suspend() -> ExecutionUpdate {
    ExecutionUpdate::Suspend { wake_at: None }
}

/// Starts an execution and claims it.
pub(super) async fn leased(store: &Store, name: &str) -> Result<Lease, Defect> {
    let new = new(name)?;
    let id = new.id.clone();
    store.start(new).await?;
    Ok(store.claim(&id, NOW, TTL).await?)
}

/// Claims anew once the lease has run out.
pub(super) async fn taken_over(store: &Store, lease: &Lease) -> Result<Lease, StoreError> {
    store.claim(&lease.fence.execution, at(3600), TTL).await
}

/// Everything stored of an execution, to compare before and after.
pub(super) async fn state(
    store: &Store,
    id: &ExecutionId,
) -> Result<(Execution, Vec<Record>), StoreError> {
    Ok((store.get(id).await?, store.history(id).await?))
}

/// All records as `load` gives them, page by page.
pub(super) async fn loaded(
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

/// The fence to go on with after a checkpoint.
pub(super) async fn put(
    store: &Store,
    fence: &Fence,
    batch: Arc<Batch>,
) -> Result<Fence, StoreError> {
    let ack = store.checkpoint(fence, batch).await?;
    Ok(ack.fence.unwrap_or_else(|| fence.clone()))
}
