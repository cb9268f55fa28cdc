//! Messages between processes that share a server, and receivers that are killed.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use durable::prelude::*;
use durable::{Client, RetryFrom, Worker, fatal};
use durable_core::Kind;
use durable_core::store::{
    Ack, AdminStore, Batch, CheckpointStore, ExecutionStatus, ExecutionStore, ExecutionUpdate,
    Fence, Lease, Message, MessageStore, NewMessage, StoreErrorKind,
};
use durable_core::{Payload, Record};
use durable_postgres::PostgresStore;
use durable_postgres_tests::Server;
use tokio::task::JoinSet;

use crate::processes::{Workers, given, number};
use crate::support::{TTL, id, leased, new, now, open, sql, step, until};

/// A message called `line` whose id is its text.
fn line(text: &str) -> NewMessage {
    NewMessage::new(text, "line", Payload::json(format!("\"{text}\""))).unwrap()
}

/// The record of a `receive!` that takes the message with this number.
fn receive(seq: u64, number: u64) -> Record {
    let mut record = step(seq);
    (record.kind, record.handle) = (Kind::Receive, Some(number.to_string()));
    record
}

/// Writes a batch that asks for the messages after `after`.
async fn ask(
    store: &PostgresStore,
    fence: &Fence,
    records: Vec<Record>,
    after: u64,
    execution: Option<ExecutionUpdate>,
) -> Ack {
    let batch = Batch {
        id: 1,
        records,
        seen: u64::MAX,
        messages_after: Some(after),
        execution,
        ..Batch::default()
    };
    store.checkpoint(fence, Arc::new(batch)).await.unwrap()
}

fn ids(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| &*message.id).collect()
}

