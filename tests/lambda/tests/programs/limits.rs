//! Tests of values at and over the service's limits.

use durable::prelude::*;

use crate::harness::{Harness, config, failure, value};
use crate::subject::Log;

#[durable]
pub(crate) async fn wide_map(log: &Log, n: usize) -> Result<usize, BoxError> {
    let values = map!("wide", 0..n, |n| {
        let n = step!("one", {
            log.note("one");
            Ok::<_, String>(n)
        })
        .await?;
        wait!("pause", Duration::from_secs(60)).await;
        Ok(n)
    });
    Ok(values.await.into_values()?.len())
}

#[tokio::test]
async fn branches_of_a_large_map_share_calls() {
    let harness = Harness::new("wide_map", config()).await;
    let (_, outcome) = harness.run(300).await;
    assert_eq!(value(&outcome), 300);
    assert_eq!(harness.log.count("one"), 300);
    let recording = harness.assert_well_behaved();
    // 900 STARTs and as many ends of contexts and steps, 200 per call.
    let calls = recording.checkpoints.len();
    assert!(
        calls <= 12,
        "{calls} calls in {} invocations",
        recording.invocations.len()
    );
}

#[durable]
pub(crate) async fn large_input(_log: &Log, n: usize) -> Result<usize, BoxError> {
    let invoke = invoke!("far", "echo", "x".repeat(n));
    let step = step!("beside", Ok::<_, String>("y".repeat(200_000)));
    let (value, beside) = tokio::join!(invoke, step);
    let value: String = value?;
    Ok(value.len() + beside?.len())
}

#[tokio::test]
async fn updates_larger_than_a_call_are_sent_alone() {
    let harness = Harness::new("large_input", config()).await;
    harness.fake.function("echo", Ok);
    let (_, outcome) = harness.run(900_000).await;
    assert_eq!(value(&outcome), 1_100_000);
    harness.assert_well_behaved();
    let (_, outcome) = harness.run(1 << 20).await;
    assert!(
        failure(&outcome).contains("over the store's limit"),
        "{outcome:?}"
    );
}

#[durable]
pub(crate) async fn long_error(_log: &Log, n: usize) -> Result<(), BoxError> {
    let inner = step!("fails", retry = Retry::none(), Err::<(), _>("\"".repeat(n))).await;
    assert!(inner.is_err());
    Err("x".repeat(n).into())
}

#[tokio::test]
async fn long_errors_are_shortened() {
    let harness = Harness::new("long_error", config()).await;
    let (_, outcome) = harness.run(7 << 20).await;
    let durable_lambda_tests::ExecutionOutcome::Failed(error) = &outcome else {
        panic!("{outcome:?}");
    };
    assert!(failure(&outcome).starts_with("xxx"), "{error:?}");
    assert!(serde_json::to_string(error).unwrap().len() < 32 * 1024);
    let recording = harness.assert_well_behaved();
    assert_eq!(recording.errors(), Vec::<&serde_json::Value>::new());
}

#[durable]
pub(crate) async fn many_quotes(_log: &Log, n: usize) -> Result<String, BoxError> {
    step!("once", Ok::<_, String>(())).await?;
    Ok("\"".repeat(n))
}

#[tokio::test]
async fn escaped_length_decides_whether_a_result_fits_the_response() {
    let harness = Harness::new("many_quotes", config()).await;
    // Two bytes each as JSON, four as a JSON string within JSON.
    let n = 2 << 20;
    let (_, outcome) = harness.run(n).await;
    assert_eq!(value(&outcome).as_str().map(str::len), Some(n));
    let recording = harness.assert_well_behaved();
    assert_eq!(recording.invocations.len(), 1);
}

#[durable]
pub(crate) async fn quoted_values(_log: &Log, n: usize) -> Result<usize, BoxError> {
    let values = map!("many", 0..n, |_n| {
        Ok(step!("value", Ok::<_, String>("\"".repeat(60_000))).await?)
    });
    Ok(values.await.into_values()?.len())
}

#[tokio::test]
async fn escaped_length_decides_how_many_updates_fit_a_call() {
    let harness = Harness::new("quoted_values", config()).await;
    let (_, outcome) = harness.run(20).await;
    assert_eq!(value(&outcome), 20);
    harness.assert_well_behaved();
}

#[durable]
pub(crate) async fn long_result(_log: &Log, n: usize) -> Result<String, BoxError> {
    step!("once", Ok::<_, String>(())).await?;
    Ok("x".repeat(n))
}

#[tokio::test]
async fn results_too_large_for_the_response_are_checkpointed() {
    for n in [
        6 * 1024 * 1024 - 52,
        6 * 1024 * 1024 - 40,
        6 * 1024 * 1024 - 2,
    ] {
        let harness = Harness::new("long_result", config()).await;
        let (_, outcome) = harness.run(n).await;
        assert_eq!(value(&outcome).as_str().unwrap().len(), n);
        harness.assert_well_behaved();
    }
    let harness = Harness::new("long_result", config()).await;
    let (_, outcome) = harness.run(6 * 1024 * 1024 - 1).await;
    assert!(failure(&outcome).contains("6291457 bytes"), "{outcome:?}");
    assert_eq!(harness.assert_well_behaved().invocations.len(), 1);
}

#[durable]
pub(crate) async fn many_scopes(log: &Log, n: usize) -> Result<usize, BoxError> {
    for n in 0..n {
        let part = scope!("part", key = n, {
            for n in 0..20 {
                step!("work", key = n, {
                    log.note("work");
                    Ok::<_, String>(())
                })
                .await?;
            }
            Ok(())
        });
        if let Err(error) = part.await {
            assert_eq!(error.kind(), ErrorKind::Failed);
            assert!(error.to_string().contains("too large"), "{error}");
            return Ok(log.count("work"));
        }
        wait!("pause", Duration::from_secs(1)).await;
    }
    Ok(log.count("work"))
}

/// The service no longer returns operations inside finished contexts, but they still count towards the quota.
#[tokio::test]
async fn operations_of_finished_contexts_count() {
    let mut config = config();
    config.quotas.operations = 100;
    let harness = Harness::new("many_scopes", config).await;
    let (_, outcome) = harness.run(8).await;
    let done = value(&outcome).as_u64().unwrap();
    assert!((81..=95).contains(&done), "{done} steps of 100 operations");
    assert_eq!(harness.log.count("work") as u64, done);
    harness.assert_well_behaved();
}
