//! Actions of operators while workers run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use durable::prelude::*;
use durable::schedule::{Overlap, Schedule};
use durable::store::{ExecutionStatus, Filter, MemoryStore, Queue, QueueStore, Rate};
use durable::{Bulk, Client, RetryFrom, Worker};

use crate::support::{Effects, Serving, status, stores, until};

/// Counts how many executions run at once, now and at most.
#[derive(Default)]
struct Meter {
    now: AtomicU32,
    most: AtomicU32,
    effects: Effects,
    broken: AtomicBool,
}

#[durable]
async fn metered(meter: &Meter, name: String) -> Result<(), BoxError> {
    step!("work", work(meter, &name).await).await?;
    // A waiting execution counts too.
    wait!(Duration::from_millis(30)).await;
    step!("done", done(meter)).await?;
    Ok(())
}

async fn work(meter: &Meter, name: &str) -> Result<(), BoxError> {
    let now = meter.now.fetch_add(1, Ordering::SeqCst) + 1;
    meter.most.fetch_max(now, Ordering::SeqCst);
    meter.effects.note(name);
    tokio::time::sleep(Duration::from_millis(5)).await;
    Ok(())
}

fn done(meter: &Meter) -> Result<(), BoxError> {
    meter.now.fetch_sub(1, Ordering::SeqCst);
    Ok(())
}

#[durable]
async fn payment(meter: &Meter, n: u32) -> Result<u32, BoxError> {
    let a = step!("reserve", note(meter, "reserve", n)).await?;
    let b = step!("pay", retry = Retry::none(), pay(meter, a)).await?;
    Ok(b + step!("ship", note(meter, "ship", 1)).await?)
}

fn note(meter: &Meter, name: &str, n: u32) -> Result<u32, BoxError> {
    meter.effects.note(name);
    Ok(n)
}

fn pay(meter: &Meter, n: u32) -> Result<u32, BoxError> {
    meter.effects.note("pay");
    if meter.broken.load(Ordering::SeqCst) {
        return Err("declined".into());
    }
    Ok(n * 10)
}

#[durable]
async fn outer(meter: &Meter, n: u32) -> Result<u32, BoxError> {
    let paid = invoke!("inner", payment(n)).await?;
    step!("note", note(meter, "outer", 1)).await?;
    Ok(paid)
}

#[durable]
async fn ticking(meter: &Meter) -> Result<(), BoxError> {
    step!("tick", note(meter, "tick", 1)).await?;
    Ok(())
}

#[durable]
async fn chain(n: u32) -> Result<u32, BoxError> {
    if n < 3 {
        continue_as!(n + 1).await
    }
    let answer: u32 = callback!("continue").await?;
    Ok(n + answer)
}

#[tokio::test]
async fn a_queue_limits_concurrency_across_workers() {
    for (store, _kept) in stores().await {
        let meter = Arc::new(Meter::default());
        let limits = Queue {
            name: "q".to_owned(),
            concurrency: Some(3),
            ..Queue::default()
        };
        store.put_queue(limits).await.unwrap();
        let worker = || {
            Worker::new(store.clone())
                .state(meter.clone())
                .register(metered)
        };
        let workers = [Serving::begin(worker()), Serving::begin(worker())];
        let client = Client::new(store.clone());
        let mut handles = Vec::new();
        for n in 0..20 {
            let start = client.start(metered, format!("run-{n}"), format!("{n}"));
            handles.push(start.queue("q").await.unwrap());
        }
        for handle in &handles {
            handle.result().await.unwrap();
        }
        assert_eq!(meter.most.load(Ordering::SeqCst), 3);
        for worker in workers {
            worker.stop().await;
        }
    }
}

