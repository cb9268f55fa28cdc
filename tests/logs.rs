//! A log line of a handler appears once, however often it is resumed.
//!
//! A binary of its own: which spans are on is decided for the whole process.

use std::io::Write;
use std::sync::{Arc, Mutex};

use durable::ReplayFilter;
use durable::prelude::*;
use durable::store::MemoryStore;
use tracing::subscriber::with_default;
use tracing_subscriber::layer::{Layer, SubscriberExt};

use tokio::time::Instant;

/// A clock that follows tokio's, which a paused runtime moves on whenever nothing runs.
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
async fn talks(_n: u32) -> Result<(), BoxError> {
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

#[test]
fn lines_appear_once_in_each_scope() {
    let lines = Lines::default();
    let writer = lines.clone();
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .with_filter(ReplayFilter);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let report = with_default(tracing_subscriber::registry().with(layer), || {
        runtime.block_on(async {
            let run = durable::run(talks, "a", 0).clock(Arc::new(TokioClock(Instant::now())));
            run.store(MemoryStore::new()).report().await
        })
    });
    report.output.unwrap();
    assert!(report.invocations >= 4);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for line in [
        "begins",
        "works",
        "has worked",
        "left begins",
        "right begins",
        "right waited",
        "left waited again",
        "ends",
    ] {
        let count = text
            .lines()
            .filter(|logged| logged.ends_with(&format!(": {line}")))
            .count();
        let expected = 1;
        assert_eq!(count, expected, "{line:?} in\n{text}");
    }
    assert!(text.contains("execution=a"), "{text}");
    assert!(text.contains("operation=\"work\""), "{text}");
    assert!(text.contains("attempt=1"), "{text}");
}
