//! Tests of programs with all operations, each interrupted at every call.

use std::time::Duration as Time;

use durable::prelude::*;
use durable::{Codec, Json};
use durable_lambda_tests::{ExecutionOutcome, Fault, InvocationEnd};
use serde_json::Value;

use crate::harness::{Harness, config, failure, value};
use crate::subject::Log;

/// Runs a handler without faults and then with an interruption at each of its calls. Asserts that the outcome is the
/// same.
async fn interrupted_at_every_call(
    handler: &str,
    input: impl Into<Value>,
) -> (Harness, ExecutionOutcome) {
    // The random programs cover late and paged responses.
    let faults = [Fault::WithholdToken, Fault::KillBefore, Fault::KillAfter];
    with_faults_at_every_call(handler, input, &faults).await
}

async fn with_faults_at_every_call(
    handler: &str,
    input: impl Into<Value>,
    faults: &[Fault],
) -> (Harness, ExecutionOutcome) {
    let input = input.into();
    let undisturbed = Harness::new(handler, config()).await;
    let (_, expected) = undisturbed.run(input.clone()).await;
    let calls = undisturbed.assert_well_behaved().checkpoints.len() as u64;
    for call in 1..=calls {
        for fault in faults {
            let harness = Harness::new(handler, config()).await;
            harness.fake.fault(call, fault.clone());
            let (_, outcome) = harness.run(input.clone()).await;
            assert_eq!(outcome, expected, "{fault:?} at call {call} of {handler}");
            harness.assert_well_behaved();
        }
    }
    (undisturbed, expected)
}

#[durable]
pub(crate) async fn books_trip(log: &Log, hotel: bool) -> Result<u32, BoxError> {
    let flight = scope!("trip", {
        Ok(step!(
            "flight",
            undo = |n| cancel(log, "flight", n),
            Ok::<_, String>(1)
        )
        .await?)
    })
    .await?;
    let cars = map!("cars", ["a", "b"], key = |car| *car, |car| {
        let car = step!(
            "car",
            undo = |car: String| cancel(log, &car, 1),
            Ok::<_, String>(car.to_owned())
        )
        .await?;
        wait!("pause", Time::from_secs(5)).await;
        Ok(car)
    })
    .await
    .into_values()?;
    wait!("night", Time::from_secs(60)).await;
    step!("hotel", retry = Retry::none(), {
        if hotel { Ok(()) } else { Err("full") }
    })
    .await?;
    Ok(flight + cars.len() as u32)
}

fn cancel(log: &Log, booking: &str, _n: u32) -> Result<(), String> {
    log.note(&format!("cancel {booking}"));
    // The first attempt to cancel car `a` fails.
    if booking == "a" && log.count("cancel a") == 1 {
        return Err("busy".into());
    }
    Ok(())
}

#[tokio::test]
async fn failed_executions_undo_their_steps() {
    let (harness, outcome) = interrupted_at_every_call("books_trip", false).await;
    assert!(failure(&outcome).contains("full"), "{outcome:?}");
    for (line, times) in [("cancel flight", 1), ("cancel a", 2), ("cancel b", 1)] {
        assert_eq!(harness.log.count(line), times, "{line}");
    }
    let (harness, outcome) = interrupted_at_every_call("books_trip", true).await;
    assert_eq!(value(&outcome), 3);
    assert_eq!(harness.log.count("cancel flight"), 0);
}

#[durable]
pub(crate) async fn approves(log: &Log, answered: bool) -> Result<String, BoxError> {
    let approval = callback!("approval");
    let id = approval.id().await;
    step!("ask", {
        if answered {
            log.note(&format!("answer {id} \"yes\""));
        }
        Ok::<_, String>(())
    })
    .await?;
    let said = race!("race", {
        "said" => said = approval => said.map(|said: String| said),
        "late" => wait!("late", Time::from_secs(600)) => Ok("late".to_owned()),
    })
    .await?;
    wait!("after", Time::from_secs(5)).await;
    Ok(said)
}

