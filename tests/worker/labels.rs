//! Labels of executions, from their start to the executions that follow from them.

use durable::prelude::*;
use durable::store::{ExecutionStatus, Filter, MemoryStore};
use durable::{Bulk, Client, Labels, RunError, Worker};

use crate::support::{Serving, status, stores, until};

#[durable]
async fn leaf(n: u32) -> Result<String, BoxError> {
    let tenant = execution!()
        .labels()
        .get("tenant")
        .unwrap_or("none")
        .to_owned();
    Ok(step!("tenant", Ok::<_, String>(format!("{tenant} {n}"))).await?)
}

#[durable]
async fn tree(n: u32) -> Result<String, BoxError> {
    let found = invoke!("leaf", leaf(n)).await?;
    if n > 0 {
        continue_as!(n - 1).await
    }
    Ok(found)
}

fn of_tenant(tenant: &str) -> Filter {
    Filter {
        labels: Labels::new().with("tenant", tenant).unwrap(),
        ..Filter::default()
    }
}

#[tokio::test]
async fn children_and_successors_have_the_labels_of_their_origin() {
    for (store, _kept) in stores().await {
        let client = Client::new(store.clone());
        let worker = Worker::new(store.clone());
        let serving = Serving::begin(worker.register(tree).register(leaf));
        let start = client
            .start(tree, "a", 1)
            .label("tenant", "acme")
            .label("env", "prod");
        let handle = start.await.unwrap();
        client
            .start(tree, "b", 1)
            .await
            .unwrap()
            .result()
            .await
            .unwrap();
        assert_eq!(handle.result().await.unwrap(), "acme 0");
        let selected = client.select(of_tenant("acme"));
        let ids = selected.ids().await.unwrap();
        assert_eq!(
            ids.len(),
            4,
            "two executions of the chain and two children: {ids:?}"
        );
        assert!(ids.iter().all(|id| id.as_str().starts_with('a')), "{ids:?}");
        until(async || selected.affected(&Bulk::Delete).await.unwrap().len() == 4).await;
        assert_eq!(selected.apply(Bulk::Delete).await.unwrap().done.len(), 4);
        assert!(client.list(of_tenant("acme")).await.unwrap().is_empty());
        serving.stop().await;
    }
}

#[tokio::test]
async fn a_run_starts_an_execution_with_labels() {
    let store = MemoryStore::new();
    let run = durable::run(leaf, "a", 1).label("tenant", "acme");
    assert_eq!(run.store(store.clone()).await.unwrap(), "acme 1");
    // It exists, so that its labels stay.
    let run = durable::run(leaf, "a", 1).label("tenant", "other");
    assert_eq!(run.store(store.clone()).await.unwrap(), "acme 1");
    let client = Client::new(store.clone());
    assert_eq!(client.list(of_tenant("acme")).await.unwrap().len(), 1);
    assert_eq!(status(&store, "a").await, ExecutionStatus::Succeeded);
}

#[tokio::test]
async fn invalid_labels_start_nothing() {
    let store = MemoryStore::new();
    let client = Client::new(store.clone());
    let started = client
        .start(leaf, "a", 1)
        .label("two words", "x")
        .label("ok", "y");
    let errors = [
        started.await.unwrap_err(),
        durable::run(leaf, "a", 1)
            .label("", "x")
            .store(store.clone())
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, RunError::Usage(_)), "{error:?}");
        assert!(error.to_string().contains("invalid label key"), "{error}");
    }
    assert!(client.list(Filter::default()).await.unwrap().is_empty());
}
