//! Failover from a lost primary to its standby.

use std::time::Duration;

use durable_postgres_tests::Server;

use crate::support::open;
use crate::workers::{
    all_ended, assert_nothing_lost_or_repeated, audit, some_ended, start_all, worker,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_follow_a_promoted_standby() {
    const EXECUTIONS: u64 = 120;
    let Some(mut primary) = Server::start(&[]).await else {
        return;
    };
    let direct = primary.database().await;
    open(&direct).await;
    audit(&direct).await;
    let standby = primary.standby("s1").await;
    primary.set("synchronous_standby_names", "'s1'").await;
    let hosts = |first: &Server, second: &Server| {
        format!(
            "postgres://postgres@127.0.0.1:{},127.0.0.1:{}/test_0?sslmode=disable&connect_timeout=2",
            first.port(),
            second.port()
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let store = open(&hosts(&primary, &standby)).await;
    // One of the workers tries the standby first and skips it.
    let other = open(&hosts(&standby, &primary)).await;
    start_all(&store, EXECUTIONS).await;
    let workers = [store.clone(), other]
        .map(|store| tokio::spawn(worker(store, folder.path()).run_until(std::future::pending())));
    some_ended(&store, 20).await;
    primary.kill();
    tokio::time::sleep(Duration::from_millis(700)).await;
    standby.promote();
    all_ended(&store, EXECUTIONS).await;
    workers.iter().for_each(tokio::task::JoinHandle::abort);
    assert_nothing_lost_or_repeated(&store, &standby.url("test_0"), folder.path(), EXECUTIONS)
        .await;
}
