//! The `durable` command on a store in PostgreSQL.

use clap::Parser;
use durable_cli::{Cli, CliError};
use durable_core::store::{AdminStore, Filter};
use durable_postgres_tests::Server;

use crate::support::{leased, open, steps, succeed};

/// Runs a command, and returns its output.
pub(crate) async fn run(url: &str, words: &[&str]) -> Result<String, CliError> {
    let first = ["durable", "--store", url];
    let all = first.iter().chain(words);
    durable_cli::run(Cli::parse_from(all), durable_cli::render::Style::Plain).await
}

#[tokio::test]
async fn the_command_works_on_postgres() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let url = server.database().await;
    let error = run(&url, &["ls"]).await.unwrap_err().to_string();
    assert!(error.contains("the tables do not exist"), "{error}");
    let store = open(&url).await;
    let lease = leased(&store, "order-1").await;
    steps(&store, &lease.fence, 1, 2).await.unwrap();
    succeed(&store, &lease.fence, 3).await.unwrap();
    let listed = run(&url, &["ls"]).await.unwrap();
    assert!(
        listed.contains("order-1") && listed.contains("succeeded"),
        "{listed}"
    );
    let shown = run(&url, &["show", "order-1"]).await.unwrap();
    assert!(shown.contains("load"), "{shown}");
    run(&url, &["start", "etl", "order-2", "--input", "7"])
        .await
        .unwrap();
    run(&url, &["cancel", "order-2"]).await.unwrap();
    run(&url, &["queue", "set", "mail", "--concurrency", "2"])
        .await
        .unwrap();
    assert!(run(&url, &["queue", "ls"]).await.unwrap().contains("mail"));
    run(&url, &["rm", "order-1", "--yes"]).await.unwrap();
    let left = store.list(Filter::default()).await.unwrap();
    assert_eq!(left.len(), 1);
}
