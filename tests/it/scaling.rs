//! Running time grows linearly with the history. Measured as time on the CPU, which other processes do not disturb.

use durable::Drift;
use durable::prelude::*;
use durable::store::MemoryStore;

use crate::support::{Crash, TokioClock, process};

/// Time that this thread has spent on the CPU.
#[cfg(unix)]
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.try_into().unwrap()
}

#[cfg(not(unix))]
fn cpu_time() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

#[durable]
async fn renamed_before(n: u32) -> Result<u32, BoxError> {
    for n in 0..n {
        step!("fetch", key = n, Ok::<_, String>(n)).await?;
    }
    wait!("hour", Duration::from_secs(3600)).await;
    Ok(n)
}

#[durable(name = "renamed_before")]
async fn renamed_after(n: u32) -> Result<u32, BoxError> {
    for n in 0..n {
        step!("fetched", key = n, Ok::<_, String>(n)).await?;
    }
    Ok(n)
}

#[tokio::test(start_paused = true)]
async fn a_renamed_loop_is_reported_in_linear_time() {
    let memory = MemoryStore::new();
    const N: u32 = 4000;
    let probe = process(&memory, Crash::Never);
    let first = durable::run(renamed_before, "a", N).clock(TokioClock::shared());
    let first = first.store(probe.clone()).into_future();
    tokio::time::timeout(Duration::from_secs(60), first)
        .await
        .unwrap_err();
    drop(probe);
    let begun = cpu_time();
    let run = durable::run(renamed_after, "a", N).clock(TokioClock::shared());
    let report = run.store(process(&memory, Crash::Never)).report().await;
    report.output.unwrap();
    assert_eq!(report.drift.len(), N as usize + 1);
    assert!(matches!(
        &report.drift[0],
        Drift::Orphaned {
            successor: Some(_),
            ..
        }
    ));
    let took = cpu_time() - begun;
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[durable]
async fn many_races(n: u32) -> Result<u32, BoxError> {
    for n in 0..n {
        race!("race", key = n, {
            "work" => step!("work", Ok::<_, String>(n)) => (),
            "late" => wait!("late", Duration::from_secs(60)) => (),
        })
        .await;
    }
    Ok(n)
}

#[tokio::test(start_paused = true)]
async fn many_races_take_linear_time() {
    let mut took = Vec::new();
    for n in [1000, 8000] {
        let begun = cpu_time();
        durable::run(many_races, "a", n)
            .clock(TokioClock::shared())
            .store(MemoryStore::new())
            .await
            .unwrap();
        took.push(cpu_time() - begun);
    }
    assert!(took[1] < took[0] * 8 * 3, "{took:?}");
}

#[durable]
async fn wide(n: u32) -> Result<usize, BoxError> {
    let result = map!("wide", 0..n, key = |i| i, |i| {
        Ok(step!("work", Ok::<_, String>(i)).await?)
    })
    .await;
    wait!("hour", Duration::from_secs(3600)).await;
    Ok(result.succeeded())
}

#[tokio::test(start_paused = true)]
async fn a_wide_map_takes_linear_time() {
    let mut took = Vec::new();
    for n in [1000, 8000] {
        let memory = MemoryStore::new();
        let probe = process(&memory, Crash::Never);
        let first = durable::run(wide, "a", n)
            .clock(TokioClock::shared())
            .store(probe.clone())
            .into_future();
        tokio::time::timeout(Duration::from_secs(60), first)
            .await
            .unwrap_err();
        drop(probe);
        let begun = cpu_time();
        durable::run(wide, "a", n)
            .clock(TokioClock::shared())
            .store(process(&memory, Crash::Never))
            .await
            .unwrap();
        took.push(cpu_time() - begun);
    }
    assert!(took[1] < took[0] * 8 * 3, "{took:?}");
}
