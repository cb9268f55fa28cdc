//! Rows that were changed by others than the store: detected by checksums, without effect on other executions.

use std::time::Duration;

use durable_core::store::{
    AdminStore, CheckpointStore, ClaimRequest, ExecutionStatus, ExecutionStore, HandlerBuild,
    StoreErrorKind, WorkStore, WorkerFilter,
};
use durable_postgres_tests::Server;

use crate::support::{TTL, id, leased, new, now, open, sql, steps, succeed};

#[tokio::test]
async fn a_changed_value_is_refused() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let url = server.database().await;
    let store = open(&url).await;
    let lease = leased(&store, "a").await;
    steps(&store, &lease.fence, 1, 3).await.unwrap();
    sql(&url, "UPDATE durable.records SET data = '7' WHERE seq = 2").await;
    for error in [
        store.load(&lease.fence, 0).await.unwrap_err(),
        store.history(&id("a")).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
        assert!(
            error.to_string().contains("record 2 of execution `a`"),
            "{error}"
        );
    }
    let other = leased(&store, "b").await;
    succeed(&store, &other.fence, 1).await.unwrap();
    sql(
        &url,
        "UPDATE durable.executions SET output = '2' WHERE id = 'b'",
    )
    .await;
    let error = store.get(&id("b")).await.unwrap_err();
    assert!(error.to_string().contains("column `output`"), "{error}");
}

#[tokio::test]
async fn an_unreadable_execution_does_not_stop_others() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let url = server.database().await;
    let store = open(&url).await;
    store.start(new("a")).await.unwrap();
    store.start(new("b")).await.unwrap();
    sql(
        &url,
        "UPDATE durable.executions SET input = 'nul' WHERE id = 'a'",
    )
    .await;
    let error = store.claim(&id("a"), now(), TTL).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    let wanted = WorkerFilter {
        handlers: vec![HandlerBuild {
            name: "etl".to_owned(),
            build: "1".to_owned(),
        }],
        queues: None,
    };
    let how = ClaimRequest {
        limit: 9,
        now: now(),
        ttl: Duration::from_secs(60),
        recover: true,
    };
    let claimed = store.claim_due(&wanted, how).await.unwrap();
    let names: Vec<_> = claimed
        .leases
        .iter()
        .map(|lease| lease.execution.id.as_str())
        .collect();
    assert_eq!(names, ["b"]);
    // Once repaired, the execution is readable and blocked, with the reason.
    sql(
        &url,
        "UPDATE durable.executions SET input = 'null' WHERE id = 'a'",
    )
    .await;
    let found = store.get(&id("a")).await.unwrap();
    assert_eq!(found.status, ExecutionStatus::Blocked);
    assert!(found.report.unwrap().contains("checksum"));
}
