//! Executions that begin with the history of another one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use durable::prelude::*;
use durable::store::{
    ExecutionStatus, MemoryStore, PayloadCodec, SealContext, SealedStore, Started, Store,
};
use durable::{Client, ExecutionId, RetryFrom, RunError, Worker};

use crate::support::{self, Effects, Serving, status, until};

#[derive(Default)]
struct Shop {
    effects: Effects,
    broken: AtomicBool,
}

impl Shop {
    fn note(&self, what: &str) -> Result<String, BoxError> {
        self.effects.note(what);
        Ok(what.to_owned())
    }

    fn pay(&self, amount: u32) -> Result<u32, BoxError> {
        self.effects.note(format!("pay {amount}"));
        match self.broken.load(Ordering::SeqCst) {
            true => Err("declined".into()),
            false => Ok(amount),
        }
    }
}

#[durable]
async fn payment(shop: &Shop, amount: u32) -> Result<u32, BoxError> {
    Ok(step!("charge", retry = Retry::none(), shop.pay(amount)).await?)
}

#[durable]
async fn order(shop: &Shop, amount: u32) -> Result<String, BoxError> {
    let reserved = step!(
        "reserve",
        undo = |_| shop.note("release").map(drop),
        shop.note("reserve")
    )
    .await?;
    let paid = invoke!("pay", payment(amount)).await?;
    let approved: bool = callback!("approve").await?;
    step!("ship", shop.note("ship")).await?;
    Ok(format!("{reserved} {paid} {approved} {amount}"))
}

/// Seals bytes for one place only.
struct Bound;

impl PayloadCodec for Bound {
    fn name(&self) -> &str {
        "bound:1"
    }

    fn seal(&self, context: &SealContext<'_>, bytes: &[u8]) -> Result<Vec<u8>, BoxError> {
        Ok([&context.associated_data()[..], &[0xff; 4], bytes].concat())
    }

    fn open(&self, context: &SealContext<'_>, bytes: &[u8]) -> Result<Vec<u8>, BoxError> {
        let place = [&context.associated_data()[..], &[0xff; 4]].concat();
        let opened = bytes
            .strip_prefix(&place[..])
            .ok_or("sealed in another place")?;
        Ok(opened.to_owned())
    }

    fn sealed_len(&self, len: usize) -> usize {
        len + 2000
    }
}

/// Also a sealed store: what a fork takes over is sealed for another execution.
async fn stores() -> Vec<(Arc<dyn Store>, Option<tempfile::TempDir>)> {
    let mut stores = support::stores().await;
    let sealed = SealedStore::new(MemoryStore::new(), [Bound]).unwrap();
    stores.push((Arc::new(sealed), None));
    stores
}

fn id(text: &str) -> ExecutionId {
    text.parse().unwrap()
}

/// Completes the callback of an execution of `order`, once it waits for it.
async fn approve(client: &Client, execution: &str, value: bool) {
    let execution = id(execution);
    let callback = async || {
        let history = client.history(&execution).await.unwrap();
        let waiting = history.into_iter().find(|record| record.name == "approve");
        waiting.and_then(|record| record.handle)
    };
    until(async || callback().await.is_some()).await;
    client
        .complete(&callback().await.unwrap(), &value)
        .await
        .unwrap();
}

struct Setting {
    store: Arc<dyn Store>,
    client: Client,
    shop: Arc<Shop>,
    serving: Serving,
}

impl Setting {
    fn new(store: &Arc<dyn Store>) -> Self {
        let shop = Arc::new(Shop::default());
        let worker = Worker::new(store.clone()).state(shop.clone());
        Self {
            store: store.clone(),
            client: Client::new(store.clone()),
            serving: Serving::begin(worker.register(order).register(payment)),
            shop,
        }
    }

    fn count(&self, what: &str) -> usize {
        self.shop.effects.count(what)
    }
}

