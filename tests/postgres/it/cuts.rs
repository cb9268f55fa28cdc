//! Connections that are cut between any two messages, and networks that stop delivering.

use std::sync::Arc;
use std::time::Duration;

use durable_core::store::{
    AdminStore, Batch, CallbackStore, CheckpointStore, ExecutionStatus, ExecutionStore,
    ExecutionUpdate, Fence, MessageStore, NewMessage, StoreErrorKind,
};
use durable_core::{Completion, Kind, Payload};
use durable_postgres::PostgresStore;
use durable_postgres_tests::{Cut, Proxy, Server, Side, client};

use crate::support::{
    TTL, batch, id, leased, leased_for, new, now, open, positions, step, steps, succeed,
};

/// Starts a server and a proxy in front of it, and returns the URL through the proxy. Each pool has
/// one connection, so that the connection that is cut is the one under test.
async fn behind_proxy() -> Option<(Server, Proxy, String)> {
    let server = Server::start(&[]).await?;
    let url = server.database().await;
    let proxy = Proxy::start(server.port()).await;
    let port = |port: u16| format!("127.0.0.1:{port}/");
    let through = url.replace(&port(server.port()), &port(proxy.port()));
    Some((
        server,
        proxy,
        format!("{through}&pool_size=1&writers=1&listen=false"),
    ))
}

/// Installs a trigger that logs every inserted record.
async fn audit(url: &str) -> tokio_postgres_client::Client {
    let admin = client(url).await.unwrap();
    admin
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS audit (execution int8, seq int8); \
             CREATE OR REPLACE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.audit VALUES \
             (new.execution, new.seq); RETURN new; END $$; \
             CREATE OR REPLACE TRIGGER noted AFTER INSERT ON durable.records FOR EACH ROW EXECUTE FUNCTION noted()",
        )
        .await
        .unwrap();
    admin
}

use tokio_postgres as tokio_postgres_client;

/// Runs `call` once for each message that it exchanges, with the connection cut before that
/// message.
async fn cut_everywhere(proxy: &Proxy, mut call: impl AsyncFnMut(String)) -> usize {
    let mut cuts = 0;
    for side in [Side::Client, Side::Server] {
        for after in 0.. {
            proxy.plan(Cut { side, after });
            call(format!("{side:?}-{after}").to_lowercase()).await;
            if !proxy.has_cut() {
                break;
            }
            cuts += 1;
        }
    }
    proxy.count(Side::Client);
    cuts
}

#[tokio::test]
async fn a_batch_is_applied_once_wherever_its_connection_is_cut() {
    let Some((_server, proxy, url)) = behind_proxy().await else {
        return;
    };
    let store = open(&url).await;
    let admin = audit(&url).await;
    let lease = leased(&store, "a").await;
    steps(&store, &lease.fence, 1, 1).await.unwrap();
    let mut seq = 1;
    let cuts = cut_everywhere(&proxy, async |_| {
        seq += 1;
        store
            .checkpoint(&lease.fence, batch(seq, None))
            .await
            .unwrap();
    })
    .await;
    assert!(cuts >= 6, "{cuts} messages only");
    let expected: Vec<_> = (1..=seq).collect();
    assert_eq!(positions(&store, "a").await, expected);
    let twice = "SELECT count(*) FROM (SELECT 1 FROM audit GROUP BY execution, seq HAVING count(*) > 1) AS twice";
    // A repeated batch replaces its records, so it inserts nothing a second time.
    let twice: i64 = admin.query_one(twice, &[]).await.unwrap().get(0);
    assert_eq!(twice, 0);
    assert!(store.stats().retries >= cuts as u64);
}

