//! Metrics of a worker, as a recorder sees them.

mod queues;
mod recorded;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use durable::prelude::*;
use durable::store::{ExecutionStatus, MemoryStore, NewExecution, StoreErrorKind};
use durable::{Client, Clock, Payload, SystemClock, Worker};
use metrics::set_default_local_recorder;
use metrics_util::debugging::DebuggingRecorder;
use tokio::sync::Notify;

use self::recorded::Recorded;
use crate::support::{Faulty, Serving, status, until};

#[derive(Default)]
struct App {
    calls: AtomicU32,
    entered: Notify,
    opened: Notify,
}

fn flaky(app: &App) -> Result<u32, BoxError> {
    match app.calls.fetch_add(1, Ordering::SeqCst) {
        0 => Err("busy".into()),
        calls => Ok(calls),
    }
}

#[durable]
async fn order(app: &App) -> Result<u32, BoxError> {
    let calls = step!(
        "charge",
        retry = Retry::fixed(Duration::from_millis(1)),
        flaky(app)
    )
    .await?;
    let every = Duration::from_millis(1);
    poll!("shipped", every = every, state = 0, |seen| {
        Ok::<_, BoxError>(match seen {
            2 => ControlFlow::Break(seen),
            _ => ControlFlow::Continue(seen + 1),
        })
    })
    .await?;
    Ok(calls + invoke!("child", label(calls)).await?)
}

#[durable]
async fn label(_app: &App, n: u32) -> Result<u32, BoxError> {
    if n > 0 {
        continue_as!(n - 1).await
    } else {
        Ok(n)
    }
}

#[durable]
async fn hopeless(_app: &App) -> Result<(), BoxError> {
    step!(
        "no",
        retry = Retry::none(),
        Err::<(), BoxError>("no".into())
    )
    .await?;
    Ok(())
}

#[durable]
async fn gated(app: &App) -> Result<(), BoxError> {
    // The start of a short body is recorded only with the next write, which the other step causes.
    let (gate, beside) = tokio::join!(
        step!("gate", pass(app).await),
        step!("beside", Ok::<_, BoxError>(()))
    );
    gate?;
    beside?;
    Ok(())
}

async fn pass(app: &App) -> Result<(), BoxError> {
    app.entered.notify_one();
    app.opened.notified().await;
    Ok(())
}

fn worker(store: &MemoryStore, app: &Arc<App>) -> Worker<App> {
    Worker::new(store.clone())
        .state(Arc::clone(app))
        .register(order)
        .register(label)
        .register(hopeless)
        .register(gated)
}

#[tokio::test]
async fn executions_attempts_and_checkpoints_are_counted() {
    let recorder = DebuggingRecorder::new();
    let _installed = set_default_local_recorder(&recorder);
    let (store, app) = (MemoryStore::new(), Arc::new(App::default()));
    let serving = Serving::begin(worker(&store, &app));
    let client = Client::new(store.clone());
    client
        .start(order, "a", ())
        .await
        .unwrap()
        .result()
        .await
        .unwrap();
    let failed = client.start(hopeless, "b", ()).await.unwrap();
    failed.result().await.unwrap_err();
    client.start(hopeless, "b", ()).await.unwrap();
    let unreadable = Payload::json("true".to_owned());
    let unreadable =
        NewExecution::new("c".parse().unwrap(), "label", unreadable, SystemClock.now());
    client.start_new(unreadable).await.unwrap();
    until(async || status(&store, "c").await == ExecutionStatus::Blocked).await;
    serving.stop().await;

    let recorded = Recorded::by(&recorder);
    for (key, count) in [
        ("durable_executions_started_total{handler=order}", 1),
        ("durable_executions_started_total{handler=hopeless}", 1),
        // A child, the execution that continues it, and one started by name.
        ("durable_executions_started_total{handler=label}", 3),
        (
            "durable_executions_ended_total{handler=order,status=succeeded}",
            1,
        ),
        (
            "durable_executions_ended_total{handler=hopeless,status=failed}",
            1,
        ),
        (
            "durable_executions_ended_total{handler=label,status=continued}",
            1,
        ),
        (
            "durable_executions_ended_total{handler=label,status=succeeded}",
            1,
        ),
        ("durable_executions_blocked_total{handler=label}", 1),
        (
            "durable_step_attempts_total{handler=order,kind=step,outcome=retried}",
            1,
        ),
        (
            "durable_step_attempts_total{handler=order,kind=step,outcome=succeeded}",
            1,
        ),
        (
            "durable_step_attempts_total{handler=order,kind=poll,outcome=pending}",
            2,
        ),
        (
            "durable_step_attempts_total{handler=order,kind=poll,outcome=succeeded}",
            1,
        ),
        (
            "durable_step_attempts_total{handler=hopeless,kind=step,outcome=failed}",
            1,
        ),
        ("durable_claims_total{handler=hopeless,outcome=granted}", 1),
        ("durable_lease_losses_total{handler=order}", 0),
    ] {
        assert_eq!(recorded.count(key), count, "{key} in {recorded:#?}");
    }
    let of = |name: &str, labels: &str| recorded.samples(&format!("{name}{{{labels}}}"));
    let bodies = of("durable_step_duration_seconds", "handler=order,kind=step");
    assert_eq!(bodies.len(), 2);
    assert!(
        bodies.iter().all(|seconds| *seconds < 10.0),
        "in seconds: {bodies:?}"
    );
    let written = of("durable_checkpoint_records", "handler=hopeless");
    let durations = of("durable_checkpoint_duration_seconds", "handler=hopeless");
    assert_eq!(
        (written.iter().sum::<f64>(), written.len()),
        (1.0, durations.len())
    );
    let running = "durable_executions_running{handler=order}";
    assert_eq!(recorded.gauge(running), Some(0.0), "after the end");
    let guide = include_str!("../../../docs/observability.md");
    for name in recorded.names() {
        assert!(
            guide.contains(&format!("| `{name}` |")),
            "{name} is in the guide"
        );
    }
}

