//! Samples of queues.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use durable::store::{MemoryStore, NewExecution, Queue, QueueEntry, QueueStore};
use durable::{Client, Clock, Payload, SystemClock, Timestamp, Worker};
use metrics::set_default_local_recorder;
use metrics_util::debugging::DebuggingRecorder;

use super::recorded::Recorded;
use super::{App, hopeless, order, worker};
use crate::support::{Faulty, Serving};

/// Runs a worker for a moment while two executions wait in the paused queue `mail`.
async fn with_a_waiting_queue(set_up: impl Fn(Worker<App>) -> Worker<App>) -> Recorded {
    let recorder = DebuggingRecorder::new();
    let _installed = set_default_local_recorder(&recorder);
    let (store, app) = (MemoryStore::new(), Arc::new(App::default()));
    let paused = Queue {
        name: "mail".to_owned(),
        paused: true,
        ..Queue::default()
    };
    store.put_queue(paused).await.unwrap();
    let hour = Duration::from_secs(3600);
    let an_hour_ago = Timestamp::from_millis(SystemClock.now().as_millis() - 3_600_000);
    for (id, created_at) in [("a", an_hour_ago), ("b", an_hour_ago.after(hour / 2))] {
        let input = Payload::json("null".to_owned());
        let mut new = NewExecution::new(id.parse().unwrap(), "hopeless", input, created_at);
        new.queue = Some(QueueEntry::new("mail"));
        Client::new(store.clone()).start_new(new).await.unwrap();
    }
    let serving = Serving::begin(set_up(worker(&store, &app)));
    let other = Client::new(store.clone())
        .start(order, "c", ())
        .await
        .unwrap();
    other.result().await.unwrap();
    serving.stop().await;
    Recorded::by(&recorder)
}

#[tokio::test]
async fn depth_and_age_of_queues_are_sampled() {
    let recorded = with_a_waiting_queue(|worker| worker).await;
    assert_eq!(recorded.gauge("durable_queue_depth{queue=mail}"), Some(2.0));
    assert_eq!(
        recorded.gauge("durable_queue_running{queue=mail}"),
        Some(0.0)
    );
    let age = recorded
        .gauge("durable_queue_oldest_age_seconds{queue=mail}")
        .unwrap();
    assert!((3600.0..3700.0).contains(&age), "{age}");
}

#[tokio::test]
async fn only_served_queues_are_sampled_and_only_if_wanted() {
    let off = with_a_waiting_queue(|worker| worker.sample_queues(false)).await;
    assert_eq!(off.gauge("durable_queue_depth{queue=mail}"), None);
    let other = with_a_waiting_queue(|worker| worker.queues(["other"])).await;
    assert_eq!(other.gauge("durable_queue_depth{queue=mail}"), None);
}

#[tokio::test]
async fn without_a_recorder_queues_are_not_read() {
    let (store, app) = (MemoryStore::new(), Arc::new(App::default()));
    let faulty = Arc::new(Faulty::new(store.clone(), 0, 0));
    let reading = Worker::new(faulty.clone()).state(app).register(hopeless);
    let serving = Serving::begin(reading);
    let client = Client::new(store);
    let handle = client.start(hopeless, "a", ()).await.unwrap();
    handle.result().await.unwrap_err();
    serving.stop().await;
    assert_eq!(faulty.queue_reads.load(Ordering::SeqCst), 0);
}
