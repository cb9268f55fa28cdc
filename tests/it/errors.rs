//! Errors are the same on the first run and on every replay.

use std::fmt;

use durable::prelude::*;
use durable::store::{Capabilities, Durability, MemoryStore};
use durable::{ErrorKind, Retry, RunError};

use crate::support::{Crash, Effects, TokioClock, process};

#[derive(Debug)]
struct TransientError {
    cause: std::num::ParseIntError,
}

impl fmt::Display for TransientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server is busy")
    }
}

impl std::error::Error for TransientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

fn busy() -> Result<(), TransientError> {
    let cause = "x".parse::<u8>().unwrap_err();
    Err(TransientError { cause })
}

/// Notes every error as the handler sees it, live and on replay.
#[durable]
async fn failing(seen: &Effects) -> Result<(), BoxError> {
    let typed = step!("typed", retry = Retry::none(), busy()).await;
    let block = step!("block", retry = Retry::none(), {
        busy()?;
        Ok(())
    })
    .await;
    let text = step!("text", retry = Retry::none(), Err::<(), _>("no")).await;
    let panic = step!("panic", retry = Retry::none(), explode()).await;
    let slow = step!(
        "slow",
        retry = Retry::none(),
        timeout = Duration::from_millis(1),
        never().await
    )
    .await;
    let scope = scope!("scope", {
        step!("inner", retry = Retry::none(), busy()).await?;
        Ok(())
    })
    .await;
    let called = call!(fails(1)).await;
    for error in [typed, block, text, panic, slow, scope, called] {
        seen.note(format!("{:?}", error.unwrap_err()));
    }
    wait!("long", Duration::from_secs(3600)).await;
    Ok(())
}

fn explode() -> Result<(), String> {
    panic!("kaboom {}", 7)
}

async fn never() -> Result<(), String> {
    std::future::pending().await
}

