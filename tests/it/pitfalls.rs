//! Pitfalls of other engines.

use std::pin::Pin;
use std::task::Poll;

use durable::prelude::*;
use durable::store::MemoryStore;
use durable::{Repeat, RunError};

use crate::support::{Crash, Effects, TokioClock, process};

#[durable]
async fn duplicate_keys(_n: u32) -> Result<(), BoxError> {
    let first = step!("same", key = "k", Ok::<_, String>(1)).await?;
    for key in ["k", "l"] {
        step!("other", key = key, Ok::<_, String>(first)).await?;
    }
    for key in ["m", "m"] {
        step!("twice", key = key, Ok::<_, String>(first)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_duplicate_identity_blocks_and_both_sites_are_named() {
    let run = durable::run(duplicate_keys, "a", 0).store(MemoryStore::new());
    let RunError::Blocked(report) = run.await.unwrap_err() else {
        panic!("not blocked");
    };
    assert!(
        report.contains("`twice[m]` was registered twice"),
        "{report}"
    );
    assert_eq!(
        report
            .matches("step `twice` (tests/it/pitfalls.rs:")
            .count(),
        2
    );
}

#[durable]
async fn looped_wait(seen: &Effects) -> Result<(), BoxError> {
    for turn in 0..3 {
        wait!(Duration::from_secs(3600)).await;
        seen.note(format!("after {turn}"));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_looped_wait_waits_every_time() {
    let seen = Effects::default();
    let clock = TokioClock::shared();
    let begin = clock.now();
    let run = durable::run(looped_wait, "a", ()).clock(clock.clone());
    let report = run.state(&seen).store(MemoryStore::new()).report().await;
    report.output.unwrap();
    assert_eq!(clock.now().since(begin), Duration::from_secs(3 * 3600));
    assert_eq!(report.invocations, 4);
    assert_eq!(
        seen.count("after 0"),
        3,
        "replayed code runs again, steps do not"
    );
}

/// Polls its first future once, then only the second until it is ready.
async fn poll_first_once<A, B>(first: A, second: B) -> Option<B::Output>
where
    A: Future,
    B: Future,
{
    let (mut first, mut second) = (Box::pin(first), Box::pin(second));
    let mut polled = false;
    std::future::poll_fn(|cx| {
        if !polled && Pin::new(&mut first).poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        polled = true;
        Pin::new(&mut second).poll(cx).map(Some)
    })
    .await
}

#[durable]
async fn abandons(seen: &Effects) -> Result<(), BoxError> {
    let body = step!("abandoned", {
        seen.note("began");
        tokio::time::sleep(Duration::from_millis(5)).await;
        seen.note("ended");
        Ok::<_, String>(())
    });
    let hour = wait!("hour", Duration::from_secs(3600));
    poll_first_once(body, hour).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_no_longer_polled_does_not_prevent_suspension() {
    let (memory, seen) = (MemoryStore::new(), Effects::default());
    let run = durable::run(abandons, "a", ()).clock(TokioClock::shared());
    let store = process(&memory, Crash::Never);
    let report = run.state(&seen).store(store).report().await;
    report.output.unwrap();
    assert_eq!(report.invocations, 2, "it suspended for the hour");
    assert_eq!(seen.count("began"), 2, "and ran again");
    assert_eq!(seen.count("ended"), 0);
}

#[durable(allow(D006, D022))]
async fn foreign_beside_wait(seen: &Effects) -> Result<(), BoxError> {
    let foreign = async {
        std::future::poll_fn(|_| {
            seen.note("polled");
            Poll::<()>::Pending
        })
        .await;
    };
    let hour = wait!("hour", Duration::from_secs(3600));
    futures::future::select(Box::pin(foreign), Box::pin(hour)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_foreign_future_next_to_a_wait_does_not_prevent_suspension() {
    let seen = Effects::default();
    let run = durable::run(foreign_beside_wait, "a", ()).clock(TokioClock::shared());
    let report = run.state(&seen).store(MemoryStore::new()).report().await;
    report.output.unwrap();
    assert_eq!(report.invocations, 2);
}

#[durable]
async fn foreign_alone(_n: u32) -> Result<(), BoxError> {
    step!("before", Ok::<_, String>(())).await?;
    // The compiler allows it here, so the driver warns at run time.
    #[durable(allow(D022))]
    helper().await;
    Ok(())
}

/// A helper, which the attribute does not see.
async fn helper() {
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_foreign_future_alone_is_awaited_with_one_warning() {
    let run = durable::run(foreign_alone, "a", 0).store(MemoryStore::new());
    let report = run.report().await;
    report.output.unwrap();
    assert_eq!(report.warnings.len(), 1);
    let warning = &report.warnings[0];
    assert!(
        warning.contains("step `before` (tests/it/pitfalls.rs:"),
        "{warning}"
    );
}

#[durable]
async fn catches(seen: &Effects) -> Result<(), BoxError> {
    let outcome = futures::future::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(async {
        wait!("hour", key = 1, Duration::from_secs(3600)).await;
        Ok::<(), BoxError>(())
    }))
    .await;
    if !matches!(outcome, Ok(Ok(()))) {
        seen.note("saw a suspension");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_suspension_cannot_be_caught() {
    let seen = Effects::default();
    let run = durable::run(catches, "a", ()).clock(TokioClock::shared());
    let report = run.state(&seen).store(MemoryStore::new()).report().await;
    report.output.unwrap();
    assert_eq!(report.invocations, 2);
    assert_eq!(seen.all(), Vec::<String>::new());
}

#[durable]
async fn lossy(_n: u32) -> Result<(f32, f32), BoxError> {
    let first = step!("first", codec = Rounding, Ok::<f32, String>(1.75)).await?;
    wait!("hour", Duration::from_secs(3600)).await;
    Ok((first, first))
}

/// Encodes the nearest integer.
struct Rounding;

impl durable::Codec<f32> for Rounding {
    fn name(&self) -> &'static str {
        "rounding"
    }
    fn encode(&self, value: &f32) -> Result<Vec<u8>, BoxError> {
        Ok(value.round().to_string().into_bytes())
    }
    fn decode(&self, bytes: &[u8]) -> Result<f32, BoxError> {
        Ok(std::str::from_utf8(bytes)?.parse()?)
    }
}

#[tokio::test(start_paused = true)]
async fn a_lossy_codec_changes_the_value_on_the_first_run_too() {
    let run = durable::run(lossy, "a", 0).clock(TokioClock::shared());
    let value = run.store(MemoryStore::new()).await.unwrap();
    assert_eq!(value, (2.0, 2.0));
}

#[test]
fn the_manifest_lists_every_site() {
    fn manifest<F: durable::IntoHandler>(_: F) -> &'static durable::Manifest {
        <F::Handler as durable::Durable>::manifest()
    }
    let manifest = manifest(duplicate_keys);
    let sites: Vec<_> = manifest
        .sites
        .iter()
        .map(|site| (site.name, site.kind, site.repeat))
        .collect();
    assert_eq!(
        sites,
        [
            ("same", durable::Kind::Step, Repeat::Keyed),
            ("other", durable::Kind::Step, Repeat::Keyed),
            ("twice", durable::Kind::Step, Repeat::Keyed),
        ]
    );
    assert!(
        manifest
            .sites
            .windows(2)
            .all(|pair| pair[0].line < pair[1].line)
    );
    assert_eq!(manifest.sites[0].file, "tests/it/pitfalls.rs");
    assert_ne!(manifest.structural_hash(), 0);
}

#[tokio::test]
async fn a_jumping_clock_repeats_and_loses_nothing() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    /// Jumps forward and back with every call.
    struct Jumping(AtomicI64);
    impl durable::Clock for Jumping {
        fn now(&self) -> durable::Timestamp {
            let n = self.0.fetch_add(1, Ordering::SeqCst);
            let jump = if n % 2 == 0 { 1 } else { -1 };
            durable::Timestamp::from_millis(1_800_000_000_000 + jump * n * 3_600_000)
        }
        fn sleep(&self, _delay: Duration) -> durable::BoxFuture<'static, ()> {
            Box::pin(tokio::task::yield_now())
        }
    }

    let seen = Effects::default();
    let clock: Arc<dyn durable::Clock> = Arc::new(Jumping(AtomicI64::new(0)));
    let run = durable::run(steps_and_waits, "a", 5).clock(clock);
    let total = run.state(&seen).store(MemoryStore::new()).await.unwrap();
    assert_eq!(total, 10);
    assert_eq!(seen.all().len(), 5);
}

#[durable]
async fn steps_and_waits(seen: &Effects, n: u32) -> Result<u32, BoxError> {
    let mut total = 0;
    for i in 0..n {
        total += step!("add", key = i, {
            seen.note(format!("{i}"));
            Ok::<_, String>(i)
        })
        .await?;
        wait!("rest", Duration::from_secs(60)).await;
    }
    Ok(total)
}
