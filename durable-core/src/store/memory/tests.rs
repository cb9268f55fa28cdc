//! Properties that only the store in memory has.

use super::*;
use crate::model::payload::Payload;
use crate::model::record::Kind;
use crate::store::{ExecutionUpdate, HandlerBuild, Parent};
use crate::{Occurrence, OperationId};

fn new(id: &str) -> NewExecution {
    NewExecution::new(
        id.parse().unwrap(),
        "etl",
        Payload {
            codec: "json".into(),
            data: bytes::Bytes::from_static(b"null"),
        },
        Timestamp::default(),
    )
}

#[tokio::test]
async fn a_lease_ends_with_the_handle_it_was_claimed_through() {
    let store = MemoryStore::new();
    store.start(new("a")).await.unwrap();
    let (id, hour) = ("a".parse().unwrap(), Duration::from_secs(3600));
    let doomed = store.clone();
    doomed.claim(&id, Timestamp::default(), hour).await.unwrap();
    let refused = store.claim(&id, Timestamp::default(), hour).await;
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Leased);
    drop(doomed);
    let lease = store.claim(&id, Timestamp::default(), hour).await.unwrap();
    assert!(lease.was_interrupted);
}

const HOUR: Duration = Duration::from_secs(3600);

/// Ends `children` invoked executions one by one, each followed by a checkpoint of the parent. Returns how many records
/// the acknowledgements visited.
async fn settle_children(children: u64) -> usize {
    let store = MemoryStore::new();
    store.start(new("parent")).await.unwrap();
    let (id, now) = ("parent".parse().unwrap(), Timestamp::default());
    let fence = store.claim(&id, now, HOUR).await.unwrap().fence;
    let mut batch = Batch {
        id: 1,
        ..Batch::default()
    };
    for seq in 1..=children {
        let run = Occurrence::Ordered(seq);
        let operation = OperationId::of(OperationId::ROOT, "child", &run);
        let root = OperationId::ROOT;
        let record = Record::started(seq, operation, root, Kind::Invoke, "child", run, now);
        let child = new(&format!("child-{seq}")).for_parent(Parent {
            execution: id.clone(),
            seq,
            operation,
        });
        batch.records.push(record);
        batch.children.push(child);
    }
    store.checkpoint(&fence, Arc::new(batch)).await.unwrap();
    let (mut seen, mut reported) = (0, 0);
    for child in 1..=children {
        let id = format!("child-{child}").parse().unwrap();
        let fence = store.claim(&id, now, HOUR).await.unwrap().fence;
        let output = Payload::json("1");
        let batch = Batch {
            id: 1,
            execution: Some(ExecutionUpdate::Succeed { output }),
            ..Batch::default()
        };
        store.checkpoint(&fence, Arc::new(batch)).await.unwrap();
        let empty = Batch {
            id: 1 + child,
            seen,
            ..Batch::default()
        };
        let fence = fence_of(&store, "parent");
        let ack = store.checkpoint(&fence, Arc::new(empty)).await.unwrap();
        seen = ack.changes;
        reported += ack.changed_records.len();
    }
    assert_eq!(reported as u64, children, "each is reported once");
    let mut executions = store.executions();
    executions.entry(&id).unwrap().visited.get()
}

fn fence_of(store: &MemoryStore, id: &str) -> Fence {
    let id = id.parse().unwrap();
    store.with_entry(&id, |entry| Ok(entry.fence())).unwrap()
}

#[tokio::test]
async fn an_acknowledgement_visits_only_records_with_unseen_changes() {
    assert_eq!(settle_children(100).await, 100);
    assert_eq!(settle_children(400).await, 400);
}

/// Claims `count` executions one by one, beside as many that have ended and as many that are due later. Returns how
/// many executions the claims visited.
async fn claim_one_by_one(count: usize) -> usize {
    let store = MemoryStore::new();
    let now = Timestamp::default();
    for number in 0..count {
        store.start(new(&format!("now-{number}"))).await.unwrap();
        let mut later = new(&format!("later-{number}"));
        later.start_at = Some(now.after(HOUR));
        store.start(later).await.unwrap();
        store.start(new(&format!("ended-{number}"))).await.unwrap();
        let ended = format!("ended-{number}").parse().unwrap();
        store.cancel(&ended, now).await.unwrap();
    }
    let filter = WorkerFilter {
        handlers: vec![HandlerBuild {
            name: "etl".into(),
            build: "1".into(),
        }],
        queues: None,
    };
    let request = ClaimRequest {
        now,
        ttl: HOUR,
        limit: 1,
        recover: false,
    };
    for _ in 0..count {
        let claimed = store.claim_due(&filter, request).await.unwrap();
        assert_eq!(claimed.leases.len(), 1);
    }
    let none = store.claim_due(&filter, request).await.unwrap();
    assert_eq!(
        (none.leases.len(), none.next_due),
        (0, Some(now.after(HOUR)))
    );
    let executions = store.executions();
    executions.entries.visited.get()
}

#[tokio::test]
async fn a_claim_visits_only_due_executions() {
    for count in [100, 400] {
        let visited = claim_one_by_one(count).await;
        assert!(visited <= 2 * count + 2, "{visited} of {count}");
    }
}