#[tokio::test]
async fn a_fork_keeps_what_came_before_and_runs_the_rest() {
    for (store, _kept) in stores().await {
        let test = Setting::new(&store);
        let client = &test.client;
        let origin = client
            .start(order, "a", 7)
            .label("tenant", "acme")
            .await
            .unwrap();
        approve(client, "a", true).await;
        assert_eq!(origin.result().await.unwrap(), "reserve 7 true 7");
        let before = (
            origin.describe().await.unwrap(),
            client.history(origin.id()).await.unwrap(),
        );

        let started = client.fork(&id("a"), "b").before("approve").await.unwrap();
        let Started::Created(execution) = started else {
            panic!("{started:?}")
        };
        let forked_from = execution.forked_from.unwrap();
        assert_eq!(
            (forked_from.execution, forked_from.seq, forked_from.records),
            (id("a"), 2, 2)
        );
        assert_eq!(execution.labels.get("tenant"), Some("acme"));
        approve(client, "b", false).await;
        let fork = client.handle(order, "b").unwrap();
        assert_eq!(fork.result().await.unwrap(), "reserve 7 false 7");

        // The input is new, what came of the old one stays.
        client
            .fork(&id("a"), "c")
            .after("approve")
            .input(&9)
            .await
            .unwrap();
        let other = client.handle(order, "c").unwrap();
        assert_eq!(other.result().await.unwrap(), "reserve 7 true 9");

        assert_eq!(
            (
                test.count("reserve"),
                test.count("pay 7"),
                test.count("ship")
            ),
            (1, 1, 3)
        );
        let after = (
            origin.describe().await.unwrap(),
            client.history(origin.id()).await.unwrap(),
        );
        assert_eq!(before, after, "the other execution is as before");
        test.serving.stop().await;
    }
}

#[tokio::test]
async fn a_repeated_fork_changes_nothing_and_another_one_is_refused() {
    for (store, _kept) in stores().await {
        let test = Setting::new(&store);
        let client = &test.client;
        client.start(order, "a", 7).await.unwrap();
        approve(client, "a", true).await;
        until(async || status(&*test.store, "a").await == ExecutionStatus::Succeeded).await;
        client.start(order, "other", 7).await.unwrap();
        until(async || client.history(&id("other")).await.unwrap().len() == 3).await;
        let fork = |new_id: &str| client.fork(&id("a"), new_id).before("approve");
        assert!(matches!(fork("b").await.unwrap(), Started::Created(_)));
        assert!(matches!(fork("b").await.unwrap(), Started::Existing(_)));
        let refused = [
            (fork("other").await, "was not forked"),
            (fork("a").await, "was not forked"),
            (
                client.fork(&id("a"), "b").before("pay").await,
                "after record 2, not 1",
            ),
            (
                client.fork(&id("other"), "b").before("pay").await,
                "was forked from `a`",
            ),
            (fork("b").input(&8).await, "another input"),
        ];
        for (refused, why) in refused {
            let error = refused.unwrap_err();
            assert!(matches!(error, RunError::IdInUse(_)), "{error:?}");
            assert!(error.to_string().contains(why), "{error}");
        }
        let error = fork("two words").await.unwrap_err();
        assert!(matches!(error, RunError::Usage(_)), "{error:?}");
        let error = client.fork(&id("none"), "c").await.unwrap_err();
        assert!(error.to_string().contains("no execution `none`"), "{error}");
        let error = client.fork(&id("a"), "c").before("none").await.unwrap_err();
        assert!(
            error.to_string().contains("there is no operation `none`"),
            "{error}"
        );
        test.serving.stop().await;
    }
}