#[tokio::test]
async fn an_execution_ends_once_wherever_its_connection_is_cut() {
    let Some((_server, proxy, url)) = behind_proxy().await else {
        return;
    };
    let store = open(&url).await;
    // Prepares the statement before messages are counted.
    let warm = leased(&store, "warm").await;
    succeed(&store, &warm.fence, 1).await.unwrap();
    let mut leases = Vec::new();
    for name in 0..40 {
        leases.push(leased(&store, &format!("run-{name}")).await);
    }
    let mut ended = 0;
    let cuts = cut_everywhere(&proxy, async |_| {
        let lease = leases.pop().unwrap();
        succeed(&store, &lease.fence, 1).await.unwrap();
        let execution = store.get(&lease.fence.execution).await.unwrap();
        assert_eq!(execution.status, ExecutionStatus::Succeeded);
        ended += 1;
    })
    .await;
    assert!(cuts >= 6 && ended > cuts, "{cuts} of {ended}");
}

#[tokio::test]
async fn children_start_and_parents_resume_once_wherever_the_connection_is_cut() {
    let Some((_server, proxy, url)) = behind_proxy().await else {
        return;
    };
    let store = open(&url).await;
    let run = async |name: String| {
        let lease = leased(&store, &name).await;
        let child = format!("{name}.1");
        let mut invoke = step(1);
        (invoke.kind, invoke.status, invoke.payload) =
            (Kind::Invoke, durable_core::Status::Started, None);
        invoke.handle = Some(child.clone());
        let parent = durable_core::store::Parent {
            execution: id(&name),
            seq: 1,
            operation: invoke.id,
        };
        let both = Batch {
            id: 1,
            records: vec![invoke],
            children: vec![new(&child).for_parent(parent)],
            ..Batch::default()
        };
        store
            .checkpoint(&lease.fence, Arc::new(both))
            .await
            .unwrap();
        let under = store.claim(&id(&child), now(), TTL).await.unwrap();
        succeed(&store, &under.fence, 1).await.unwrap();
        let told = store.get(&id(&name)).await.unwrap();
        assert_eq!(told.changes, 1, "{name} was told");
        let outcome = &store.history(&id(&name)).await.unwrap()[0];
        assert_eq!(outcome.payload, Some(Payload::json("1")));
    };
    run("warm".to_owned()).await;
    let cuts = cut_everywhere(&proxy, run).await;
    assert!(cuts > 40, "{cuts} messages only");
}

#[tokio::test]
async fn calls_of_clients_take_effect_once_wherever_the_connection_is_cut() {
    let Some((_server, proxy, url)) = behind_proxy().await else {
        return;
    };
    let store = open(&url).await;
    let run = async |name: String| {
        let started = store.start(new(&name)).await.unwrap();
        assert!(
            matches!(started, durable_core::store::Started::Created(_)),
            "{name}"
        );
        let lease = store.claim(&id(&name), now(), TTL).await.unwrap();
        assert!(!lease.was_interrupted, "{name}");
        let mut asked = step(1);
        (asked.kind, asked.status, asked.payload) =
            (Kind::Callback, durable_core::Status::Started, None);
        let callback = format!("{name}:1:{}:{:032x}", asked.id, 7);
        asked.handle = Some(callback.clone());
        let waits = Batch {
            id: 1,
            records: vec![asked],
            execution: Some(ExecutionUpdate::Suspend { wake_at: None }),
            ..Batch::default()
        };
        store
            .checkpoint(&lease.fence, Arc::new(waits))
            .await
            .unwrap();
        let outcome = Completion::Succeed(Payload::json("true"));
        store
            .complete(&callback.parse().unwrap(), outcome, now())
            .await
            .unwrap();
        store.cancel(&id(&name), now()).await.unwrap();
        let execution = store.get(&id(&name)).await.unwrap();
        assert_eq!((execution.changes, execution.cancel), (2, true), "{name}");
    };
    run("warm".to_owned()).await;
    let cuts = cut_everywhere(&proxy, run).await;
    assert!(cuts > 40, "{cuts} messages only");
}

