//! Costs of a step, counted.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use durable::prelude::*;
use durable::sqlite::SqliteStore;
use durable::store::MemoryStore;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Crash, TokioClock, process};

/// A body that awaits real I/O: a round trip over a socket.
async fn over_the_wire(n: u32) -> Result<u32, std::io::Error> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let mut client = tokio::net::TcpStream::connect(listener.local_addr()?).await?;
    let (mut server, _) = listener.accept().await?;
    client.write_u32(n).await?;
    let received = server.read_u32().await?;
    server.write_u32(received * 2).await?;
    client.read_u32().await
}

#[durable]
async fn sequential(n: u32) -> Result<u32, BoxError> {
    let mut total = 0;
    for i in 0..n {
        total += step!("send", key = i, over_the_wire(i).await).await?;
    }
    Ok(total)
}

#[tokio::test]
async fn a_sequential_step_is_one_commit_without_a_separate_start() {
    let memory = MemoryStore::new();
    let probe = process(&memory, Crash::Never);
    let total = durable::run(sequential, "a", 20).store(probe.clone()).await;
    assert_eq!(total.unwrap(), 380);
    assert_eq!(
        probe.checkpoints.load(SeqCst),
        20 + 1,
        "one each, one for the end"
    );
    assert_eq!(probe.records.load(SeqCst), 20);
    assert_eq!(probe.lone_starts.load(SeqCst), 0);
    assert_eq!(probe.loads.load(SeqCst), 1);
}

#[tokio::test]
async fn a_sequential_step_is_one_commit_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("a.db")).await.unwrap();
    let before = store.stats();
    let run = durable::run(sequential, "a", 20).store(store.clone());
    assert_eq!(run.await.unwrap(), 380);
    let stats = store.stats();
    assert_eq!(
        stats.commits - before.commits,
        20 + 3,
        "one per step; one each for start, claim and end"
    );
}

#[durable]
async fn slow(millis: u64) -> Result<(), BoxError> {
    for i in 0..3_u32 {
        step!(
            "sleep",
            key = i,
            async {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Ok::<_, String>(())
            }
            .await
        )
        .await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_start_is_written_alone_only_after_its_body_has_run_for_half_a_second() {
    for (millis, lone_starts) in [(499, 0), (501, 3)] {
        let memory = MemoryStore::new();
        let probe = process(&memory, Crash::Never);
        let run = durable::run(slow, "a", millis).clock(TokioClock::shared());
        run.store(probe.clone()).await.unwrap();
        assert_eq!(probe.lone_starts.load(SeqCst), lone_starts, "{millis} ms");
    }
}

#[durable]
async fn concurrent(n: u32) -> Result<u32, BoxError> {
    let ones = futures::future::try_join_all((0..n).map(|i| {
        step!(
            "one",
            key = i,
            async {
                tokio::task::yield_now().await;
                Ok::<u32, String>(1)
            }
            .await
        )
    }))
    .await?;
    Ok(ones.iter().sum())
}

#[tokio::test]
async fn concurrent_steps_share_commits() {
    let memory = MemoryStore::new();
    let probe = process(&memory, Crash::Never);
    let run = durable::run(concurrent, "a", 100).store(probe.clone());
    assert_eq!(run.await.unwrap(), 100);
    let checkpoints = probe.checkpoints.load(SeqCst);
    assert!(checkpoints <= 4, "{checkpoints} checkpoints for 100 steps");
}

#[durable]
async fn waits(n: u32) -> Result<(), BoxError> {
    for _ in 0..n {
        wait!(Duration::from_secs(3600)).await;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_resume_is_one_read_and_a_wait_is_one_commit() {
    let memory = MemoryStore::new();
    let probe = process(&memory, Crash::Never);
    let report = durable::run(waits, "a", 5)
        .clock(TokioClock::shared())
        .store(probe.clone())
        .report()
        .await;
    report.output.unwrap();
    assert_eq!(report.invocations, 6);
    assert_eq!(probe.loads.load(SeqCst), 6, "one read per resume");
    assert_eq!(
        probe.checkpoints.load(SeqCst),
        5 + 1,
        "the START of a wait and the suspension are one commit"
    );
}

#[tokio::test(start_paused = true)]
async fn short_waits_do_not_suspend() {
    let memory = MemoryStore::new();
    let report = durable::run(waits, "a", 5)
        .clock(TokioClock::shared())
        .suspend_after(Duration::from_secs(4000))
        .store(process(&memory, Crash::Never))
        .report()
        .await;
    report.output.unwrap();
    assert_eq!(report.invocations, 1);
}
