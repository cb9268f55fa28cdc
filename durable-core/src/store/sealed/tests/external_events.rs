//! Outcomes of child executions and callbacks.

use super::*;
use crate::model::record::Completion;
use crate::store::{
    AdminStore, CallbackId, CallbackStore, CheckpointStore as _, ExecutionStore, Filter, Parent,
    StoreErrorKind,
};

/// Returns operation `seq` of execution `parent` and the execution it invokes.
fn invoked(parent: &str, seq: u64, child: &str) -> (Record, NewExecution) {
    let mut record = step(seq, "charge", Status::Started);
    let occurrence = Occurrence::Ordered(seq);
    record.id = OperationId::of(OperationId::ROOT, "charge", &occurrence);
    (record.kind, record.occurrence) = (Kind::Invoke, occurrence);
    record.handle = Some(child.to_owned());
    let parent = Parent {
        execution: id(parent),
        seq,
        operation: record.id,
    };
    let parent = Some(parent);
    let child = NewExecution {
        parent,
        ..new(child)
    };
    (record, child)
}

/// Starts execution `a`, which waits for `a.1` and `a.2`.
async fn parent_with_children(store: &dyn Store) -> Lease {
    let lease = leased(store, "a").await;
    let (records, children) = (1..=2)
        .map(|seq| invoked("a", seq, &format!("a.{seq}")))
        .unzip();
    let batch = Batch {
        id: 1,
        records,
        children,
        seen: 0,
        messages_after: None,
        execution: None,
    };
    let written = store.checkpoint(&lease.fence, Arc::new(batch)).await;
    written.unwrap();
    lease
}

async fn end(store: &dyn Store, name: &str, update: ExecutionUpdate) {
    let now = Timestamp::default();
    let lease = store.claim(&id(name), now, TTL).await.unwrap();
    put(store, &lease, Vec::new(), Some(update)).await;
}

fn succeed() -> ExecutionUpdate {
    let output = json(&format!("[\"{SECRET}\"]"));
    ExecutionUpdate::Succeed { output }
}

/// Returns everything that is readable in `store`.
async fn readable_text(store: &dyn Store) -> String {
    let mut text = String::new();
    for execution in store.list(Filter::default()).await.unwrap() {
        let records = store.history(&execution.id).await.unwrap();
        let payloads = records.iter().filter_map(|record| record.payload.as_ref());
        let payloads = payloads
            .chain([&execution.input])
            .chain(execution.output.as_ref());
        for payload in payloads {
            text.push_str(&String::from_utf8_lossy(&payload.data));
        }
        text.push_str(&format!("{execution:?} {records:?}"));
    }
    text
}

#[tokio::test]
async fn an_outcome_opens_in_the_child_and_in_its_parent() {
    for fails in [false, true] {
        let inner = Arc::new(MemoryStore::new());
        let store = sealed(&inner, [k1()]).sealed_only();
        let lease = parent_with_children(&store).await;
        let update = match fails {
            false => succeed(),
            true => ExecutionUpdate::Cancel {
                error: error("pay"),
            },
        };
        end(&store, "a.1", update.clone()).await;
        let child = store.get(&id("a.1")).await.unwrap();
        let ack = store.checkpoint(&lease.fence, empty_batch()).await.unwrap();
        let [settled] = ack.changed_records.as_slice() else {
            panic!("{ack:?}");
        };
        assert_eq!(
            (&settled.payload, &settled.error),
            (&child.output, &child.error)
        );
        assert_eq!(store.history(&id("a")).await.unwrap()[0], *settled);
        match update {
            ExecutionUpdate::Succeed { output } => assert_eq!(child.output, Some(output)),
            _ => assert_eq!(child.error, Some(error("pay"))),
        }
        let kept = readable_text(&*inner).await;
        assert!(!kept.contains(SECRET), "{kept}");
    }
}

/// A checkpoint that writes nothing, for its answer.
fn empty_batch() -> Arc<Batch> {
    Arc::new(Batch {
        id: 9,
        records: Vec::new(),
        children: Vec::new(),
        seen: 0,
        messages_after: None,
        execution: None,
    })
}

#[tokio::test]
async fn the_outcome_of_a_chain_opens_in_the_parent() {
    let inner = Arc::new(MemoryStore::new());
    let store = sealed(&inner, [k1()]).sealed_only();
    let lease = parent_with_children(&store).await;
    let next = new("a.1~2");
    end(&store, "a.1", ExecutionUpdate::Continue { next }).await;
    let input = store.get(&id("a.1~2")).await.unwrap().input;
    assert_eq!(input, new("a").input);
    end(&store, "a.1~2", succeed()).await;
    let ack = store.checkpoint(&lease.fence, empty_batch()).await.unwrap();
    let child = store.get(&id("a.1~2")).await.unwrap();
    assert_eq!(ack.changed_records[0].payload, child.output);
    let kept = readable_text(&*inner).await;
    assert!(!kept.contains(SECRET), "{kept}");
}