#[tokio::test]
async fn messages_are_accepted_and_received_once_wherever_the_connection_is_cut() {
    let Some((_server, proxy, url)) = behind_proxy().await else {
        return;
    };
    let store = open(&url).await;
    let message = |id| NewMessage::new(id, "line", Payload::json("1")).unwrap();
    let run = async |name: String| {
        let started = store.start_with_message(new(&name), message("m1"));
        let started = started.await.unwrap();
        assert!(
            matches!(started, durable_core::store::Started::Created(_)),
            "{name}"
        );
        store.send(&id(&name), message("m2"), now()).await.unwrap();
        let lease = store.claim(&id(&name), now(), TTL).await.unwrap();
        let mut receive = step(1);
        (receive.kind, receive.handle) = (Kind::Receive, Some("1".to_owned()));
        let received = Batch {
            id: 1,
            records: vec![receive],
            seen: 2,
            messages_after: Some(0),
            ..Batch::default()
        };
        let ack = store.checkpoint(&lease.fence, Arc::new(received)).await;
        let waiting: Vec<_> = ack.unwrap().messages.iter().map(|m| m.number).collect();
        assert_eq!(waiting, [2], "{name}");
        let messages = store.messages(&id(&name)).await.unwrap();
        let receivers: Vec<_> = messages.iter().map(|m| m.received_by).collect();
        assert_eq!(receivers, [Some(1), None], "{name}");
        assert_eq!(store.get(&id(&name)).await.unwrap().changes, 2, "{name}");
    };
    run("warm".to_owned()).await;
    let cuts = cut_everywhere(&proxy, run).await;
    assert!(cuts > 30, "{cuts} messages only");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disconnected_holder_writes_nothing_after_its_lease_has_expired() {
    let Some((server, proxy, url)) = behind_proxy().await else {
        return;
    };
    let direct = url.replace(&proxy.port().to_string(), &server.port().to_string());
    let (zombie, other) = (open(&url).await, open(&direct).await);
    let lease = leased_for(&zombie, "a", Duration::from_millis(400)).await;
    steps(&zombie, &lease.fence, 1, 3).await.unwrap();
    proxy.silence();
    let late = {
        let (zombie, fence) = (zombie.clone(), lease.fence.clone());
        tokio::spawn(async move { zombie.checkpoint(&fence, batch(4, None)).await })
    };
    tokio::time::sleep(Duration::from_millis(600)).await;
    let taken = other.claim(&id("a"), now(), TTL).await.unwrap();
    assert!(taken.was_interrupted);
    steps(&other, &taken.fence, 4, 5).await.unwrap();
    proxy.heal();
    let refused = late.await.unwrap().unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::FenceLost, "{refused}");
    let renewed = zombie.renew(&lease.fence, now(), TTL).await.unwrap_err();
    assert_eq!(renewed.kind(), StoreErrorKind::FenceLost, "{renewed}");
    assert_eq!(positions(&other, "a").await, [1, 2, 3, 4, 5]);
}

/// A batch that races with a takeover is either written before it or refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_batch_of_the_old_holder_is_written_after_a_takeover() {
    let Some(server) = Server::start(&[]).await else {
        return;
    };
    let url = server.database().await;
    let (old, new) = (open(&url).await, open(&url).await);
    for round in 0..60 {
        let name = format!("run-{round}");
        let lease = leased_for(&old, &name, Duration::ZERO).await;
        let write = write_all(old.clone(), lease.fence);
        let (written, taken) = tokio::join!(tokio::spawn(write), async {
            tokio::time::sleep(Duration::from_micros(fastrand::u64(..6000))).await;
            let lease = new.claim(&id(&name), now(), TTL).await.unwrap();
            new.load(&lease.fence, 0).await.unwrap().records.len()
        });
        let last = written.unwrap();
        assert_eq!(
            positions(&new, &name).await.len(),
            taken,
            "{name}: written after the takeover"
        );
        assert!(last >= taken as u64, "{name}");
    }
}

/// Writes until the lease is lost. Returns the number of batches that may have been written: those
/// acknowledged and the last one.
async fn write_all(store: PostgresStore, fence: Fence) -> u64 {
    for seq in 1.. {
        match store.checkpoint(&fence, batch(seq, None)).await {
            Ok(_) => {}
            Err(error) if error.kind() == StoreErrorKind::FenceLost => return seq,
            Err(error) => panic!("{error}"),
        }
    }
    0
}