#[tokio::test]
async fn interruptions_and_takeovers_are_counted() {
    let recorder = DebuggingRecorder::new();
    let _installed = set_default_local_recorder(&recorder);
    let (store, app) = (MemoryStore::new(), Arc::new(App::default()));
    let client = Client::new(store.clone());
    let handle = client.start(gated, "a", ()).await.unwrap();
    let killed = Serving::begin(worker(&store, &app).grace(Duration::from_millis(50)));
    app.entered.notified().await;
    until(async || client.history(handle.id()).await.unwrap().len() == 2).await;
    killed.stop().await;
    let serving = Serving::begin(worker(&store, &app));
    app.entered.notified().await;
    app.opened.notify_one();
    handle.result().await.unwrap();
    serving.stop().await;

    let recorded = Recorded::by(&recorder);
    for key in [
        "durable_step_interruptions_total{handler=gated,kind=step}",
        "durable_claims_total{handler=gated,outcome=granted}",
        "durable_claims_total{handler=gated,outcome=taken_over}",
    ] {
        assert_eq!(recorded.count(key), 1, "{key} in {recorded:#?}");
    }
}

#[tokio::test]
async fn what_runs_is_a_gauge() {
    let recorder = DebuggingRecorder::new();
    let _installed = set_default_local_recorder(&recorder);
    let (store, app) = (MemoryStore::new(), Arc::new(App::default()));
    let serving = Serving::begin(worker(&store, &app));
    let client = Client::new(store.clone());
    let handle = client.start(gated, "a", ()).await.unwrap();
    app.entered.notified().await;
    let running = "durable_executions_running{handler=gated}";
    assert_eq!(Recorded::by(&recorder).gauge(running), Some(1.0));
    app.opened.notify_one();
    handle.result().await.unwrap();
    serving.stop().await;
    // The recorder was drained, so this is the difference.
    assert_eq!(Recorded::by(&recorder).gauge(running), Some(-1.0));
}

#[tokio::test]
async fn a_lost_lease_is_counted_and_is_no_end() {
    let recorder = DebuggingRecorder::new();
    let _installed = set_default_local_recorder(&recorder);
    let store = MemoryStore::new();
    let faulty = Arc::new(Faulty {
        kind: StoreErrorKind::FenceLost,
        ..Faulty::new(store.clone(), 0, 1)
    });
    let app = Arc::new(App::default());
    let worker = Worker::new(faulty.clone()).state(app).register(hopeless);
    let serving = Serving::begin(worker);
    let client = Client::new(store.clone());
    client.start(hopeless, "a", ()).await.unwrap();
    until(async || faulty.checkpoints.load(Ordering::SeqCst) == 0).await;
    serving.stop().await;

    let recorded = Recorded::by(&recorder);
    assert_eq!(
        recorded.count("durable_lease_losses_total{handler=hopeless}"),
        1
    );
    let ended = "durable_executions_ended_total{handler=hopeless,status=failed}";
    assert_eq!(recorded.count(ended), 0);
    assert!(
        recorded
            .samples("durable_checkpoint_records{handler=hopeless}")
            .is_empty()
    );
}