/// Ends `a.1`. Returns the parent's operation as the inner store keeps it, both stores, and the parent's lease.
async fn ended_child() -> (Record, Arc<MemoryStore>, SealedStore, Lease) {
    let inner = Arc::new(MemoryStore::new());
    let store = sealed(&inner, [k1()]);
    let lease = parent_with_children(&store).await;
    end(&store, "a.1", succeed()).await;
    let kept = inner.history(&id("a")).await.unwrap().remove(0);
    (kept, inner, store, lease)
}

#[tokio::test]
async fn an_outcome_does_not_open_in_another_operation() {
    let (kept, inner, store, lease) = ended_child().await;
    let (mut other, _) = invoked("a", 2, "a.1");
    (other.status, other.payload) = (Status::Succeeded, kept.payload);
    put(&*inner, &lease, vec![other], None).await;
    let error = store.history(&id("a")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
}

#[tokio::test]
async fn an_outcome_does_not_open_in_another_execution() {
    let (kept, inner, store, _) = ended_child().await;
    let now = Timestamp::default();
    let lease = inner.claim(&id("a.2"), now, TTL).await.unwrap();
    let output = kept.payload.unwrap();
    let update = ExecutionUpdate::Succeed { output };
    put(&*inner, &lease, Vec::new(), Some(update)).await;
    let error = store.get(&id("a.2")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    let error = store.history(&id("a")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
}

#[tokio::test]
async fn an_input_does_not_open_under_another_parent() {
    let store = Arc::new(MemoryStore::new());
    parent_with_children(&sealed(&store, [k1()])).await;
    let kept = store.get(&id("a.1")).await.unwrap();
    let (_, other) = invoked("a", 2, "a.1");
    let (_, foreign) = invoked("b", 1, "a.1");
    for parent in [other.parent, foreign.parent, None] {
        let changed = Arc::new(MemoryStore::new());
        let input = kept.input.clone();
        let moved = NewExecution {
            parent,
            input,
            ..new("a.1")
        };
        changed.start(moved).await.unwrap();
        let store = sealed(&changed, [k1()]);
        let now = Timestamp::default();
        let error = store.claim(&id("a.1"), now, TTL).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        let lease = changed.claim(&id("a.1"), now, TTL).await.unwrap();
        let mut end = (*empty_batch()).clone();
        end.execution = Some(succeed());
        // Without a parent the checkpoint does not open the input, and the read fails instead.
        let ended = store.checkpoint(&lease.fence, Arc::new(end)).await;
        let read = store.get(&id("a.1")).await;
        let kind = ended.err().or(read.err()).map(|error| error.kind());
        assert_eq!(kind, Some(StoreErrorKind::Corrupt));
    }
}

/// Starts execution `a`, which waits for a callback.
async fn waiting_for_callback(store: &dyn Store) -> (Lease, CallbackId) {
    let lease = leased(store, "a").await;
    let mut record = step(1, "approve", Status::Started);
    let callback = CallbackId::unguessable(&id("a"), 1, record.id);
    (record.kind, record.handle) = (Kind::Callback, Some(callback.to_string()));
    put(store, &lease, vec![record], None).await;
    (lease, callback)
}

#[tokio::test]
async fn the_outcome_of_a_callback_is_sealed() {
    let outcomes = [
        Completion::Succeed(json(&format!("\"{SECRET}\""))),
        Completion::Fail(error("approve")),
    ];
    for outcome in outcomes {
        let inner = Arc::new(MemoryStore::new());
        let store = sealed(&inner, [k1()]).sealed_only();
        let (lease, callback) = waiting_for_callback(&store).await;
        let now = Timestamp::default();
        store
            .complete(&callback, outcome.clone(), now)
            .await
            .unwrap();
        let ack = store.checkpoint(&lease.fence, empty_batch()).await.unwrap();
        let found = match (
            &ack.changed_records[0].payload,
            &ack.changed_records[0].error,
        ) {
            (Some(payload), None) => Completion::Succeed(payload.clone()),
            (None, Some(error)) => Completion::Fail(error.clone()),
            _ => panic!("{ack:?}"),
        };
        assert_eq!(found, outcome);
        let kept = readable_text(&*inner).await;
        assert!(!kept.contains(SECRET), "{kept}");
    }
}

#[tokio::test]
async fn an_unsealed_outcome_of_a_callback_is_refused_by_sealed_only() {
    let inner = Arc::new(MemoryStore::new());
    let store = sealed(&inner, [k1()]);
    let (_, callback) = waiting_for_callback(&store).await;
    let (outcome, now) = (Completion::Succeed(json("1")), Timestamp::default());
    inner.complete(&callback, outcome, now).await.unwrap();
    store.history(&id("a")).await.unwrap();
    let error = store.sealed_only().history(&id("a")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
}

#[tokio::test]
async fn the_error_of_an_execution_cancelled_before_it_ran_is_not_sealed() {
    let inner = Arc::new(MemoryStore::new());
    let store = sealed(&inner, [k1()]).sealed_only();
    parent_with_children(&store).await;
    store
        .cancel(&id("a.1"), Timestamp::default())
        .await
        .unwrap();
    let error = store.get(&id("a.1")).await.unwrap().error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let parent = store.history(&id("a")).await.unwrap().remove(0);
    assert_eq!(parent.error, Some(error));
}
