//! Changes from outside: by other processes, and where what is stored cannot be read.

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
use support::{Other, TTL, batch, id, json, leased, listen, new, now, open, say};
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

fn writing(records: Vec<Record>, children: Vec<NewExecution>) -> Arc<Batch> {
    Arc::new(Batch {
        id: 1,
        records,
        children,
        seen: 0,
        execution: None,
    })
}

/// Runs execution `a`, which waits for its callback.
async fn waiting(store: &SqliteStore) -> CallbackId {
    let lease = leased(store, "a").await;
    let callback = callback("a");
    let record = open_record(Kind::Callback, callback.as_str());
    let batch = writing(vec![record], Vec::new());
    store.checkpoint(&lease.fence, batch).await.unwrap();
    callback
}

/// What the other process does. Nothing when it is run as a test.
#[tokio::test]
async fn child() {
    let (Ok(role), Ok(path)) = (
        std::env::var("DURABLE_CHILD"),
        std::env::var("DURABLE_PATH"),
    ) else {
        return;
    };
    let store = open(Path::new(&path)).await;
    say("ready");
    while listen() == "go" {
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
        say("done");
    }
}

#[tokio::test]
async fn other_processes_are_heard() {
    for role in ["complete", "heartbeat", "cancel"] {
        let directory = tempdir().unwrap();
        let path = directory.path().join("a.db");
        let store = open(&path).await;
        waiting(&store).await;
        let mut other = Other::spawn(role, &path);
        assert_eq!(other.hear().as_deref(), Some("ready"));
        let a = id("a");
        let question = store.changed(&a, 0);
        tokio::pin!(question);
        let pause = Duration::from_millis(250);
        tokio::time::timeout(pause, &mut question)
            .await
            .unwrap_err();
        other.tell("go");
        let answer = tokio::time::timeout(Duration::from_secs(20), question);
        answer.await.unwrap().unwrap();
        assert_eq!(store.get(&a).await.unwrap().changes, 1, "{role}");
    }
}

#[tokio::test]
async fn what_others_do_elsewhere_is_no_news() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = open(&path).await;
    waiting(&store).await;
    let mut other = Other::spawn("start", &path);
    assert_eq!(other.hear().as_deref(), Some("ready"));
    let a = id("a");
    let question = store.changed(&a, 0);
    tokio::pin!(question);
    other.tell("go");
    tokio::time::timeout(Duration::from_millis(300), &mut question)
        .await
        .unwrap_err();
    assert_eq!(other.hear().as_deref(), Some("done"));
}

/// As with a driver that is dropped, and starts anew with the next execution.
#[tokio::test]
async fn who_asks_later_is_told_too() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("a.db");
    let store = open(&path).await;
    waiting(&store).await;
    let mut other = Other::spawn("heartbeat", &path);
    assert_eq!(other.hear().as_deref(), Some("ready"));
    let a = id("a");
    for seen in 0..3 {
        let given_up = tokio::time::timeout(Duration::from_millis(20), store.changed(&a, seen));
        given_up.await.unwrap_err();
        other.tell("go");
        assert_eq!(other.hear().as_deref(), Some("done"));
        let answer = tokio::time::timeout(Duration::from_secs(20), store.changed(&a, seen));
        answer.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_plain_batch_does_not_ask_for_changes() {
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
async fn an_end_that_cannot_be_told_is_refused_whole() {
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
        let both = writing(vec![open_record(Kind::Invoke, "a.1")], children);
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
        let mended = "UPDATE executions SET status = 'running' WHERE id = 'a';
                      UPDATE operations SET kind = 'invoke' WHERE name = 'approval'";
        conn.execute_batch(mended).unwrap();
        store.checkpoint(&child.fence, Arc::new(end)).await.unwrap();
        let told = store.history(&id("a")).await.unwrap();
        assert_eq!(told[0].status, Status::Succeeded);
    }
}