#[tokio::test]
async fn a_fork_of_a_waiting_execution_does_not_wait_for_its_callback() {
    for (store, _kept) in stores().await {
        let test = Setting::new(&store);
        let client = &test.client;
        client.start(order, "a", 7).await.unwrap();
        until(async || client.history(&id("a")).await.unwrap().len() == 3).await;
        let error = client.fork(&id("a"), "b").await.unwrap_err();
        assert!(
            error.to_string().contains("callback `approve` still waits"),
            "{error}"
        );
        client.fork(&id("a"), "b").before("approve").await.unwrap();
        approve(client, "b", false).await;
        let fork = client.handle(order, "b").unwrap();
        assert_eq!(fork.result().await.unwrap(), "reserve 7 false 7");
        assert_eq!(status(&*test.store, "a").await, ExecutionStatus::Suspended);
        test.serving.stop().await;
    }
}

#[tokio::test]
async fn both_executions_undo_what_was_taken_over() {
    for (store, _kept) in stores().await {
        let test = Setting::new(&store);
        let client = &test.client;
        client.start(order, "a", 7).await.unwrap();
        until(async || client.history(&id("a")).await.unwrap().len() == 3).await;
        client.fork(&id("a"), "b").before("approve").await.unwrap();
        until(async || client.history(&id("b")).await.unwrap().len() == 3).await;
        for (number, execution) in ["a", "b"].into_iter().enumerate() {
            client.cancel(&id(execution)).await.unwrap();
            until(async || status(&*test.store, execution).await == ExecutionStatus::Cancelled)
                .await;
            assert_eq!(test.count("release"), number + 1);
        }
        // What was undone is not taken over.
        client.fork(&id("a"), "c").before("approve").await.unwrap();
        until(async || test.count("reserve") == 2).await;
        test.serving.stop().await;
    }
}

#[tokio::test]
async fn a_retried_fork_leaves_the_children_of_the_other_execution_alone() {
    for (store, _kept) in stores().await {
        let test = Setting::new(&store);
        let client = &test.client;
        test.shop.broken.store(true, Ordering::SeqCst);
        let origin = client.start(order, "a", 7).await.unwrap();
        origin.result().await.unwrap_err();
        let child: ExecutionId = {
            let history = client.history(&id("a")).await.unwrap();
            history[1].handle.clone().unwrap().parse().unwrap()
        };
        client.fork(&id("a"), "b").after("pay").await.unwrap();
        let fork = client.handle(order, "b").unwrap();
        fork.result().await.unwrap_err();
        assert_eq!(test.count("pay 7"), 1, "the failure was taken over");
        test.shop.broken.store(false, Ordering::SeqCst);
        client.retry(&id("b"), &RetryFrom::Failure).await.unwrap();
        approve(client, "b", true).await;
        assert_eq!(fork.result().await.unwrap(), "reserve 7 true 7");
        assert_eq!(
            status(&*test.store, child.as_str()).await,
            ExecutionStatus::Failed
        );
        client.retry(&id("b"), &RetryFrom::Beginning).await.unwrap();
        approve(client, "b", true).await;
        assert_eq!(
            status(&*test.store, child.as_str()).await,
            ExecutionStatus::Failed
        );
        test.serving.stop().await;
    }
}

#[durable]
async fn asks() -> Result<bool, BoxError> {
    Ok(callback!("ask").await?)
}

#[tokio::test]
async fn a_fork_cannot_wait_again_for_a_callback_of_the_other_execution() {
    let store = MemoryStore::new();
    let client = Client::new(store.clone());
    let serving = Serving::begin(Worker::new(store.clone()).register(asks));
    let origin = client.start(asks, "a", ()).await.unwrap();
    until(async || client.history(&id("a")).await.unwrap().len() == 1).await;
    let callback = client.history(&id("a")).await.unwrap()[0].handle.clone();
    client.fail(&callback.unwrap(), "no").await.unwrap();
    origin.result().await.unwrap_err();
    client.fork(&id("a"), "b").await.unwrap();
    let fork = client.handle(asks, "b").unwrap();
    fork.result().await.unwrap_err();
    let error = client
        .retry(&id("b"), &RetryFrom::Failure)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("was taken over from `a`"),
        "{error}"
    );
    client.retry(&id("a"), &RetryFrom::Failure).await.unwrap();
    serving.stop().await;
}
