//! Creation of the tables, privileges, and tables of newer releases.

use durable_core::Labels;
use durable_core::store::{
    AdminStore, CheckpointStore, Durability, ExecutionStore, Filter, NewExecution, StoreErrorKind,
};
use durable_postgres::PostgresStore;
use durable_postgres_tests::Server;
use tokio::task::JoinSet;

use crate::support::{leased, new, open, sql, steps};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_processes_create_the_tables_once() {
    let Some(server) = Server::start(&[("max_connections", "200")]).await else {
        return;
    };
    let url = server.database().await;
    let mut tasks = JoinSet::new();
    for n in 0..12 {
        let url = url.clone();
        tasks.spawn(async move {
            let store = open(&url).await;
            store.start(new(&format!("run-{n}"))).await.unwrap();
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let all = open(&url).await.list(Filter::default()).await.unwrap();
    assert_eq!(all.len(), 12);
}

#[tokio::test]
async fn refuses_tables_of_a_newer_release_and_leaves_them_unchanged() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let url = server.database().await;
    open(&url).await.start(new("a")).await.unwrap();
    sql(&url, "UPDATE durable.settings SET value = '99'").await;
    let error = PostgresStore::connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TooNew, "{error}");
    let text = error.to_string();
    for word in ["version 99", "up to 5", "newer release", "schema `durable`"] {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
    sql(&url, "UPDATE durable.settings SET value = '5'").await;
    assert_eq!(
        open(&url)
            .await
            .list(Filter::default())
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn schemas_of_one_database_are_independent() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let url = server.database().await;
    let one = open(&format!("{url}&schema=one")).await;
    let two = open(&format!("{url}&schema=two")).await;
    one.start(new("a")).await.unwrap();
    assert!(two.list(Filter::default()).await.unwrap().is_empty());
}

#[tokio::test]
async fn creates_nothing_with_create_false() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let url = server.database().await;
    let careful = format!("{url}&create=false");
    let error = PostgresStore::connect(&careful).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unusable, "{error}");
    sql(&url, "CREATE SCHEMA durable").await;
    open(&url).await;
    open(&careful).await;
}

#[tokio::test]
async fn reports_missing_privileges() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let url = server.database().await;
    let as_app = url.replace("postgres@", "app@");
    sql(&url, "CREATE ROLE app LOGIN").await;
    let error = PostgresStore::connect(&as_app).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unusable, "{error}");
    assert!(error.to_string().contains("lacks a privilege"), "{error}");
    open(&url).await;
    let grants = "GRANT USAGE ON SCHEMA durable TO app; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA durable \
                  TO app";
    sql(&url, grants).await;
    let store = open(&as_app).await;
    let lease = leased(&store, "a").await;
    steps(&store, &lease.fence, 1, 2).await.unwrap();
}

#[tokio::test]
async fn reports_a_server_that_does_not_flush() {
    for (fsync, synchronous, expected) in [
        ("on", "on", Durability::Power),
        ("on", "off", Durability::Process),
        ("off", "on", Durability::Process),
    ] {
        let settings = [("fsync", fsync), ("synchronous_commit", synchronous)];
        let Some(server) = Server::start(&settings).await else {
            return;
        };
        let store = open(&server.database().await).await;
        let durability = store.capabilities().durability;
        assert_eq!(durability, expected, "{settings:?}");
    }
}

#[tokio::test]
async fn tables_of_the_first_release_are_migrated() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let url = server.database().await;
    open(&url).await.start(new("a")).await.unwrap();
    let older = "DROP TABLE durable.labels, durable.messages; ALTER TABLE durable.executions DROP COLUMN labels, DROP COLUMN forked_from, \
                 DROP COLUMN trace; DROP INDEX durable.executions_state, durable.executions_started; \
                 UPDATE durable.settings SET value = '1'";
    sql(&url, older).await;
    let store = open(&url).await;
    let labels = Labels::new().with("tenant", "acme").unwrap();
    let labelled = NewExecution {
        labels: labels.clone(),
        ..new("b")
    };
    store.start(labelled).await.unwrap();
    let ids = async |labels| {
        let filter = Filter {
            labels,
            ..Filter::default()
        };
        let found = store.list(filter).await.unwrap().into_iter();
        found
            .map(|execution| execution.id.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(Labels::new()).await, ["a", "b"]);
    assert_eq!(ids(labels).await, ["b"]);
}