#[durable]
async fn fails(_n: u32) -> Result<(), BoxError> {
    busy()?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn replayed_errors_equal_live_ones() {
    let seen = Effects::default();
    let run = durable::run(failing, "a", ()).clock(TokioClock::shared());
    let report = run.state(&seen).store(MemoryStore::new()).report().await;
    report.output.unwrap();
    let seen = seen.all();
    assert_eq!(seen.len(), 14, "seven errors, twice");
    assert_eq!(seen[..7], seen[7..]);
    for (error, parts) in seen.iter().zip([
        &[
            "\"typed\"",
            "the server is busy",
            "TransientError",
            "invalid digit",
        ][..],
        &["\"block\"", "TransientError", "invalid digit"],
        &["\"text\"", "\"no\""],
        &["\"panic\"", "kaboom 7", "panicked at tests/it/errors.rs:"],
        &["\"slow\"", "TimedOut", "1ms"],
        &["\"scope\"", "scope/inner"],
        &["\"fails\"", "the server is busy"],
    ]) {
        for part in parts {
            assert!(error.contains(part), "{part} is missing in {error}");
        }
    }
}

/// All the ways to leave a body with `?`, each with a different error type.
#[durable]
async fn exits(_: &Effects) -> Result<Vec<(String, u32)>, BoxError> {
    let retry = Retry::none;
    let branch = step!("branch", retry = retry(), {
        "1".parse::<u8>()?;
        if true { busy_later().await } else { busy() }
    })
    .await;
    let at_end = step!("at end", retry = retry(), {
        "1".parse::<u8>()?;
        Err(fmt::Error)
    })
    .await;
    let early = step!("early", retry = retry(), {
        if "1".parse::<u8>()? == 1 {
            return Err(fmt::Error);
        }
        Ok(())
    })
    .await;
    let named = step!("named", retry = retry(), {
        if "1".parse::<u8>().map_err(|_| fmt::Error)? == 1 {
            Err::<(), fmt::Error>(fmt::Error)?;
        }
        Ok::<_, TransientError>(())
    })
    .await;
    let fatal = step!("fatal", retry = Retry::fixed(1.seconds()), {
        if "1".parse::<u8>()? == 1 {
            return Err(fatal(fmt::Error));
        }
        Ok(())
    })
    .await;
    let ends = [branch, at_end, early, named, fatal];
    let errors = ends.into_iter().map(|end| end.unwrap_err());
    Ok(errors
        .map(|error| (error.type_name().to_owned(), error.attempts()))
        .collect())
}

async fn busy_later() -> Result<(), TransientError> {
    busy()
}

impl From<fmt::Error> for TransientError {
    fn from(_: fmt::Error) -> Self {
        busy().unwrap_err()
    }
}

#[tokio::test(start_paused = true)]
async fn every_exit_of_a_body_keeps_its_error_type() {
    let seen = Effects::default();
    let run = durable::run(exits, "a", ()).clock(TokioClock::shared());
    let ends = run.state(&seen).store(MemoryStore::new()).await.unwrap();
    let of = |name: &str| (name.to_owned(), 1);
    let own = of("it::errors::TransientError");
    let fmt = of("core::fmt::Error");
    assert_eq!(ends, [own.clone(), fmt.clone(), fmt.clone(), own, fmt]);
}

#[durable]
async fn retries(seen: &Effects) -> Result<(), BoxError> {
    let hour = Duration::from_secs(3600);
    let policy = Retry::fixed(hour).attempts(3);
    let only_transient = policy.clone().when(|error| error.is::<TransientError>());
    let retried = step!("retried", retry = only_transient.clone(), {
        seen.note("retried");
        busy()?;
        Ok(())
    })
    .await;
    let refused = step!("refused", retry = only_transient.clone(), {
        seen.note("refused");
        Err::<(), _>("other")?;
        Ok(())
    })
    .await;
    let fatal = step!("fatal", retry = policy.clone(), {
        seen.note("fatal");
        Err::<(), BoxError>(fatal("never again"))
    })
    .await;
    let panics = step!("panics", retry = policy.clone(), {
        seen.note("panics");
        explode()
    })
    .await;
    let attempts = [retried, refused, fatal, panics].map(|end| end.unwrap_err().attempts());
    assert_eq!(attempts, [3, 1, 1, 3]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn retries_follow_their_policy() {
    let seen = Effects::default();
    let run = durable::run(retries, "a", ()).clock(TokioClock::shared());
    run.state(&seen).store(MemoryStore::new()).await.unwrap();
    let counts = ["retried", "refused", "fatal", "panics"].map(|name| seen.count(name));
    assert_eq!(counts, [3, 1, 1, 3]);
}

#[durable]
async fn oversize(_n: u32) -> Result<String, BoxError> {
    let big = step!("big", Ok::<_, String>("x".repeat(2000))).await;
    let error = big.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let kept = scope!("scope", {
        let one = step!("one", Ok::<_, String>("y".repeat(900))).await?;
        let two = step!("two", Ok::<_, String>("z".repeat(900))).await?;
        Ok(one + &two)
    })
    .await?;
    wait!("long", Duration::from_secs(3600)).await;
    assert_eq!(kept.len(), 1800);
    Ok(error.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_value_over_the_limit_fails_a_step_and_is_rebuilt_for_a_scope() {
    let limits = Capabilities::unlimited(Durability::Memory).with_max_value(1000);
    let store = MemoryStore::with_capabilities(limits);
    let run = durable::run(oversize, "a", 0).clock(TokioClock::shared());
    let text = run.store(store).await.unwrap();
    assert!(
        text.contains("`big`") && text.contains("2002 bytes"),
        "{text}"
    );
}

#[durable]
async fn unrecordable(_n: u32) -> Result<(), BoxError> {
    record!("value", explode().is_ok()).await;
    Ok(())
}

#[tokio::test]
async fn a_failed_form_without_a_result_fails_the_execution() {
    let run = durable::run(unrecordable, "a", 0).store(MemoryStore::new());
    let RunError::Failed(error) = run.await.unwrap_err() else {
        panic!("not failed");
    };
    assert!(error.to_string().contains("`value`"), "{error}");
    assert!(error.to_string().contains("kaboom"), "{error}");
}

#[durable]
async fn panics(_n: u32) -> Result<(), BoxError> {
    explode()?;
    Ok(())
}

#[tokio::test]
async fn a_panic_of_the_handler_is_recorded_as_its_failure() {
    let store = MemoryStore::new();
    for _ in 0..2 {
        let error = durable::run(panics, "a", 0).store(store.clone()).await;
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("`panics`") && text.contains("kaboom"),
            "{text}"
        );
    }
}

#[durable(name = "typed")]
async fn recorded_as_text(_n: u32) -> Result<(), BoxError> {
    step!("value", Ok::<_, String>("text".to_owned())).await?;
    wait!("long", Duration::from_secs(3600)).await;
    Ok(())
}

#[durable(name = "typed")]
async fn read_as_number(_n: u32) -> Result<u32, BoxError> {
    Ok(step!("value", Ok::<u32, String>(1)).await?)
}

#[tokio::test(start_paused = true)]
async fn a_recorded_value_of_a_different_type_is_reported() {
    let memory = MemoryStore::new();
    let probe = process(&memory, Crash::After(2));
    let run = durable::run(recorded_as_text, "a", 0).clock(TokioClock::shared());
    let run = run.store(probe.clone()).into_future();
    assert!(probe.survive(run).await.is_none());
    let run = durable::run(read_as_number, "a", 0).clock(TokioClock::shared());
    let error = run.store(process(&memory, Crash::Never)).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("`value`") && text.contains("`u32`"), "{text}");
}
