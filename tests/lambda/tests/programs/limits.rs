//! What is as large as the service allows, or larger.

use durable::prelude::*;

use crate::scene::{Scene, config, failure, value};
use crate::subject::Log;

#[durable]
pub(crate) async fn wide(log: &Log, n: usize) -> Result<usize, BoxError> {
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
async fn hundreds_of_branches_share_calls() {
    let scene = Scene::new("wide", config()).await;
    let (_, ended) = scene.run(300).await;
    assert_eq!(value(&ended), 300);
    assert_eq!(scene.log.count("one"), 300);
    let record = scene.well_behaved();
    // 900 STARTs and as many ends of contexts and steps, 200 to a call.
    let calls = record.checkpoints.len();
    assert!(
        calls <= 12,
        "{calls} calls in {} invocations",
        record.invocations.len()
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
async fn what_is_larger_than_a_call_goes_alone() {
    let scene = Scene::new("large_input", config()).await;
    scene.fake.function("echo", Ok);
    let (_, ended) = scene.run(900_000).await;
    assert_eq!(value(&ended), 1_100_000);
    scene.well_behaved();
    let (_, ended) = scene.run(1 << 20).await;
    assert!(
        failure(&ended).contains("over the store's limit"),
        "{ended:?}"
    );
}

#[durable]
pub(crate) async fn long_error(_log: &Log, n: usize) -> Result<(), BoxError> {
    let inner = step!("fails", retry = Retry::none(), Err::<(), _>("\"".repeat(n))).await;
    assert!(inner.is_err());
    Err("x".repeat(n).into())
}

#[tokio::test]
async fn a_long_error_is_shortened() {
    let scene = Scene::new("long_error", config()).await;
    let (_, ended) = scene.run(7 << 20).await;
    let durable_lambda_tests::Ended::Failed(error) = &ended else {
        panic!("{ended:?}");
    };
    assert!(failure(&ended).starts_with("xxx"), "{error:?}");
    assert!(serde_json::to_string(error).unwrap().len() < 32 * 1024);
    let record = scene.well_behaved();
    assert_eq!(record.errors(), Vec::<&serde_json::Value>::new());
}

#[durable]
pub(crate) async fn many_quotes(_log: &Log, n: usize) -> Result<String, BoxError> {
    step!("once", Ok::<_, String>(())).await?;
    Ok("\"".repeat(n))
}

#[tokio::test]
async fn a_result_is_as_long_as_its_json_in_an_answer() {
    let scene = Scene::new("many_quotes", config()).await;
    // Two bytes each as JSON, four as a text within JSON.
    let n = 2 << 20;
    let (_, ended) = scene.run(n).await;
    assert_eq!(value(&ended).as_str().map(str::len), Some(n));
    let record = scene.well_behaved();
    assert_eq!(record.invocations.len(), 1);
}

#[durable]
pub(crate) async fn quoted_values(_log: &Log, n: usize) -> Result<usize, BoxError> {
    let values = map!("many", 0..n, |_n| {
        Ok(step!("value", Ok::<_, String>("\"".repeat(60_000))).await?)
    });
    Ok(values.await.into_values()?.len())
}

#[tokio::test]
async fn a_call_is_as_long_as_the_json_of_its_updates() {
    let scene = Scene::new("quoted_values", config()).await;
    let (_, ended) = scene.run(20).await;
    assert_eq!(value(&ended), 20);
    scene.well_behaved();
}

#[durable]
pub(crate) async fn long_result(_log: &Log, n: usize) -> Result<String, BoxError> {
    step!("once", Ok::<_, String>(())).await?;
    Ok("x".repeat(n))
}

#[tokio::test]
async fn a_result_too_long_for_an_answer_is_sent_ahead() {
    for n in [
        6 * 1024 * 1024 - 52,
        6 * 1024 * 1024 - 40,
        6 * 1024 * 1024 - 2,
    ] {
        let scene = Scene::new("long_result", config()).await;
        let (_, ended) = scene.run(n).await;
        assert_eq!(value(&ended).as_str().unwrap().len(), n);
        scene.well_behaved();
    }
    let scene = Scene::new("long_result", config()).await;
    let (_, ended) = scene.run(6 * 1024 * 1024 - 1).await;
    assert!(failure(&ended).contains("6291457 bytes"), "{ended:?}");
    assert_eq!(scene.well_behaved().invocations.len(), 1);
}

#[durable]
pub(crate) async fn parts(log: &Log, n: usize) -> Result<usize, BoxError> {
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

/// What stands in a context that is over is not told of again, but it was used up.
#[tokio::test]
async fn operations_of_contexts_that_are_over_count() {
    let mut config = config();
    config.quotas.operations = 100;
    let scene = Scene::new("parts", config).await;
    let (_, ended) = scene.run(8).await;
    let done = value(&ended).as_u64().unwrap();
    assert!((81..=95).contains(&done), "{done} steps of 100 operations");
    assert_eq!(scene.log.count("work") as u64, done);
    scene.well_behaved();
}
