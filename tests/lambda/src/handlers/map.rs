//! Suite `map`.

use durable::prelude::*;
use serde_json::{Value, json};

use super::codecs::{Line, Prefixed};
use super::projection::BranchOutcome::{Failure, Success};
use super::projection::{counts, full, successes};

async fn greet(name: &str) -> Result<String, BoxError> {
    Ok(format!("Hello, {name}!"))
}

async fn work(text: &str) -> Result<String, BoxError> {
    Ok(text.to_owned())
}

#[durable]
pub(super) async fn steps(names: Vec<String>) -> Result<Vec<String>, BoxError> {
    let greetings = map!("map", &names, concurrency = 1, |name| {
        step!(greet(name).await).await
    });
    Ok(greetings.await.into_values()?)
}

#[durable]
pub(super) async fn unnamed(numbers: Vec<i64>) -> Result<Vec<i64>, BoxError> {
    let doubled = map!("double", numbers, concurrency = 1, |number| {
        Ok(number * 2)
    });
    Ok(doubled.await.into_values()?)
}

#[durable]
pub(super) async fn indexed(numbers: Vec<i64>) -> Result<Vec<i64>, BoxError> {
    let numbers = (0..).zip(numbers);
    let sums = map!("indexed", numbers, concurrency = 1, |(index, number)| {
        Ok(number + index)
    });
    Ok(sums.await.into_values()?)
}

#[durable]
pub(super) async fn empty(items: Vec<Value>) -> Result<Vec<Value>, BoxError> {
    let none = map!("empty", items, concurrency = 1, |item| { Ok(item) });
    Ok(none.await.into_values()?)
}

#[durable]
pub(super) async fn fail_fast() -> Result<Value, BoxError> {
    let branches = [Success, Failure, Success];
    let complete = Complete::fail_fast();
    let batch = map!(
        "failfast",
        branches,
        concurrency = 1,
        complete = complete,
        |branch| { branch.into_result() }
    );
    Ok(full(&batch.await))
}

#[durable]
pub(super) async fn error_propagated() -> Result<Vec<String>, BoxError> {
    let complete = Complete::fail_fast();
    let batch = map!(
        "throwing",
        [Failure, Success],
        concurrency = 1,
        complete = complete,
        |branch| { branch.into_result() }
    );
    Ok(batch.await.into_values()?)
}

#[durable]
pub(super) async fn min_successful() -> Result<Value, BoxError> {
    let complete = Complete::all().min_successful(2);
    let batch = map!(
        "min-successful",
        [Success; 4],
        concurrency = 1,
        complete = complete,
        |branch| { branch.into_result() }
    );
    Ok(successes(&batch.await))
}

#[durable]
pub(super) async fn tolerated() -> Result<Value, BoxError> {
    let branches = [Success, Failure, Success];
    let complete = Complete::all().tolerated_failures(1);
    let batch = map!(
        "tolerated",
        branches,
        concurrency = 1,
        complete = complete,
        |branch| { branch.into_result() }
    );
    Ok(full(&batch.await))
}

#[durable]
pub(super) async fn tolerance_exceeded() -> Result<Value, BoxError> {
    let branches = [Failure, Failure, Success];
    let complete = Complete::all().tolerated_failures(1);
    let batch = map!(
        "tolerated-exceeded",
        branches,
        concurrency = 1,
        complete = complete,
        |branch| { branch.into_result() }
    );
    Ok(counts(&batch.await))
}

#[durable]
pub(super) async fn tolerated_share() -> Result<Value, BoxError> {
    let branches = [Failure, Failure, Success, Success];
    let complete = Complete::all().tolerated_share(0.25);
    let batch = map!(
        "tolerated-pct",
        branches,
        concurrency = 1,
        complete = complete,
        |branch| { branch.into_result() }
    );
    Ok(counts(&batch.await))
}

#[durable]
pub(super) async fn concurrent() -> Result<Vec<String>, BoxError> {
    let texts = map!("concurrent", 0..3, concurrency = 2, |number| {
        Ok(format!("r{number}"))
    });
    Ok(texts.await.into_values()?)
}

#[durable]
pub(super) async fn flat() -> Result<Vec<String>, BoxError> {
    let texts = map!("flat", ["fa", "fb"], flat, concurrency = 1, |text| {
        step!(work(text).await).await
    });
    Ok(texts.await.into_values()?)
}

#[durable]
pub(super) async fn named_items(numbers: Vec<i64>) -> Result<Vec<i64>, BoxError> {
    let tenfold = map!(
        "named-items",
        numbers,
        concurrency = 1,
        item_label = |number| format!("item-{number}"),
        |number| { Ok(number * 10) }
    );
    Ok(tenfold.await.into_values()?)
}

#[durable]
pub(super) async fn items_encoded() -> Result<Vec<String>, BoxError> {
    let texts = map!(
        "serdes",
        ["x", "y"],
        concurrency = 1,
        codec = Prefixed("wrapped:"),
        |text| { Ok(text.to_uppercase()) }
    );
    Ok(texts.await.into_values()?)
}

#[durable]
pub(super) async fn suspends() -> Result<Vec<String>, BoxError> {
    let texts = map!("suspend", ["r0", "r1"], concurrency = 1, |text| {
        if text == "r1" {
            wait!(1.seconds()).await;
        }
        step!(work(text).await).await
    });
    Ok(texts.await.into_values()?)
}

#[durable]
pub(super) async fn large() -> Result<Value, BoxError> {
    let texts = map!("large", 0..4, concurrency = 1, |number| {
        Ok(number.to_string().repeat(70 * 1024))
    });
    let texts = texts.await;
    Ok(json!({ "successCount": texts.succeeded(), "totalCount": texts.started() }))
}

#[durable]
pub(super) async fn before_a_wait() -> Result<Vec<String>, BoxError> {
    let texts = map!("then-wait", ["a", "b"], concurrency = 1, |text| {
        Ok(text.to_uppercase())
    });
    let texts = texts.await.into_values()?;
    wait!(1.seconds()).await;
    Ok(texts)
}

#[durable]
pub(super) async fn failure_before_a_wait() -> Result<Value, BoxError> {
    let complete = Complete::all().tolerated_failures(1);
    let batch = map!(
        "fail-then-wait",
        [Success, Failure],
        concurrency = 1,
        complete = complete,
        |branch| { branch.into_result() }
    );
    let batch = batch.await;
    wait!(1.seconds()).await;
    Ok(full(&batch))
}

#[durable]
pub(super) async fn result_encoded() -> Result<Vec<String>, BoxError> {
    let texts = map!(
        "op-serde",
        ["x", "y"],
        concurrency = 1,
        result_codec = Line,
        |text| { Ok(text.to_uppercase()) }
    );
    Ok(texts.await.into_values()?)
}

#[durable]
pub(super) async fn result_decoded() -> Result<Vec<String>, BoxError> {
    let texts = map!(
        "op-serde-replay",
        ["x", "y"],
        concurrency = 1,
        result_codec = Line,
        |text| { Ok(text.to_uppercase()) }
    );
    let texts = texts.await;
    wait!(1.seconds()).await;
    Ok(texts.into_values()?)
}
