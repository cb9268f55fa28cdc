//! A log line of a handler is written once, however often the handler is resumed.
//!
//! This is a separate test binary, because enabled spans are a setting of the whole process.

use std::io::Write;
use std::sync::{Arc, Mutex};

use durable::prelude::*;
use durable::store::{Capabilities, Durability, MemoryStore};
use durable::{Durable, Handler, IntoHandler, ReplayFilter};
use tracing::subscriber::with_default;
use tracing_subscriber::layer::{Layer, SubscriberExt};

use tokio::time::Instant;

/// A clock that follows tokio's, which a paused runtime advances whenever nothing runs.
struct TokioClock(Instant);

impl durable::Clock for TokioClock {
    fn now(&self) -> durable::Timestamp {
        durable::Timestamp::from_millis(1_800_000_000_000).after(self.0.elapsed())
    }

    fn sleep(&self, delay: Duration) -> durable::BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(delay))
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[durable]
async fn logs_progress(_n: u32) -> Result<(), BoxError> {
    tracing::info!("begins");
    step!("work", {
        tracing::info!("works");
        Ok::<_, String>(())
    })
    .await?;
    tracing::info!("has worked");
    let left = scope!("left", {
        tracing::info!("left begins");
        wait!("hour", Duration::from_secs(3600)).await;
        tracing::info!("left waited");
        wait!("another", Duration::from_secs(3600)).await;
        tracing::info!("left waited again");
        Ok::<_, BoxError>(())
    });
    let right = scope!("right", {
        tracing::info!("right begins");
        wait!("half", Duration::from_secs(1800)).await;
        tracing::info!("right waited");
        Ok::<_, BoxError>(())
    });
    let (left, right) = tokio::join!(left, right);
    left?;
    right?;
    tracing::info!("ends");
    Ok(())
}

/// Returns the log of running `handler` to its end.
fn logged<F>(handler: F, filter: ReplayFilter, limit: usize, invocations: u64) -> String
where
    F: IntoHandler,
    F::Handler: Handler<()> + Durable<Input = u32, Output = ()>,
{
    let lines = Lines::default();
    let writer = lines.clone();
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .with_filter(filter);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let limits = Capabilities::unlimited(Durability::Memory).with_max_value(limit);
    let report = with_default(tracing_subscriber::registry().with(layer), || {
        runtime.block_on(async {
            let run = durable::run(handler, "a", 0).clock(Arc::new(TokioClock(Instant::now())));
            let run = run.store(MemoryStore::with_capabilities(limits));
            run.suspend_after(Duration::ZERO).report().await
        })
    });
    report.output.unwrap();
    assert_eq!(report.invocations, invocations);
    String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
}

fn count(text: &str, line: &str) -> usize {
    let logged = |logged: &&str| logged.ends_with(&format!(": {line}"));
    text.lines().filter(logged).count()
}

#[test]
fn lines_appear_once_in_each_scope() {
    let text = logged(logs_progress, ReplayFilter::new(), 10_000, 4);
    for line in [
        "begins",
        "works",
        "has worked",
        "left begins",
        "right begins",
        "right waited",
        "left waited",
        "left waited again",
        "ends",
    ] {
        assert_eq!(count(&text, line), 1, "{line:?} in\n{text}");
    }
    assert!(text.contains("execution=a"), "{text}");
    assert!(text.contains("operation=\"work\""), "{text}");
    assert!(text.contains("attempt=1"), "{text}");
}

#[test]
fn replayed_lines_are_written_on_request() {
    let text = logged(logs_progress, ReplayFilter::new().replayed(true), 10_000, 4);
    assert_eq!(count(&text, "begins"), 4, "{text}");
    assert_eq!(
        count(&text, "works"),
        1,
        "a body that does not run logs nothing"
    );
    assert_eq!(count(&text, "left waited"), 2, "{text}");
    assert_eq!(count(&text, "ends"), 1, "{text}");
}

async fn lines(text: &str) -> Result<String, String> {
    Ok(text.repeat(40))
}

/// Scopes that are entered again on a replay although they have ended, because their values are too large or because
/// a step in them has an undo body.
#[durable]
async fn reentered_scopes(_n: u32) -> Result<(), BoxError> {
    let large = scope!("large", {
        tracing::info!("large begins");
        let part = step!(lines("l").await).await?;
        tracing::info!("large continues");
        Ok(part.clone() + &part)
    });
    large.await?;
    let undoes = scope!("undoes", {
        step!(undo = |_lines| Ok(()), lines("u").await).await?;
        tracing::info!("undoes continues");
        Ok(())
    });
    undoes.await?;
    let map = map!("map", 0..2, |n| {
        tracing::info!("item {n} begins");
        let part = step!(lines("m").await).await?;
        tracing::info!("item {n} continues");
        Ok(part.clone() + &part)
    });
    map.await;
    tracing::info!("before the wait");
    wait!(1.hours()).await;
    tracing::info!("after the wait");
    wait!("again", 1.hours()).await;
    Ok(())
}

#[test]
fn reentered_scopes_log_nothing_again() {
    let text = logged(reentered_scopes, ReplayFilter::new(), 50, 3);
    for line in [
        "large begins",
        "large continues",
        "undoes continues",
        "item 0 begins",
        "item 1 continues",
        "before the wait",
        "after the wait",
    ] {
        assert_eq!(count(&text, line), 1, "{line:?} in\n{text}");
    }
    let all = logged(reentered_scopes, ReplayFilter::new().replayed(true), 50, 3);
    assert_eq!(count(&all, "large continues"), 3, "{all}");
}

#[durable]
async fn flat(_n: u32) -> Result<(), BoxError> {
    let map = map!("map", 0..3, flat, |n| {
        tracing::info!("item {n} begins");
        step!(lines("m").await).await?;
        tracing::info!("item {n} waits");
        wait!((n + 1).hours()).await;
        tracing::info!("item {n} has waited");
        step!("last", lines("m").await).await?;
        tracing::info!("item {n} ends");
        Ok(())
    });
    map.await.into_values()?;
    Ok(())
}

#[test]
fn lines_appear_once_in_each_flat_branch() {
    let text = logged(flat, ReplayFilter::new(), 10_000, 4);
    for n in 0..3 {
        for line in ["begins", "waits", "has waited"] {
            let line = format!("item {n} {line}");
            assert_eq!(count(&text, &line), 1, "{line:?} in\n{text}");
        }
    }
}
