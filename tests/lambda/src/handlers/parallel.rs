//! Suite `parallel`. Branches that differ only in their outcome are given as a list.

use durable::prelude::*;
use serde_json::{Value, json};

use super::codecs::Wrapped;
use super::projection::BranchOutcome::{Failure, Success};
use super::projection::{counts, full, successes};

async fn work(text: &str) -> Result<String, BoxError> {
    Ok(text.to_owned())
}

#[durable]
pub(super) async fn steps() -> Result<Vec<String>, BoxError> {
    let tasks = parallel!("parallel", concurrency = 1, {
        "first" => { step!(work("task-1").await).await },
        "second" => { step!(work("task-2").await).await },
    });
    Ok(tasks.await.into_values()?)
}

#[durable]
pub(super) async fn unnamed() -> Result<Vec<String>, BoxError> {
    let letters = parallel!("letters", concurrency = 1, {
        "first" => { work("alpha").await },
        "second" => { work("beta").await },
    });
    Ok(letters.await.into_values()?)
}

#[durable]
pub(super) async fn named_branches() -> Result<Vec<String>, BoxError> {
    let named = parallel!("named", concurrency = 1, {
        "first" => { work("one").await },
        "second" => { work("two").await },
    });
    Ok(named.await.into_values()?)
}

async fn value(value: Value) -> Result<Value, BoxError> {
    Ok(value)
}

#[durable]
pub(super) async fn of_many_types() -> Result<Vec<Value>, BoxError> {
    let values = parallel!("hetero", concurrency = 1, {
        "text" => { value(json!("hello")).await },
        "number" => { value(json!(42)).await },
        "object" => { value(json!({ "k": "v" })).await },
    });
    Ok(values.await.into_values()?)
}

#[durable]
pub(super) async fn empty() -> Result<Vec<String>, BoxError> {
    let none = parallel!("empty", Vec::<String>::new(), |text| { Ok(text) });
    Ok(none.await.into_values()?)
}

#[durable]
pub(super) async fn fail_fast() -> Result<Value, BoxError> {
    let branches = [Success, Failure, Success];
    let complete = Complete::fail_fast();
    let batch = parallel!(
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
    let batch = parallel!(
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
    let batch = parallel!(
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
    let batch = parallel!(
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
    let batch = parallel!(
        "tolerated-exceeded",
        branches,
        concurrency = 1,
        complete = complete,
        |branch| { branch.into_result() }
    );
    Ok(counts(&batch.await))
}

#[durable]
pub(super) async fn concurrent() -> Result<Vec<String>, BoxError> {
    let branches = parallel!("concurrent", concurrency = 2, {
        "first" => { work("r0").await },
        "second" => { work("r1").await },
        "third" => { work("r2").await },
    });
    Ok(branches.await.into_values()?)
}

#[durable]
pub(super) async fn flat() -> Result<Vec<String>, BoxError> {
    let branches = parallel!("flat", flat, concurrency = 1, {
        "first" => { step!(work("fa").await).await },
        "second" => { step!(work("fb").await).await },
    });
    Ok(branches.await.into_values()?)
}

#[durable]
pub(super) async fn tolerated_share() -> Result<Value, BoxError> {
    let branches = [Failure, Failure, Success, Success];
    let complete = Complete::all().tolerated_share(0.25);
    let batch = parallel!(
        "tolerated-pct",
        branches,
        concurrency = 1,
        complete = complete,
        |branch| { branch.into_result() }
    );
    Ok(counts(&batch.await))
}

#[durable]
pub(super) async fn replayed() -> Result<Vec<String>, BoxError> {
    let branches = parallel!("replay", concurrency = 1, {
        "step" => { step!(work("b0").await).await },
        "wait" => {
            wait!(2.seconds()).await;
            Ok("b1".to_owned())
        },
    });
    Ok(branches.await.into_values()?)
}

#[durable]
pub(super) async fn encoded() -> Result<Vec<String>, BoxError> {
    let branches = parallel!("serde", concurrency = 1, codec = Wrapped, {
        "first" => { work("x").await },
        "second" => { work("y").await },
    });
    Ok(branches.await.into_values()?)
}

#[durable]
pub(super) async fn all_fail() -> Result<Value, BoxError> {
    let complete = Complete::all().tolerated_failures(3);
    let batch = parallel!(
        "all-fail",
        [Failure; 3],
        concurrency = 1,
        complete = complete,
        |branch| { branch.into_result() }
    );
    Ok(full(&batch.await))
}

#[durable]
pub(super) async fn min_not_reached() -> Result<Value, BoxError> {
    let branches = [Success, Failure, Success];
    let complete = Complete::all().min_successful(3);
    let batch = parallel!(
        "min-not-reached",
        branches,
        concurrency = 1,
        complete = complete,
        |branch| { branch.into_result() }
    );
    Ok(full(&batch.await))
}

#[durable]
pub(super) async fn combined() -> Result<Value, BoxError> {
    let branches = [Failure, Failure, Success, Success];
    let complete = Complete::all().min_successful(3).tolerated_failures(1);
    let batch = parallel!(
        "combined",
        branches,
        concurrency = 1,
        complete = complete,
        |branch| { branch.into_result() }
    );
    Ok(counts(&batch.await))
}

#[durable]
pub(super) async fn bad_concurrency() -> Result<Vec<String>, BoxError> {
    let batch = parallel!("bad-concurrency", [Success; 2], concurrency = 0, |branch| {
        branch.into_result()
    });
    Ok(batch.await.into_values()?)
}

#[durable]
pub(super) async fn accessors() -> Result<Value, BoxError> {
    let branches = [Success, Failure, Success];
    let complete = Complete::all().tolerated_failures(1);
    let batch = parallel!(
        "accessors",
        branches,
        concurrency = 1,
        complete = complete,
        |branch| { branch.into_result() }
    );
    let batch = batch.await;
    Ok(json!({
        "hasFailure": batch.has_failures(),
        "successCount": batch.succeeded(),
        "failureCount": batch.failed(),
        "errorCount": batch.errors().count(),
    }))
}

#[durable]
pub(super) async fn nested() -> Result<Vec<Vec<String>>, BoxError> {
    let outer = parallel!("outer", concurrency = 1, {
        "only" => {
            let inner = parallel!("inner", concurrency = 1, {
                "first" => { step!(work("i1").await).await },
                "second" => { step!(work("i2").await).await },
            });
            inner.await.into_values()
        },
    });
    Ok(outer.await.into_values()?)
}

#[durable]
pub(super) async fn share_not_exceeded() -> Result<Value, BoxError> {
    let branches = [Failure, Success, Success, Success];
    let complete = Complete::all().tolerated_share(0.25);
    let batch = parallel!(
        "pct-boundary",
        branches,
        concurrency = 1,
        complete = complete,
        |branch| { branch.into_result() }
    );
    Ok(full(&batch.await))
}
