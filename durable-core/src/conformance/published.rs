//! Published values: one record a name, read without the rest of the history.

use super::fixture::{at, batch, id, json, start_and_claim, step};
use super::{Outcome, Store, expect_eq, expect_error};
use crate::model::record::{Kind, PUBLISHED, Record, Status};
use crate::{Occurrence, OperationId};

/// Returns the record of the `count`-th value published under a name.
fn published(seq: u64, name: &str, count: u32) -> Record {
    let (root, occurrence) = (OperationId::ROOT, Occurrence::Keyed(name.to_owned()));
    let id = OperationId::of(root, PUBLISHED, &occurrence);
    let mut record = Record::started(seq, id, root, Kind::Record, PUBLISHED, occurrence, at(1));
    (record.status, record.attempt) = (Status::Succeeded, count);
    (record.payload, record.handle) = (Some(json(count.to_string())), Some(format!("0:{count}")));
    record.ended_at = Some(at(count.into()));
    record
}

pub(super) async fn published_values_share_a_record_and_are_read_alone(store: Store) -> Outcome {
    let a = id("a")?;
    expect_error!(store.published(&a).await, NotFound, "published by nobody");
    let lease = start_and_claim(&store, "a").await?;
    expect_eq!(store.published(&a).await?, Vec::new(), "nothing published");
    let first = vec![
        step(1, "1"),
        published(2, "rows", 1),
        published(3, "stage", 1),
    ];
    store.checkpoint(&lease.fence, batch(1, first)).await?;
    let second = vec![published(2, "rows", 2), step(4, "1")];
    store.checkpoint(&lease.fence, batch(2, second)).await?;
    let expected = [published(2, "rows", 2), published(3, "stage", 1)];
    expect_eq!(store.published(&a).await?, expected, "published values");
    expect_eq!(store.history(&a).await?.len(), 4, "records");
    Ok(())
}
