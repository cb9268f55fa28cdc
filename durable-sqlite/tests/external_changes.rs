//! External changes: those made by other processes, and those of damaged rows.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may stop at what it did not expect, and say why"
)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use durable_core::store::{
    AdminStore, Batch, CallbackId, CallbackStore, CheckpointStore, ExecutionStatus, ExecutionStore,
    ExecutionUpdate, NewExecution, Parent, StoreErrorKind,
};
use durable_core::{Completion, Kind, Occurrence, OperationId, Record, Status};
use durable_sqlite::SqliteStore;
use rusqlite::Connection;
use support::{Other, TTL, batch, id, json, leased, new, next_command, now, open, report};
use tempfile::tempdir;

const SEQ: u64 = 1;

fn operation() -> OperationId {
    OperationId::of(OperationId::ROOT, "approval", &Occurrence::Once)
}

fn callback(execution: &str) -> CallbackId {
    let text = format!("{execution}:{SEQ}:{}:7f", operation());
    text.parse().unwrap()
}

fn open_record(kind: Kind, handle: &str) -> Record {
    let (root, once) = (OperationId::ROOT, Occurrence::Once);
    let mut record = Record::started(SEQ, operation(), root, kind, "approval", once, now());
    record.handle = Some(handle.to_owned());
    record
}

fn batch_of(records: Vec<Record>, children: Vec<NewExecution>) -> Arc<Batch> {
    Arc::new(Batch {
        id: 1,
        records,
        children,
        seen: 0,
        messages_after: None,
        execution: None,
    })
}

/// Starts execution `a`, which waits for its callback.
async fn start_waiting(store: &SqliteStore) -> CallbackId {
    let lease = leased(store, "a").await;
    let callback = callback("a");
    let record = open_record(Kind::Callback, callback.as_str());
    let batch = batch_of(vec![record], Vec::new());
    store.checkpoint(&lease.fence, batch).await.unwrap();
    callback
}

/// Entry point of the other process. Does nothing when it runs as a test.
#[tokio::test]
async fn child() {
    let (Ok(role), Ok(path)) = (
        std::env::var("DURABLE_CHILD"),
        std::env::var("DURABLE_PATH"),
    ) else {
        return;
    };
    let store = open(Path::new(&path)).await;
    report("ready");
    while next_command() == "go" {
        match role.as_str() {
            "complete" => {
                let outcome = Completion::Succeed(json("true"));
                let done = store.complete(&callback("a"), outcome, now()).await;
                done.unwrap();
            }
            "heartbeat" => store.heartbeat(&callback("a"), now()).await.unwrap(),
            "cancel" => store.cancel(&id("a"), now()).await.unwrap(),
            "start" => drop(store.start(new("b")).await.unwrap()),
            other => panic!("no role {other}"),
        }
        report("done");
    }
}

#[tokio::test]
async fn changes_by_other_processes_are_noticed() {
    for role in ["complete", "heartbeat", "cancel"] {
        let directory = tempdir().unwrap();
        let path = directory.path().join("a.db");
        let store = open(&path).await;
        start_waiting(&store).await;
        let mut other = Other::spawn(role, &path);
        assert_eq!(other.receive().as_deref(), Some("ready"));
        let a = id("a");
        let changed = store.changed(&a, 0);
        tokio::pin!(changed);
        let pause = Duration::from_millis(250);
        tokio::time::timeout(pause, &mut changed).await.unwrap_err();
        other.send("go");
        let answer = tokio::time::timeout(Duration::from_secs(20), changed);
        answer.await.unwrap().unwrap();
        assert_eq!(store.get(&a).await.unwrap().changes, 1, "{role}");
    }
}

#[tokio::test]
async fn changes_of_other_executions_are_not_reported() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = open(&path).await;
    start_waiting(&store).await;
    let mut other = Other::spawn("start", &path);
    assert_eq!(other.receive().as_deref(), Some("ready"));
    let a = id("a");
    let changed = store.changed(&a, 0);
    tokio::pin!(changed);
    other.send("go");
    tokio::time::timeout(Duration::from_millis(300), &mut changed)
        .await
        .unwrap_err();
    assert_eq!(other.receive().as_deref(), Some("done"));
}

/// A driver that is dropped stops waiting; the next one waits again.
#[tokio::test]
async fn later_waiters_notice_later_changes() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = open(&path).await;
    start_waiting(&store).await;
    let mut other = Other::spawn("heartbeat", &path);
    assert_eq!(other.receive().as_deref(), Some("ready"));
    let a = id("a");
    for seen in 0..3 {
        let timed_out = tokio::time::timeout(Duration::from_millis(20), store.changed(&a, seen));
        timed_out.await.unwrap_err();
        other.send("go");
        assert_eq!(other.receive().as_deref(), Some("done"));
        let answer = tokio::time::timeout(Duration::from_secs(20), store.changed(&a, seen));
        answer.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_batch_without_external_changes_does_not_read_them() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = open(&path).await;
    let lease = leased(&store, "a").await;
    let sql = "DROP TABLE changes";
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    store.checkpoint(&lease.fence, batch(1)).await.unwrap();
    support::release(&store, &lease.fence).await;
    store.claim(&id("a"), now(), TTL).await.unwrap();
}

#[tokio::test]
async fn an_end_whose_parent_cannot_be_read_is_refused_entirely() {
    let damages = [
        "UPDATE executions SET status = 'lost' WHERE id = 'a'",
        "UPDATE operations SET kind = 'dance' WHERE name = 'approval'",
    ];
    for damage in damages {
        let directory = tempdir().unwrap();
        let path = directory.path().join("a.db");
        let store = open(&path).await;
        let lease = leased(&store, "a").await;
        let parent = Parent {
            execution: id("a"),
            seq: SEQ,
            operation: operation(),
        };
        let children = vec![NewExecution {
            parent: Some(parent),
            ..new("a.1")
        }];
        let both = batch_of(vec![open_record(Kind::Invoke, "a.1")], children);
        store.checkpoint(&lease.fence, both).await.unwrap();
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch(damage).unwrap();
        let child = store.claim(&id("a.1"), now(), TTL).await.unwrap();
        let mut end = (*batch(1)).clone();
        end.execution = Some(ExecutionUpdate::Succeed { output: json("1") });
        let refused = store.checkpoint(&child.fence, Arc::new(end.clone())).await;
        assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Corrupt);
        let after = store.get(&id("a.1")).await.unwrap();
        assert_eq!(after.status, ExecutionStatus::Running, "{damage}");
        assert_eq!(store.history(&id("a.1")).await.unwrap(), []);
        let repair = "UPDATE executions SET status = 'running' WHERE id = 'a';
                      UPDATE operations SET kind = 'invoke' WHERE name = 'approval'";
        conn.execute_batch(repair).unwrap();
        store.checkpoint(&child.fence, Arc::new(end)).await.unwrap();
        let history = store.history(&id("a")).await.unwrap();
        assert_eq!(history[0].status, Status::Succeeded);
    }
}
