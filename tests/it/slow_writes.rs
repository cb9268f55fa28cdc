//! Slow writes, and what runs at the same time.

use durable::prelude::*;
use durable::store::MemoryStore;

use crate::support::{Effects, Probe, TokioClock};

async fn takes(effects: &Effects, what: &str, time: Duration) -> Result<String, String> {
    effects.note(format!("begin {what}"));
    tokio::time::sleep(time).await;
    effects.note(format!("end {what}"));
    Ok(what.to_owned())
}

#[durable]
async fn short_beside_long(effects: &Effects) -> Result<(), BoxError> {
    let both = async {
        step!(
            "one",
            takes(effects, "one", Duration::from_millis(10)).await
        )
        .await?;
        Ok::<_, BoxError>(())
    };
    let later = async {
        // Delays the execution without a durable call.
        #[durable(allow(D022))]
        foreign(Duration::from_millis(20)).await;
        step!("two", takes(effects, "two", Duration::from_secs(30)).await).await?;
        Ok::<_, BoxError>(())
    };
    let (one, two) = tokio::join!(both, later);
    one?;
    two?;
    Ok(())
}

#[test]
fn a_slow_write_beside_a_body_does_not_spin() {
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let effects = Effects::default();
            let store = Probe::slow(
                std::sync::Arc::new(MemoryStore::new()),
                Duration::from_secs(5),
            );
            let run = durable::run(short_beside_long, "a", ()).clock(TokioClock::shared());
            run.state(&effects).store(store).await.unwrap();
        });
        done.send(()).unwrap();
    });
    ended
        .recv_timeout(Duration::from_secs(10))
        .expect("the driver spins");
}

#[durable]
async fn foreign_beside_wait(effects: &Effects) -> Result<(), BoxError> {
    let work = async {
        // Ends while the execution is about to suspend.
        #[durable(allow(D022))]
        foreign(Duration::from_secs(2)).await;
        let _ = step!(
            "work",
            takes(effects, "work", Duration::from_secs(30)).await
        )
        .await;
    };
    let (_, ()) = tokio::join!(work, wait!("hour", Duration::from_secs(3600)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nothing_begins_while_a_suspension_is_written() {
    let effects = Effects::default();
    let store = Probe::slow(
        std::sync::Arc::new(MemoryStore::new()),
        Duration::from_secs(5),
    );
    let run = durable::run(foreign_beside_wait, "a", ()).clock(TokioClock::shared());
    run.state(&effects).store(store).await.unwrap();
    assert_eq!(effects.all(), ["begin work", "end work"]);
}

#[durable]
async fn foreign_or_wait() -> Result<(), BoxError> {
    let foreign = std::pin::pin!(foreign(Duration::from_secs(7)));
    let wait = std::pin::pin!(wait!("hour", Duration::from_secs(3600)));
    either(foreign, wait).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nothing_ends_while_a_suspension_is_written() {
    let store = Probe::slow(
        std::sync::Arc::new(MemoryStore::new()),
        Duration::from_secs(5),
    );
    let run = durable::run(foreign_or_wait, "a", ()).clock(TokioClock::shared());
    run.store(store).await.unwrap();
}

async fn foreign(time: Duration) {
    tokio::time::sleep(time).await;
}

async fn either(a: impl Future<Output = ()> + Unpin, b: impl Future<Output = ()> + Unpin) {
    futures::future::select(a, b).await;
}