/// Collects lines until `bye`.
#[durable]
async fn listen(_unused: ()) -> Result<Vec<String>, BoxError> {
    let mut lines = Vec::new();
    loop {
        let line: String = receive!("line").await?;
        if line == "bye" {
            return Ok(lines);
        }
        lines.push(line);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_wakes_a_suspended_and_a_waiting_execution_of_another_process() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let url = server.database().await;
    for (name, limit) in [("a", Duration::ZERO), ("b", Duration::MAX)] {
        let (there, here) = (open(&url).await, Client::new(open(&url).await));
        let worker = Worker::new(there.clone()).register(listen);
        let worker = worker
            .suspend_after(limit)
            .run_until(std::future::pending());
        let worker = tokio::spawn(worker);
        let execution = here.start(listen, name, ()).await.unwrap();
        let suspends = limit == Duration::ZERO;
        let mut waits = Vec::new();
        for n in 0..9 {
            until("the execution waits", async || {
                let found = there.get(&id(name)).await.unwrap().status;
                found == ExecutionStatus::Suspended
                    || !suspends && found == ExecutionStatus::Running
            })
            .await;
            tokio::time::sleep(Duration::from_millis(70)).await;
            let sent = Instant::now();
            here.send(name, "line", &n.to_string()).await.unwrap();
            while here.messages(name).await.unwrap()[n].received_by.is_none() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            waits.push(sent.elapsed());
        }
        waits.sort();
        println!(
            "from a send to its receipt by another process: {:?}",
            waits[4]
        );
        // A worker that only polls does so four times a second.
        assert!(waits[4] < Duration::from_millis(150), "{waits:?}");
        here.send(name, "line", "bye").await.unwrap();
        let expected: Vec<_> = (0..9).map(|n| n.to_string()).collect();
        assert_eq!(execution.result().await.unwrap(), expected);
        worker.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn executions_of_a_group_receive_their_own_messages_and_none_without_their_lease() {
    const EXECUTIONS: u64 = 24;
    let Some(server) = Server::shared().await else {
        return;
    };
    let url = server.database().await;
    let store = open(&url).await;
    let mut leases = Vec::new();
    for n in 0..EXECUTIONS {
        let name = format!("run-{n}");
        leases.push(leased(&store, &name).await);
        for message in ["first", "second"] {
            let message = line(&format!("{message}-{n}"));
            store.send(&id(&name), message, now()).await.unwrap();
        }
    }
    // One lease expires and is taken over.
    let expire = "UPDATE durable.leases SET expires_at = 0 WHERE execution = (SELECT key FROM durable.executions WHERE id \
                  = 'run-3')";
    sql(&url, expire).await;
    store.claim(&id("run-3"), now(), TTL).await.unwrap();
    let statements = store.stats().statements;
    let mut writes = JoinSet::new();
    for (n, Lease { fence, .. }) in (0..).zip(leases) {
        let store = store.clone();
        let suspend = (n % 2 == 0).then_some(ExecutionUpdate::Suspend { wake_at: None });
        let batch = Batch {
            id: 1,
            records: vec![receive(1, 1)],
            seen: 2,
            messages_after: (n % 3 != 0).then_some(0),
            execution: suspend,
            ..Batch::default()
        };
        let batch = Arc::new(batch);
        writes.spawn(async move { (n, store.checkpoint(&fence, batch).await) });
    }
    while let Some(done) = writes.join_next().await {
        let (n, answer) = done.unwrap();
        if n == 3 {
            assert_eq!(answer.unwrap_err().kind(), StoreErrorKind::FenceLost);
            continue;
        }
        let ack = answer.unwrap();
        let second = format!("second-{n}");
        let expected: &[&str] = if n % 3 != 0 { &[&second] } else { &[] };
        assert_eq!(ids(&ack.messages), expected);
    }
    let statements = store.stats().statements - statements;
    assert!(statements <= EXECUTIONS / 2, "{statements}");
    for n in 0..EXECUTIONS {
        let messages = store.messages(&id(&format!("run-{n}"))).await.unwrap();
        let receivers: Vec<_> = messages.iter().map(|message| message.received_by).collect();
        let first = (n != 3).then_some(1);
        assert_eq!(receivers, [first, None], "run-{n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_senders_get_consecutive_numbers() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let url = server.database().await;
    let store = open(&url).await;
    store.start(new("a")).await.unwrap();
    let mut senders = JoinSet::new();
    for sender in 0..8 {
        let store = open(&url).await;
        senders.spawn(async move {
            for n in 0..12 {
                // Every message is sent by two senders.
                let message = line(&format!("{}-{n}", sender / 2));
                store.send(&id("a"), message, now()).await.unwrap();
            }
        });
    }
    senders.join_all().await;
    let messages = store.messages(&id("a")).await.unwrap();
    let numbers: Vec<_> = messages.iter().map(|message| message.number).collect();
    assert_eq!(numbers, (1..=48).collect::<Vec<_>>());
    assert_eq!(store.get(&id("a")).await.unwrap().changes, 48);
}

#[tokio::test]
async fn a_message_is_removed_with_its_execution_and_round_trips_any_text() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let url = server.database().await;
    let store = open(&url).await;
    let lease = leased(&store, "a").await;
    let odd = "a\0b\u{1a}";
    let message = NewMessage::new(odd, odd, Payload::json("1")).unwrap();
    store.send(&id("a"), message.clone(), now()).await.unwrap();
    store.send(&id("a"), message, now()).await.unwrap();
    let found = store.messages(&id("a")).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&*found[0].id, &*found[0].name), (odd, odd));
    let end = ExecutionUpdate::Succeed {
        output: Payload::json("1"),
    };
    ask(&store, &lease.fence, Vec::new(), 0, Some(end)).await;
    let delete = durable_core::store::Change::Delete;
    store.change(&id("a"), delete, now()).await.unwrap();
    let left = "DO $$ BEGIN ASSERT (SELECT count(*) FROM durable.messages) = 0; END $$";
    sql(&url, left).await;
}

#[tokio::test]
async fn a_damaged_message_is_refused() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let url = server.database().await;
    let store = open(&url).await;
    let lease = leased(&store, "a").await;
    store.send(&id("a"), line("m1"), now()).await.unwrap();
    sql(&url, "UPDATE durable.messages SET payload = '7'").await;
    let asking = Batch {
        id: 1,
        messages_after: Some(0),
        ..Batch::default()
    };
    for error in [
        store.messages(&id("a")).await.unwrap_err(),
        store
            .checkpoint(&lease.fence, Arc::new(asking))
            .await
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
        let text = error.to_string();
        assert!(text.contains("message 1 to execution `a`"), "{text}");
    }
}

/// Receives a line and hands it to a step that fails if the line says so.
#[durable]
async fn fragile(left: u32) -> Result<String, BoxError> {
    let line: String = receive!("line").await?;
    if left > 0 {
        return continue_as!(left - 1).await;
    }
    let failing = &line == "fail";
    step!("check", retry = Retry::none(), {
        if failing {
            Err(fatal("as it says"))
        } else {
            Ok(())
        }
    })
    .await?;
    Ok(line)
}

#[tokio::test]
async fn messages_follow_a_chain_and_a_retry_receives_them_again() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let store = open(&server.database().await).await;
    let client = Client::new(store.clone());
    client.start(fragile, "a", 1).await.unwrap();
    for text in ["one", "fail"] {
        client.send("a", "line", text).id(text).await.unwrap();
    }
    let run = || durable::run(fragile, "a", 1).store(store.clone());
    run().await.unwrap_err();
    let last = store.get(&id("a")).await.unwrap().next.unwrap();
    let waiting = async || {
        let messages = client.messages(last.as_str()).await.unwrap();
        let waiting = messages.iter().map(|message| message.received_by.is_none());
        waiting.collect::<Vec<_>>()
    };
    assert_eq!(waiting().await, [false]);
    client.retry(&last, &RetryFrom::Beginning).await.unwrap();
    assert_eq!(waiting().await, [true]);
    run().await.unwrap_err();
    assert_eq!(waiting().await, [false]);
    let error = client.send("a", "line", "more").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Conflict, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_starts_with_messages_start_one_execution_with_all_of_them() {
    let Some(server) = Server::start(&[("max_connections", "200")]).await else {
        return;
    };
    let url = server.database().await;
    let mut starts = JoinSet::new();
    for process in 0..6 {
        let client = Client::new(open(&url).await);
        starts.spawn(async move {
            for n in 0..10 {
                let start = client.start(listen, format!("run-{n}"), ());
                let start = start.message("line", &process.to_string());
                start.message_id(process.to_string()).await.unwrap();
            }
        });
    }
    starts.join_all().await;
    let store = open(&url).await;
    for n in 0..10 {
        let name = id(&format!("run-{n}"));
        let messages = store.messages(&name).await.unwrap();
        let mut found = ids(&messages);
        found.sort_unstable();
        assert_eq!(found, ["0", "1", "2", "3", "4", "5"], "{name}");
        assert_eq!(store.get(&name).await.unwrap().changes, 6, "{name}");
    }
}

/// Body of a receiving process. Does nothing when it runs as a test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Some(given) = given() else {
        return;
    };
    let worker = Worker::new(given.store().await).register(listen);
    let worker = worker.concurrency(32).lease(Duration::from_millis(600));
    // Short enough that executions suspend between messages, and long enough that not all do.
    let worker = worker.suspend_after(Duration::from_millis(5));
    worker.run_until(std::future::pending()).await.unwrap();
}