#[tokio::test]
async fn races_end_with_a_callback_or_a_timer() {
    assert_eq!(
        value(&interrupted_at_every_call("approves", true).await.1),
        "yes"
    );
    assert_eq!(
        value(&interrupted_at_every_call("approves", false).await.1),
        "late"
    );
}

#[durable]
pub(crate) async fn large_results(log: &Log, n: usize) -> Result<usize, BoxError> {
    let parts = map!("parts", 0..n, |n| {
        step!("part", {
            log.note(&format!("part {n}"));
            Ok::<_, String>(())
        })
        .await?;
        Ok(format!("{n}{}", "x".repeat(100_000)))
    })
    .await
    .into_values()?;
    let flat = map!("flat", 0..n, flat, |n| {
        step!("piece", {
            log.note(&format!("piece {n}"));
            Ok::<_, String>(())
        })
        .await?;
        Ok("y".repeat(150_000))
    })
    .await
    .into_values()?;
    let nested = scope!("outer", {
        let inner = scope!("inner", {
            step!("leaf", {
                log.note("leaf");
                Ok::<_, String>(())
            })
            .await?;
            Ok("z".repeat(300_000))
        })
        .await?;
        Ok(inner.clone() + &inner)
    })
    .await?;
    wait!("night", Time::from_secs(60)).await;
    wait!("day", Time::from_secs(60)).await;
    Ok(parts.concat().len() + flat.concat().len() + nested.len())
}

#[tokio::test]
async fn results_too_large_to_store_are_rebuilt() {
    let (harness, outcome) =
        with_faults_at_every_call("large_results", 4, &[Fault::KillAfter]).await;
    assert_eq!(value(&outcome), 400_004 + 600_000 + 600_000);
    for once in ["part 0", "part 3", "piece 0", "piece 3", "leaf"] {
        assert_eq!(harness.log.count(once), 1, "{once}");
    }
}

#[durable]
pub(crate) async fn growing_list(log: &Log, _n: u32) -> Result<Vec<u32>, BoxError> {
    // Two more items on each replay, up to six.
    log.note("asked");
    let n = 2 * log.count("asked").min(3) as u32;
    let ends = map!("items", 0..n, key = |n| *n, |n| {
        step!("work", {
            log.note(&format!("work {n}"));
            Ok::<_, String>(n)
        })
        .await?;
        wait!("pause", Time::from_secs(30)).await;
        Ok(n)
    })
    .await;
    Ok(ends.into_values()?)
}

#[tokio::test]
async fn map_runs_items_added_between_replays() {
    let harness = Harness::new("growing_list", config()).await;
    let (_, outcome) = harness.run(0).await;
    assert_eq!(value(&outcome).as_array().unwrap().len(), 6);
    for n in 0..6 {
        assert_eq!(harness.log.count(&format!("work {n}")), 1);
    }
    harness.assert_well_behaved();
}

#[durable]
pub(crate) async fn unusual_names(log: &Log, _n: u32) -> Result<u32, BoxError> {
    let long = "k".repeat(300);
    let keys = [
        "ключ",
        "日本",
        "a b\"c\\",
        &format!("{long}1"),
        &format!("{long}2"),
        "tab\there",
        "",
    ];
    let mut sum = 0;
    for (n, key) in keys.iter().enumerate() {
        sum += step!("named", key = key, {
            log.note(&format!("named {n}"));
            Ok::<_, String>(n as u32)
        })
        .await?;
    }
    sum += step!("labelled", label = "other", Ok::<_, String>(100)).await?;
    sum += step!("other", label = "labelled", Ok::<_, String>(1000)).await?;
    wait!("night", Time::from_secs(60)).await;
    sum += step!("last", label = "ß".repeat(200), Ok::<_, String>(10_000)).await?;
    wait!("day", Time::from_secs(60)).await;
    Ok(sum)
}

#[tokio::test]
async fn names_and_labels_do_not_affect_identity() {
    let (harness, outcome) = interrupted_at_every_call("unusual_names", 0).await;
    assert_eq!(value(&outcome), 21 + 11_100);
    for n in 0..7 {
        assert_eq!(harness.log.count(&format!("named {n}")), 1);
    }
}