#[tokio::test]
async fn executions_of_a_key_run_one_at_a_time() {
    for (store, _kept) in stores().await {
        let meter = Arc::new(Meter::default());
        let limits = Queue {
            name: "q".to_owned(),
            concurrency_per_key: Some(1),
            ..Queue::default()
        };
        store.put_queue(limits).await.unwrap();
        let client = Client::new(store.clone());
        let mut handles = Vec::new();
        for (n, priority) in [(0, 0), (1, 0), (2, 0), (3, 9)] {
            let start = client.start(metered, format!("run-{n}"), format!("{n}"));
            handles.push(
                start
                    .queue("q")
                    .key("acme")
                    .priority(priority)
                    .await
                    .unwrap(),
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let worker = Worker::new(store.clone())
            .state(meter.clone())
            .register(metered);
        let serving = Serving::begin(worker);
        for handle in &handles {
            handle.result().await.unwrap();
        }
        assert_eq!(meter.most.load(Ordering::SeqCst), 1);
        assert_eq!(meter.effects.all(), ["3", "0", "1", "2"]);
        serving.stop().await;
    }
}

#[tokio::test]
async fn a_queue_limits_the_rate() {
    let store = MemoryStore::new();
    let rate = Some(Rate {
        starts: 2,
        per: Duration::from_millis(400),
    });
    let limits = Queue {
        name: "q".to_owned(),
        rate,
        ..Queue::default()
    };
    store.put_queue(limits).await.unwrap();
    let meter = Arc::new(Meter::default());
    let worker = Worker::new(store.clone())
        .state(meter.clone())
        .register(ticking);
    let serving = Serving::begin(worker);
    let client = Client::new(store.clone());
    let mut handles = Vec::new();
    for n in 0..6 {
        handles.push(
            client
                .start(ticking, format!("run-{n}"), ())
                .queue("q")
                .await
                .unwrap(),
        );
    }
    for handle in &handles {
        handle.result().await.unwrap();
    }
    let mut ends = Vec::new();
    for handle in &handles {
        let history = client.history(handle.id()).await.unwrap();
        ends.push(history[0].started_at);
    }
    ends.sort();
    for (first, third) in ends.iter().zip(&ends[2..]) {
        assert!(
            third.since(*first) >= Duration::from_millis(395),
            "{ends:?}"
        );
    }
    serving.stop().await;
}

#[tokio::test]
async fn paused_executions_stop_at_the_next_boundary_until_resumed() {
    for (store, _kept) in stores().await {
        let meter = Arc::new(Meter::default());
        let worker = Worker::new(store.clone())
            .state(meter.clone())
            .register(metered);
        // The execution waits in memory when it is paused.
        let serving = Serving::begin(worker.suspend_after(Duration::from_secs(60)));
        let client = Client::new(store.clone());
        let handle = client.start(metered, "a", "a".to_owned()).await.unwrap();
        until(async || meter.effects.count("a") == 1).await;
        client.pause(handle.id()).await.unwrap();
        until(async || status(&*store, "a").await == ExecutionStatus::Suspended).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(status(&*store, "a").await, ExecutionStatus::Suspended);
        client.resume(handle.id()).await.unwrap();
        handle.result().await.unwrap();
        assert_eq!(meter.effects.count("a"), 1);
        serving.stop().await;
    }
}

#[tokio::test]
async fn a_retry_starts_where_the_execution_failed() {
    for (store, _kept) in stores().await {
        let meter = Arc::new(Meter::default());
        meter.broken.store(true, Ordering::SeqCst);
        let worker = Worker::new(store.clone()).state(meter.clone());
        let serving = Serving::begin(worker.register(payment).register(outer));
        let client = Client::new(store.clone());
        let handle = client.start(payment, "a", 4).await.unwrap();
        handle.result().await.unwrap_err();
        let nested = client.start(outer, "b", 5).await.unwrap();
        nested.result().await.unwrap_err();
        meter.broken.store(false, Ordering::SeqCst);
        client
            .retry(handle.id(), &RetryFrom::Failure)
            .await
            .unwrap();
        assert_eq!(handle.result().await.unwrap(), 41);
        // A failed child runs again too and notifies its parent.
        client
            .retry(nested.id(), &RetryFrom::Failure)
            .await
            .unwrap();
        assert_eq!(nested.result().await.unwrap(), 51);
        assert_eq!(meter.effects.count("reserve"), 2, "the step kept its value");
        let again = RetryFrom::Operation("pay".to_owned());
        client.retry(handle.id(), &again).await.unwrap();
        assert_eq!(handle.result().await.unwrap(), 41);
        assert_eq!(meter.effects.count("ship"), 3);
        client
            .retry(nested.id(), &RetryFrom::Beginning)
            .await
            .unwrap();
        assert_eq!(nested.result().await.unwrap(), 51);
        assert_eq!(meter.effects.count("reserve"), 3);
        serving.stop().await;
    }
}

#[tokio::test]
async fn executions_are_retried_and_deleted_by_filter() {
    let store = MemoryStore::new();
    let meter = Arc::new(Meter::default());
    meter.broken.store(true, Ordering::SeqCst);
    let worker = Worker::new(store.clone())
        .state(meter.clone())
        .register(payment);
    let serving = Serving::begin(worker);
    let client = Client::new(store.clone());
    let mut handles = Vec::new();
    for n in 0..30 {
        handles.push(client.start(payment, format!("run-{n}"), n).await.unwrap());
    }
    for handle in &handles {
        handle.result().await.unwrap_err();
    }
    meter.broken.store(false, Ordering::SeqCst);
    let failed = client.select(Filter {
        status: vec![ExecutionStatus::Failed],
        prefix: Some("run-1".to_owned()),
        ..Filter::default()
    });
    let change = Bulk::Retry(RetryFrom::Failure);
    assert_eq!(failed.affected(&change).await.unwrap().len(), 11);
    let done = failed.apply(change).await.unwrap();
    assert_eq!((done.done.len(), done.refused.len()), (11, 0));
    assert_eq!(handles[12].result().await.unwrap(), 121);
    until(async || failed.ids().await.unwrap().is_empty()).await;
    let now = std::time::SystemTime::now();
    let before = durable::Timestamp::from(now).after(Duration::from_secs(1));
    let old = client.ended_before(before);
    until(async || old.ids().await.unwrap().len() == 30).await;
    assert_eq!(old.apply(Bulk::Delete).await.unwrap().done.len(), 30);
    assert!(client.list(Filter::default()).await.unwrap().is_empty());
    serving.stop().await;
}

#[tokio::test]
async fn each_firing_of_a_schedule_starts_one_execution() {
    for (store, _kept) in stores().await {
        let meter = Arc::new(Meter::default());
        let worker = || {
            Worker::new(store.clone())
                .state(meter.clone())
                .register(ticking)
        };
        let workers = [Serving::begin(worker()), Serving::begin(worker())];
        let client = Client::new(store.clone());
        let every = Schedule::every(Duration::from_secs(1)).unwrap();
        let every = every.overlap(Overlap::Allow);
        client.schedule("tick", ticking, (), &every).await.unwrap();
        until(async || meter.effects.count("tick") >= 3).await;
        client.unschedule("tick").await.unwrap();
        let all = client.list(Filter::default()).await.unwrap();
        assert!(
            all.iter()
                .all(|execution| execution.id.as_str().starts_with("tick@"))
        );
        for worker in workers {
            worker.stop().await;
        }
        let ended = client.list(Filter::default()).await.unwrap().len();
        assert_eq!(
            meter.effects.count("tick"),
            ended,
            "each execution ticked once"
        );
    }
}

#[tokio::test]
async fn links_of_a_chain_are_kept_until_it_ends() {
    for (store, _kept) in stores().await {
        let serving = Serving::begin(Worker::new(store.clone()).register(chain));
        let client = Client::new(store.clone());
        let handle = client.start(chain, "a", 1).await.unwrap();
        until(async || client.list(Filter::default()).await.unwrap().len() == 3).await;
        until(async || status(&*store, "a~3").await == ExecutionStatus::Suspended).await;
        let now = std::time::SystemTime::now();
        let before = durable::Timestamp::from(now).after(Duration::from_secs(60));
        let old = client.ended_before(before);
        assert_eq!(old.ids().await.unwrap().len(), 2);
        assert!(old.affected(&Bulk::Delete).await.unwrap().is_empty());
        let history = client.history(&"a~3".parse().unwrap()).await.unwrap();
        let callback = history[0].handle.clone().unwrap();
        client.complete(&callback, &10).await.unwrap();
        assert_eq!(handle.result().await.unwrap(), 13);
        assert_eq!(old.apply(Bulk::Delete).await.unwrap().done.len(), 3);
        serving.stop().await;
    }
}
