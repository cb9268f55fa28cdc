//! Number of statements and commits: one statement per step, shared by concurrent executions, without reads.

use durable::Worker;
use durable::prelude::*;
use durable_core::Payload;
use durable_core::store::{
    CheckpointStore, ExecutionStore, MessageStore, NewMessage, StoreErrorKind,
};
use durable_postgres_tests::{Server, client};
use tokio::task::JoinSet;

use crate::support::{TTL, batch, id, leased, new, now, open, positions, steps, succeed};

const COUNTED: [(&str, &str); 1] = [("shared_preload_libraries", "pg_stat_statements")];

#[durable]
async fn sequential(n: u64) -> Result<u64, BoxError> {
    let mut total = 0;
    for i in 0..n {
        total += step!("load", key = i, Ok::<_, String>(i)).await?;
    }
    Ok(total)
}

/// Statements on the tables of the store, each with its number of calls.
async fn counted(url: &str) -> Vec<(String, i64)> {
    let rows = client(url)
        .await
        .unwrap()
        .query(
            "SELECT query, calls FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = \
             current_database() AND query LIKE '%durable.%' AND query NOT LIKE '%pg_stat_statements%'",
            &[],
        )
        .await
        .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn a_step_is_one_statement_without_a_read() {
    let Some(server) = Server::start(&COUNTED).await else {
        return;
    };
    let url = server.database().await;
    let store = open(&url).await;
    let reset = "CREATE EXTENSION pg_stat_statements; SELECT pg_stat_statements_reset()";
    crate::support::sql(&url, reset).await;
    let begun = std::time::Instant::now();
    let run = durable::run(sequential, "a", 200).store(store.clone());
    assert_eq!(run.await.unwrap(), 199 * 100);
    let counted = counted(&url).await;
    let writes = |(query, _): &&(String, i64)| query.contains("INSERT INTO durable.records");
    let steps: i64 = counted.iter().filter(writes).map(|(_, calls)| calls).sum();
    assert_eq!(
        steps, 201,
        "one for each step and one for the end: {counted:#?}"
    );
    // Besides, the store polls for external events at fixed intervals.
    let is_poll = |(query, _): &&(String, i64)| {
        query.contains("SELECT changes, status") || query.contains("SELECT id, changes")
    };
    let polls: i64 = counted.iter().filter(is_poll).map(|(_, calls)| calls).sum();
    let most = 2 + begun.elapsed().as_millis() / 250;
    assert!(polls as u128 <= most, "{counted:#?}");
    let all: i64 = counted.iter().map(|(_, calls)| calls).sum();
    assert_eq!(
        all - polls,
        203,
        "and one each for the start and the claim: {counted:#?}"
    );
}

/// Position in the log of the server.
async fn logged(url: &str) -> i64 {
    let position = "SELECT (pg_current_wal_insert_lsn() - '0/0')::int8";
    let row = client(url).await.unwrap().query_one(position, &[]).await;
    row.unwrap().get(0)
}

#[tokio::test]
async fn a_step_adds_at_most_450_bytes_to_the_log() {
    // The first write to a page after a checkpoint logs the whole page.
    let settings = [("full_page_writes", "off"), ("autovacuum", "off")];
    let Some(server) = Server::start(&settings).await else {
        return;
    };
    let url = server.database().await;
    let store = open(&url).await;
    let mut positions = vec![logged(&url).await];
    for (id, steps) in [("a", 50), ("b", 550)] {
        durable::run(sequential, id, steps)
            .store(store.clone())
            .await
            .unwrap();
        positions.push(logged(&url).await);
    }
    // The difference of two lengths leaves out the start and the end of an execution.
    let [begun, short, long] = positions[..] else {
        unreachable!()
    };
    let bytes = ((long - short) - (short - begun)) / 500;
    assert!(bytes <= 450, "{bytes} bytes for each step");
}

#[durable]
async fn collecting(n: u64) -> Result<u64, BoxError> {
    let mut total = 0;
    for i in 0..n {
        let number: u64 = receive!("number", key = i).await?;
        total += step!("load", key = i, Ok::<_, String>(number)).await?;
    }
    Ok(total)
}

#[tokio::test]
async fn a_receive_is_one_statement_and_so_is_a_step_after_it() {
    let Some(server) = Server::start(&COUNTED).await else {
        return;
    };
    let url = server.database().await;
    let store = open(&url).await;
    let client = durable::Client::new(store.clone());
    client.start(collecting, "a", 50).await.unwrap();
    for i in 0..50 {
        client.send("a", "number", &i).await.unwrap();
    }
    let reset = "CREATE EXTENSION pg_stat_statements; SELECT pg_stat_statements_reset()";
    crate::support::sql(&url, reset).await;
    let run = durable::run(collecting, "a", 50).store(store.clone());
    assert_eq!(run.await.unwrap(), 49 * 25);
    let counted = counted(&url).await;
    let calls = |part: &str| -> i64 {
        let matching = counted.iter().filter(|(query, _)| query.contains(part));
        matching.map(|(_, calls)| calls).sum()
    };
    assert_eq!(
        calls("INSERT INTO durable.records"),
        102,
        "one for the first question, one for each receive and each step, and one for the end: {counted:#?}"
    );
    assert_eq!(calls("durable.messages"), 102, "{counted:#?}");
}

#[tokio::test]
async fn a_send_is_one_transaction_of_four_statements_and_a_repeated_one_of_two() {
    let Some(server) = Server::start(&[]).await else {
        return;
    };
    let store = open(&server.database().await).await;
    store.start(new("a")).await.unwrap();
    for expected in [4, 2] {
        let message = NewMessage::new("m1", "line", Payload::json("1")).unwrap();
        let before = store.stats();
        store.send(&id("a"), message, now()).await.unwrap();
        let after = store.stats();
        // Besides, the notification of other processes may be a statement.
        let statements = after.statements - before.statements;
        assert!(
            statements == expected || statements == expected + 1,
            "{statements} statements"
        );
        assert_eq!(after.commits - before.commits, 1);
    }
}

#[tokio::test]
async fn a_start_is_one_statement_with_or_without_labels() {
    let Some(server) = Server::start(&COUNTED).await else {
        return;
    };
    let url = server.database().await;
    let store = open(&url).await;
    let reset = "CREATE EXTENSION pg_stat_statements; SELECT pg_stat_statements_reset()";
    crate::support::sql(&url, reset).await;
    let mut labelled = new("a");
    for n in 0..10 {
        labelled.labels = labelled.labels.with(format!("label-{n}"), "x").unwrap();
    }
    store.start(labelled).await.unwrap();
    store.start(new("b")).await.unwrap();
    let counted = counted(&url).await;
    let starts = |query: &str| query.contains("INSERT INTO durable.executions");
    let calls = |labelled: bool| -> i64 {
        let matching = counted.iter().filter(|(query, _)| {
            starts(query) && query.contains("INSERT INTO durable.labels") == labelled
        });
        matching.map(|(_, calls)| calls).sum()
    };
    assert_eq!((calls(true), calls(false)), (1, 1), "{counted:#?}");
    let reads = |(query, _): &&(String, i64)| {
        query.contains("SELECT changes, status") || query.contains("SELECT id, changes")
    };
    let others = counted
        .iter()
        .filter(|entry| !starts(&entry.0) && !reads(entry));
    assert_eq!(others.count(), 0, "{counted:#?}");
}

/// A statement is planned for its parameters a few times on each connection, and then never again.
#[tokio::test]
async fn frequent_statements_are_not_planned_again() {
    let planning = ("pg_stat_statements.track_planning", "on");
    let Some(server) = Server::start(&[COUNTED[0], planning]).await else {
        return;
    };
    let url = server.database().await;
    let store = open(&url).await;
    let reset = "CREATE EXTENSION pg_stat_statements; SELECT pg_stat_statements_reset()";
    crate::support::sql(&url, reset).await;
    let starter = durable::Client::new(store.clone());
    let worker = Worker::new(store.clone()).register(sequential);
    let runs = async {
        for n in 0..300 {
            let started = starter.start(sequential, format!("run-{n}"), 1).await;
            assert_eq!(started.unwrap().result().await.unwrap(), 0);
        }
    };
    worker.run_until(runs).await.unwrap();
    let planned = "SELECT query, calls, plans FROM pg_stat_statements WHERE calls >= 200 AND query LIKE '%durable.%' AND query \
                   NOT LIKE '%pg_stat_statements%'";
    let rows = client(&url)
        .await
        .unwrap()
        .query(planned, &[])
        .await
        .unwrap();
    assert!(rows.len() >= 6, "{} frequent statements", rows.len());
    for row in &rows {
        let (query, calls, plans): (String, i64, i64) = (row.get(0), row.get(1), row.get(2));
        assert!(
            plans * 2 < calls,
            "{plans} plans for {calls} calls: {query}"
        );
    }
}

#[tokio::test]
async fn a_resume_is_one_read() {
    let Some(server) = Server::start(&[]).await else {
        return;
    };
    let store = open(&server.database().await).await;
    let lease = leased(&store, "a").await;
    steps(&store, &lease.fence, 1, 300).await.unwrap();
    let before = store.stats();
    let page = store.load(&lease.fence, 0).await.unwrap();
    let after = store.stats();
    assert_eq!((page.records.len(), page.next), (300, None));
    assert_eq!(
        (
            after.reads - before.reads,
            after.statements - before.statements
        ),
        (1, 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_executions_share_statements_and_commits() {
    const EXECUTIONS: u64 = 64;
    const STEPS: u64 = 20;
    let Some(server) = Server::start(&[]).await else {
        return;
    };
    let store = open(&server.database().await).await;
    let mut leases = Vec::new();
    for n in 0..EXECUTIONS {
        leases.push(leased(&store, &format!("run-{n}")).await);
    }
    let before = store.stats();
    let mut tasks = JoinSet::new();
    for lease in leases {
        let store = store.clone();
        tasks.spawn(async move { steps(&store, &lease.fence, 1, STEPS).await.unwrap() });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let after = store.stats();
    let batches = after.batches - before.batches;
    let (commits, statements) = (
        after.commits - before.commits,
        after.statements - before.statements,
    );
    assert_eq!(batches, EXECUTIONS * STEPS);
    assert!(
        commits * 6 < batches,
        "{commits} commits for {batches} batches"
    );
    assert!(
        statements * 6 < batches,
        "{statements} statements for {batches} batches"
    );
    for n in 0..EXECUTIONS {
        let expected: Vec<_> = (1..=STEPS).collect();
        assert_eq!(positions(&store, &format!("run-{n}")).await, expected);
    }
}

#[tokio::test]
async fn tasks_that_are_ready_share_a_statement() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let store = open(&server.database().await).await;
    let mut leases = Vec::new();
    for n in 0..20 {
        leases.push(leased(&store, &format!("run-{n}")).await);
    }
    let before = store.stats();
    let mut writes = JoinSet::new();
    for lease in leases {
        let store = store.clone();
        writes.spawn(async move { steps(&store, &lease.fence, 1, 1).await.unwrap() });
    }
    writes.join_all().await;
    let after = store.stats();
    let counted = (
        after.batches - before.batches,
        after.statements - before.statements,
    );
    assert_eq!(counted, (20, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_fence_does_not_affect_other_batches_of_the_group() {
    let Some(server) = Server::start(&[]).await else {
        return;
    };
    let url = server.database().await;
    let store = open(&url).await;
    let mut leases = Vec::new();
    for n in 0..16 {
        leases.push(leased(&store, &format!("run-{n}")).await);
    }
    // Two of the leases expire and are taken over.
    let expire = "UPDATE durable.leases SET expires_at = 0 WHERE execution IN (SELECT key FROM durable.executions WHERE id \
                  IN ('run-3', 'run-7'))";
    crate::support::sql(&url, expire).await;
    for n in [3, 7] {
        let taken = store.claim(&id(&format!("run-{n}")), now(), TTL).await;
        assert!(taken.unwrap().was_interrupted);
    }
    let mut writes = JoinSet::new();
    for (n, lease) in leases.into_iter().enumerate() {
        let store = store.clone();
        writes.spawn(async move { (n, store.checkpoint(&lease.fence, batch(1, None)).await) });
    }
    while let Some(done) = writes.join_next().await {
        let (n, answer) = done.unwrap();
        match [3, 7].contains(&n) {
            true => assert_eq!(answer.unwrap_err().kind(), StoreErrorKind::FenceLost),
            false => drop(answer.unwrap()),
        }
    }
    for n in 0..16 {
        let expected: &[u64] = if [3, 7].contains(&n) { &[] } else { &[1] };
        assert_eq!(positions(&store, &format!("run-{n}")).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_processes_are_notified_of_an_end() {
    let Some(server) = Server::start(&[]).await else {
        return;
    };
    let url = server.database().await;
    for more in ["", "&listen=false"] {
        let (here, there) = (open(&format!("{url}{more}")).await, open(&url).await);
        let name = format!("a{}", more.len());
        let lease = leased(&here, &name).await;
        let waiting = tokio::spawn(async move { there.changed(&id(&name), 0).await });
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
        assert!(!waiting.is_finished());
        succeed(&here, &lease.fence, 1).await.unwrap();
        let told = tokio::time::timeout(std::time::Duration::from_secs(5), waiting);
        told.await.unwrap().unwrap().unwrap();
    }
}