#[durable]
pub(crate) async fn execution_metadata(log: &Log, _n: u32) -> Result<bool, BoxError> {
    let about = execution!();
    log.note(&format!(
        "about {} {} {}",
        about.id(),
        about.handler(),
        about.started_at()
    ));
    let key = step!("key", |step| Ok::<_, String>(step.idempotency_key())).await?;
    wait!("night", Time::from_secs(60)).await;
    let again = Retry::fixed(Time::from_secs(1)).attempts(3);
    step!("keys", retry = again, |step| {
        log.note(&format!("key {}", step.idempotency_key()));
        if step.attempt() < 3 {
            Err("again")
        } else {
            Ok(())
        }
    })
    .await?;
    Ok(key.starts_with(about.id().as_str()))
}

#[tokio::test]
async fn execution_metadata_is_the_same_on_every_replay() {
    let (harness, outcome) = interrupted_at_every_call("execution_metadata", 0).await;
    assert_eq!(value(&outcome), true);
    let mut about = harness.log.lines("about ");
    assert!(about.len() >= 4);
    about.dedup();
    assert_eq!(about.len(), 1, "{about:?}");
    let mut keys = harness.log.lines("key ");
    assert_eq!(keys.len(), 3);
    keys.dedup();
    assert_eq!(keys.len(), 1, "{keys:?}");
}

#[durable]
pub(crate) async fn chain(log: &Log, n: u32) -> Result<u32, BoxError> {
    step!("link", {
        log.note(&format!("link {n}"));
        Ok::<_, String>(())
    })
    .await?;
    wait!("night", Time::from_secs(60)).await;
    if n < 3 {
        continue_as!(n + 1).await
    } else {
        Ok(n * 10)
    }
}

#[tokio::test]
async fn chains_end_with_the_result_of_the_last_execution() {
    // The next execution is an invoke of the function itself, which the test completes.
    let harness = Harness::new("chain", config()).await;
    harness.fake.manual_function("subject");
    let (_, outcome) = harness.run(0).await;
    assert_eq!(value(&outcome), 30);
    for n in 0..=3 {
        assert_eq!(harness.log.count(&format!("link {n}")), 1);
    }
    harness.assert_well_behaved();
}

#[durable]
pub(crate) async fn invokes_missing(_log: &Log, _n: u32) -> Result<String, BoxError> {
    let nobody: Result<u32, _> = invoke!("call", "nobody", 1).await;
    let error = nobody.unwrap_err();
    wait!("night", Time::from_secs(60)).await;
    Ok(format!("{} {}", error.type_name(), error.message()))
}

#[tokio::test]
async fn errors_of_missing_functions_can_be_caught() {
    let (_, outcome) = interrupted_at_every_call("invokes_missing", 0).await;
    assert_eq!(
        value(&outcome),
        "ResourceNotFoundException Function not found: nobody"
    );
}

#[durable]
pub(crate) async fn panics(log: &Log, n: u32) -> Result<u32, BoxError> {
    let body = step!("body", retry = Retry::none(), {
        if n < 10 {
            panic!("in a body")
        };
        Ok::<_, String>(1)
    })
    .await;
    let text = body.unwrap_err().to_string();
    assert!(text.contains("in a body"), "{text}");
    step!(
        "kept",
        undo = |_n| cancel(log, "kept", 1),
        Ok::<_, String>(1)
    )
    .await?;
    wait!("night", Time::from_secs(60)).await;
    if n == 1 {
        panic!("in the handler");
    }
    Ok(n)
}

#[tokio::test]
async fn panics_are_errors_of_the_step_or_handler() {
    let (harness, outcome) = interrupted_at_every_call("panics", 1).await;
    assert!(failure(&outcome).contains("in the handler"), "{outcome:?}");
    assert_eq!(harness.log.count("cancel kept"), 1);
    assert_eq!(value(&interrupted_at_every_call("panics", 2).await.1), 2);
}

#[durable]
pub(crate) async fn empty_callback_results(log: &Log, _n: u32) -> Result<String, BoxError> {
    let answer = |id: &str| {
        log.note(&format!("answer {id} "));
        Ok::<_, String>(())
    };
    let unit: Result<(), _> = callback!("unit", submit = |id| answer(id)).await;
    let option: Result<Option<u32>, _> = callback!("option", submit = |id| answer(id)).await;
    Ok(format!("{unit:?} {option:?}"))
}