/// Sends every message of one sender, some of them twice.
async fn send_all(client: Client, sender: &str, rounds: u64, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    for n in 0..MESSAGES {
        for round in 0..rounds {
            let (to, text) = (format!("run-{round}"), format!("{sender}{n}"));
            for _ in 0..random.u8(1..=2) {
                client.send(&to, "line", &text).id(&text).await.unwrap();
            }
            if random.u8(..20) == 0 {
                tokio::time::sleep(Duration::from_millis(random.u64(..300))).await;
            }
        }
    }
}

/// Messages of each sender to each execution.
const MESSAGES: u64 = 4;

/// Two senders, and a receiving process that is killed at random: every message is received once, and those of one sender in
/// order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_senders_and_a_killed_receiver() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let seed = number("DURABLE_CHAOS_SEED", fastrand::u64(..));
    let rounds = number("DURABLE_MESSAGE_ROUNDS", 40);
    println!("DURABLE_CHAOS_SEED={seed} DURABLE_MESSAGE_ROUNDS={rounds}");
    let mut random = fastrand::Rng::with_seed(seed);
    let url = server.database().await;
    let client = Client::new(open(&url).await);
    let mut executions = Vec::new();
    for round in 0..rounds {
        let name = format!("run-{round}");
        executions.push(client.start(listen, name, ()).await.unwrap());
    }
    let mut senders = JoinSet::new();
    for sender in ["x", "y"] {
        let (client, seed) = (Client::new(open(&url).await), random.u64(..));
        senders.spawn(async move { send_all(client, sender, rounds, seed).await });
    }
    let mut workers = Workers::start("messages::child", 1, &url, Path::new(""));
    let mut killed = 0;
    while !senders.is_empty() {
        tokio::time::sleep(Duration::from_millis(random.u64(100..900))).await;
        workers.replace(0);
        killed += 1;
        while let Some(done) = senders.try_join_next() {
            done.unwrap();
        }
    }
    for round in 0..rounds {
        let to = format!("run-{round}");
        client.send(&to, "line", "bye").await.unwrap();
        if random.u64(..rounds) < 4 {
            workers.replace(0);
            killed += 1;
        }
    }
    println!("the receiver was killed {killed} times");
    for (round, execution) in executions.iter().enumerate() {
        let lines = tokio::time::timeout(Duration::from_secs(60), execution.result());
        let lines = lines.await.expect("it ends").unwrap();
        let context = format!("round {round}, seed {seed}: {lines:?}");
        for sender in ["x", "y"] {
            let own: Vec<_> = lines
                .iter()
                .filter(|line| line.starts_with(sender))
                .collect();
            let sent: Vec<_> = (0..MESSAGES).map(|n| format!("{sender}{n}")).collect();
            assert_eq!(own, sent.iter().collect::<Vec<_>>(), "{context}");
        }
        assert_eq!(lines.len() as u64, 2 * MESSAGES, "{context}");
        let messages = client.messages(&format!("run-{round}")).await.unwrap();
        let mut receivers: Vec<_> = messages.iter().map(|m| m.received_by.unwrap()).collect();
        assert!(receivers.is_sorted(), "{context}");
        receivers.dedup();
        assert_eq!(receivers.len(), messages.len(), "{context}");
    }
}
