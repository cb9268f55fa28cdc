//! What executions, their parents and outside parties exchange.

use super::*;
use crate::model::record::Completion;
use crate::store::{
    AdminStore, CallbackId, CallbackStore, CheckpointStore as _, ExecutionStore, Filter, Parent,
    StoreErrorKind,
};

/// Operation `seq` of execution `parent` and the execution it waits for.
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

/// Execution `a`, which waits for `a.1` and `a.2`.
async fn family(store: &dyn Store) -> Lease {
    let lease = leased(store, "a").await;
    let (records, children) = (1..=2)
        .map(|seq| invoked("a", seq, &format!("a.{seq}")))
        .unzip();
    let batch = Batch {
        id: 1,
        records,
        children,
        seen: 0,
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

/// Everything that is readable in `store`.
async fn shown(store: &dyn Store) -> String {
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
        let lease = family(&store).await;
        let update = match fails {
            false => succeed(),
            true => ExecutionUpdate::Cancel {
                error: error("pay"),
            },
        };
        end(&store, "a.1", update.clone()).await;
        let child = store.get(&id("a.1")).await.unwrap();
        let ack = store.checkpoint(&lease.fence, asking()).await.unwrap();
        let [told] = ack.changed_records.as_slice() else {
            panic!("{ack:?}");
        };
        assert_eq!((&told.payload, &told.error), (&child.output, &child.error));
        assert_eq!(store.history(&id("a")).await.unwrap()[0], *told);
        match update {
            ExecutionUpdate::Succeed { output } => assert_eq!(child.output, Some(output)),
            _ => assert_eq!(child.error, Some(error("pay"))),
        }
        let kept = shown(&*inner).await;
        assert!(!kept.contains(SECRET), "{kept}");
    }
}

fn asking() -> Arc<Batch> {
    Arc::new(Batch {
        id: 9,
        records: Vec::new(),
        children: Vec::new(),
        seen: 0,
        execution: None,
    })
}

#[tokio::test]
async fn a_chain_hands_its_outcome_to_the_parent() {
    let inner = Arc::new(MemoryStore::new());
    let store = sealed(&inner, [k1()]).sealed_only();
    let lease = family(&store).await;
    let next = new("a.1~2");
    end(&store, "a.1", ExecutionUpdate::Continue { next }).await;
    let input = store.get(&id("a.1~2")).await.unwrap().input;
    assert_eq!(input, new("a").input);
    end(&store, "a.1~2", succeed()).await;
    let ack = store.checkpoint(&lease.fence, asking()).await.unwrap();
    let child = store.get(&id("a.1~2")).await.unwrap();
    assert_eq!(ack.changed_records[0].payload, child.output);
    let kept = shown(&*inner).await;
    assert!(!kept.contains(SECRET), "{kept}");
}

/// What the stores under two others hold of the outcome of `a.1`, and the place for another.
async fn outcome_and_place() -> (Record, Arc<MemoryStore>, SealedStore, Lease) {
    let inner = Arc::new(MemoryStore::new());
    let store = sealed(&inner, [k1()]);
    let lease = family(&store).await;
    end(&store, "a.1", succeed()).await;
    let kept = inner.history(&id("a")).await.unwrap().remove(0);
    (kept, inner, store, lease)
}

#[tokio::test]
async fn an_outcome_opens_in_no_other_operation() {
    let (kept, inner, store, lease) = outcome_and_place().await;
    let (mut other, _) = invoked("a", 2, "a.1");
    (other.status, other.payload) = (Status::Succeeded, kept.payload);
    put(&*inner, &lease, vec![other], None).await;
    let error = store.history(&id("a")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
}

#[tokio::test]
async fn an_outcome_opens_in_no_other_execution() {
    let (kept, inner, store, _) = outcome_and_place().await;
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
async fn whose_outcome_it_will_be_cannot_be_changed() {
    let store = Arc::new(MemoryStore::new());
    family(&sealed(&store, [k1()])).await;
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
        let mut end = (*asking()).clone();
        end.execution = Some(succeed());
        // The execution is its own again where nobody waits: then it is the end that cannot be read.
        let ended = store.checkpoint(&lease.fence, Arc::new(end)).await;
        let read = store.get(&id("a.1")).await;
        let kind = ended.err().or(read.err()).map(|error| error.kind());
        assert_eq!(kind, Some(StoreErrorKind::Corrupt));
    }
}

/// Execution `a`, which waits for an outside party.
async fn waiting(store: &dyn Store) -> (Lease, CallbackId) {
    let lease = leased(store, "a").await;
    let mut record = step(1, "approve", Status::Started);
    let callback = CallbackId::unguessable(&id("a"), 1, record.id);
    (record.kind, record.handle) = (Kind::Callback, Some(callback.to_string()));
    put(store, &lease, vec![record], None).await;
    (lease, callback)
}

#[tokio::test]
async fn a_completion_is_sealed() {
    let outcomes = [
        Completion::Succeed(json(&format!("\"{SECRET}\""))),
        Completion::Fail(error("approve")),
    ];
    for outcome in outcomes {
        let inner = Arc::new(MemoryStore::new());
        let store = sealed(&inner, [k1()]).sealed_only();
        let (lease, callback) = waiting(&store).await;
        let now = Timestamp::default();
        store
            .complete(&callback, outcome.clone(), now)
            .await
            .unwrap();
        let ack = store.checkpoint(&lease.fence, asking()).await.unwrap();
        let found = match (
            &ack.changed_records[0].payload,
            &ack.changed_records[0].error,
        ) {
            (Some(payload), None) => Completion::Succeed(payload.clone()),
            (None, Some(error)) => Completion::Fail(error.clone()),
            _ => panic!("{ack:?}"),
        };
        assert_eq!(found, outcome);
        let kept = shown(&*inner).await;
        assert!(!kept.contains(SECRET), "{kept}");
    }
}

#[tokio::test]
async fn a_completion_that_is_not_sealed_can_be_refused() {
    let inner = Arc::new(MemoryStore::new());
    let store = sealed(&inner, [k1()]);
    let (_, callback) = waiting(&store).await;
    let (outcome, now) = (Completion::Succeed(json("1")), Timestamp::default());
    inner.complete(&callback, outcome, now).await.unwrap();
    store.history(&id("a")).await.unwrap();
    let error = store.sealed_only().history(&id("a")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
}

#[tokio::test]
async fn what_never_ran_says_so_unsealed() {
    let inner = Arc::new(MemoryStore::new());
    let store = sealed(&inner, [k1()]).sealed_only();
    family(&store).await;
    store
        .cancel(&id("a.1"), Timestamp::default())
        .await
        .unwrap();
    let error = store.get(&id("a.1")).await.unwrap().error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let told = store.history(&id("a")).await.unwrap().remove(0);
    assert_eq!(told.error, Some(error));
}