#[tokio::test]
async fn empty_callback_results_decode_as_unit_and_none() {
    let (_, outcome) = interrupted_at_every_call("empty_callback_results", 0).await;
    assert_eq!(value(&outcome), "Ok(()) Ok(None)");
}

/// Codec that inverts all bits of JSON, so that its output is not UTF-8.
struct Inverted;

impl<T> Codec<T> for Inverted
where
    Json: Codec<T>,
{
    fn name(&self) -> &'static str {
        "inverted"
    }

    fn encode(&self, value: &T) -> Result<Vec<u8>, BoxError> {
        Ok(Json.encode(value)?.into_iter().map(|byte| !byte).collect())
    }

    fn decode(&self, bytes: &[u8]) -> Result<T, BoxError> {
        let bytes: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
        Json.decode(&bytes)
    }
}

#[durable]
pub(crate) async fn binary_values(log: &Log, n: usize) -> Result<usize, BoxError> {
    let step = step!("step", codec = Inverted, Ok::<_, String>("s".repeat(n))).await?;
    let scope = scope!("scope", codec = Inverted, {
        Ok::<_, BoxError>("c".repeat(n))
    })
    .await?;
    let items = map!("map", 0..3, codec = Inverted, |_n| { Ok("m".repeat(n)) }).await;
    let items = items.into_values()?;
    let (all, size): (Vec<u32>, _) = ((0..40).collect(), 20);
    let sums = batches!("sums", all, max = size, codec = Inverted, |batch| {
        log.note("batch");
        Ok::<u32, String>(batch.iter().sum())
    })
    .await?;
    let large = step!(
        "large",
        retry = Retry::none(),
        codec = Inverted,
        Ok::<_, String>("l".repeat(200_000))
    )
    .await;
    wait!("night", Time::from_secs(60)).await;
    assert!(
        large
            .unwrap_err()
            .to_string()
            .contains("over the store's limit")
    );
    Ok(step.len() + scope.len() + items.concat().len() + sums.iter().sum::<u32>() as usize)
}

#[tokio::test]
async fn codecs_can_encode_binary_data() {
    let (_, outcome) = interrupted_at_every_call("binary_values", 100).await;
    assert_eq!(value(&outcome), 500 + 780);
    let (_, outcome) = with_faults_at_every_call("binary_values", 150_000, &[]).await;
    assert_eq!(value(&outcome), 750_000 + 780);
}

#[durable]
pub(crate) async fn charges_once(log: &Log, _n: u32) -> Result<String, BoxError> {
    let charged = step!("charge", at_most_once, {
        log.note("charged");
        Ok::<_, String>(1)
    })
    .await;
    step!("after", Ok::<_, String>(())).await?;
    Ok(match charged {
        Ok(_) => "charged".to_owned(),
        Err(error) => format!("{:?}", error.kind()),
    })
}

#[tokio::test]
async fn at_most_once_steps_run_at_most_once() {
    let undisturbed = Harness::new("charges_once", config()).await;
    assert_eq!(value(&undisturbed.run(0).await.1), "charged");
    let calls = undisturbed.assert_well_behaved().checkpoints.len() as u64;
    for call in 1..=calls {
        for fault in [Fault::KillBefore, Fault::KillAfter, Fault::WithholdToken] {
            let harness = Harness::new("charges_once", config()).await;
            harness.fake.fault(call, fault.clone());
            let (_, outcome) = harness.run(0).await;
            let result = value(&outcome);
            let times = harness.log.count("charged");
            let case = format!("{fault:?} at call {call}: {result}, {times} times");
            assert!(times <= 1, "{case}");
            assert!(
                result == "Interrupted" || result == "charged" && times == 1,
                "{case}"
            );
            let recording = harness.assert_well_behaved();
            let failed = recording
                .invocations
                .iter()
                .filter(|one| !matches!(one.end, Some(InvocationEnd::Output(_))));
            assert!(failed.count() <= 1);
        }
    }
}
