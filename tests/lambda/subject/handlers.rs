//! Durable functions that the subject runs.

use durable::prelude::*;
use futures::future::join_all;

use crate::Effects;
pub(crate) use crate::moves::*;

/// Runs `n` steps one after the other.
#[durable]
pub(crate) async fn steps(effects: &Effects, n: u64) -> Result<u64, BoxError> {
    let mut sum = 0;
    for i in 0..n {
        sum += step!("step", key = i, {
            effects.record(format_args!("step {i}"));
            Ok::<_, String>(i)
        })
        .await?;
    }
    Ok(sum)
}

/// Runs `n` steps concurrently.
#[durable]
pub(crate) async fn concurrent_steps(effects: &Effects, n: u64) -> Result<u64, BoxError> {
    let all = (0..n).map(|i| {
        step!("step", key = i, move, {
            effects.record(format_args!("step {i}"));
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok::<_, String>(i)
        })
    });
    let all: Result<Vec<u64>, StepError> = join_all(all).await.into_iter().collect();
    Ok(all?.into_iter().sum())
}

/// Runs a step and waits for a second, `n` times.
#[durable]
pub(crate) async fn waits(effects: &Effects, n: u64) -> Result<u64, BoxError> {
    let mut sum = 0;
    for i in 0..n {
        sum += step!("step", key = i, {
            effects.record(format_args!("step {i}"));
            Ok::<_, String>(i)
        })
        .await?;
        wait!("pause", Duration::from_secs(1)).await;
    }
    Ok(sum)
}

/// Runs `n` steps that take a tenth of a second each.
#[durable]
pub(crate) async fn slow_steps(effects: &Effects, n: u64) -> Result<u64, BoxError> {
    let mut sum = 0;
    for i in 0..n {
        sum += step!("step", key = i, {
            effects.record(format_args!("step {i}"));
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok::<_, String>(i)
        })
        .await?;
    }
    Ok(sum)
}

/// Runs a step that kills its process the first time. With `how` = `late`, it does so after its start is recorded.
#[durable]
pub(crate) async fn killed_once(effects: &Effects, how: String) -> Result<usize, BoxError> {
    let attempt = step!("dies", {
        effects.record("dies");
        let times = effects.count("dies");
        if times == 1 {
            if how == "late" {
                // Long enough for the start to be recorded.
                tokio::time::sleep(Duration::from_millis(1_500)).await;
            }
            use rustix::process::{Signal, getpid, kill_process};
            let _ = kill_process(getpid(), Signal::KILL);
            std::future::pending::<()>().await;
        }
        Ok::<_, String>(times)
    });
    Ok(attempt.await?)
}

/// Runs a step that never ends.
#[durable]
pub(crate) async fn never_ends(effects: &Effects) -> Result<String, BoxError> {
    let done = step!("endless", {
        effects.record("endless");
        std::future::pending::<()>().await;
        Ok::<_, String>(())
    });
    Ok(match done.await {
        Ok(()) => "done".into(),
        Err(error) => format!("{:?}", error.kind()),
    })
}

/// Runs a step with a value of `n` bytes.
#[durable]
pub(crate) async fn large_value(_effects: &Effects, n: usize) -> Result<String, BoxError> {
    let value = step!("large", Ok::<_, String>("x".repeat(n))).await;
    Ok(match value {
        Ok(value) => format!("{} bytes", value.len()),
        Err(error) => format!("{:?}", error.kind()),
    })
}

/// Returns a result of `n` bytes.
#[durable]
pub(crate) async fn large_result(_effects: &Effects, n: usize) -> Result<String, BoxError> {
    step!("small", Ok::<_, String>(1)).await?;
    Ok("x".repeat(n))
}

/// Returns a result of `n` quotation marks.
#[durable]
pub(crate) async fn quoted_result(_effects: &Effects, n: usize) -> Result<String, BoxError> {
    Ok("\"".repeat(n))
}

/// Fails with a message of `n` bytes, first in a step and then in the handler.
#[durable]
pub(crate) async fn long_errors(_effects: &Effects, n: usize) -> Result<(), BoxError> {
    let failed = step!("fails", retry = Retry::none(), Err::<(), _>("x".repeat(n))).await;
    assert!(failed.is_err());
    Err("y".repeat(n).into())
}

/// Runs a scope with a result of 300 KiB built from its steps' values, then waits.
#[durable]
pub(crate) async fn large_scope(effects: &Effects) -> Result<usize, BoxError> {
    let text = scope!("large", {
        effects.record("scope");
        let mut text = String::new();
        for part in 0..3 {
            text += &step!("part", key = part, {
                effects.record(format_args!("part {part}"));
                Ok::<_, String>("x".repeat(100 * 1024))
            })
            .await?;
        }
        Ok(text)
    })
    .await?;
    wait!("pause", Duration::from_secs(1)).await;
    Ok(text.len())
}

/// Runs a step and waits: the version of `edited` that an execution starts with.
#[durable(name = "edited")]
pub(crate) async fn edited(_effects: &Effects) -> Result<u32, BoxError> {
    step!("first", Ok::<_, String>(1)).await?;
    wait!("pause", Duration::from_secs(30)).await;
    Ok(1)
}

/// Version of `edited` that uses the name `first` for a wait.
#[durable(name = "edited")]
pub(crate) async fn edited_later(_effects: &Effects) -> Result<u32, BoxError> {
    wait!("first", Duration::from_secs(1)).await;
    wait!("pause", Duration::from_secs(30)).await;
    Ok(2)
}

/// Version of `edited` in which `first` has another type.
#[durable(name = "edited")]
pub(crate) async fn edited_retyped(effects: &Effects) -> Result<String, BoxError> {
    let first = step!("first", Ok::<_, String>("one".to_owned())).await;
    effects.record("first is read");
    wait!("pause", Duration::from_secs(30)).await;
    Ok(first.unwrap_or_default())
}

/// Calls `continue_as!` after a step with an undo body.
#[durable]
pub(crate) async fn continues_after_undoable_step(
    effects: &Effects,
    n: u32,
) -> Result<u32, BoxError> {
    step!(
        "book",
        undo = |()| cancel_booking(effects).await,
        Ok::<_, String>(())
    )
    .await?;
    continue_as!(n + 1).await
}

async fn cancel_booking(effects: &Effects) -> Result<(), String> {
    effects.record("undone");
    Ok(())
}

/// Waits for a callback.
#[durable]
pub(crate) async fn approval(_effects: &Effects) -> Result<String, BoxError> {
    Ok(callback!("approved", timeout = Duration::from_secs(10_000)).await?)
}

/// Invokes another function.
#[durable]
pub(crate) async fn invokes_echo(_effects: &Effects, word: String) -> Result<String, BoxError> {
    let said: String = invoke!("said", "echo", word).await?;
    Ok(said)
}

/// Invokes a function that does not exist.
#[durable]
pub(crate) async fn invokes_missing(_effects: &Effects) -> Result<String, BoxError> {
    let said: Result<String, InvokeError> = invoke!("said", "nobody", 1).await;
    Ok(match said {
        Ok(said) => said,
        Err(error) => error.message().to_owned(),
    })
}

/// Runs a step that fails twice.
#[durable]
pub(crate) async fn flaky(effects: &Effects) -> Result<u32, BoxError> {
    let retry = Retry::fixed(Duration::from_secs(1)).attempts(3);
    let attempt = step!("flaky", retry = retry, |step| {
        effects.record("flaky");
        if step.attempt() < 3 {
            Err("not yet")
        } else {
            Ok(step.attempt())
        }
    });
    Ok(attempt.await?)
}

/// Runs two scopes concurrently, each with a step and a wait.
#[durable]
pub(crate) async fn breakfast(effects: &Effects) -> Result<u32, BoxError> {
    let eggs = scope!("eggs", {
        wait!("boil", Duration::from_secs(2)).await;
        effects.record("eggs");
        step!("peel", Ok::<u32, String>(1)).await
    });
    let toast = scope!("toast", {
        let slow_steps = step!("cut", Ok::<u32, String>(2)).await?;
        wait!("brown", Duration::from_secs(1)).await;
        Ok(slow_steps)
    });
    let (eggs, toast) = tokio::join!(eggs, toast);
    Ok(eggs? + toast?)
}

/// Runs a `map!` over `n` items with one step each.
#[durable]
pub(crate) async fn mapped_steps(effects: &Effects, n: u64) -> Result<u64, BoxError> {
    let items: Vec<u64> = (0..n).collect();
    let done = map!("items", &items, key = |item| item, |item| {
        step!("work", {
            effects.record(format_args!("item {item}"));
            Ok::<_, String>(*item)
        })
        .await
    });
    Ok(done.await.into_values()?.into_iter().sum())
}

/// Runs an at-most-once step that kills its process.
#[durable]
pub(crate) async fn charges_once(effects: &Effects) -> Result<String, BoxError> {
    let charged = step!("charge", at_most_once, {
        effects.record("charge");
        use rustix::process::{Signal, getpid, kill_process};
        let _ = kill_process(getpid(), Signal::KILL);
        std::future::pending::<()>().await;
        Ok::<_, String>(())
    });
    Ok(match charged.await {
        Ok(()) => "charged".into(),
        Err(error) => format!("{:?}", error.kind()),
    })
}

/// Runs five steps and ignores their errors.
#[durable]
pub(crate) async fn ignores_errors(_effects: &Effects) -> Result<u32, BoxError> {
    let mut failed = 0;
    for i in 0..5 {
        let done = step!("step", key = i, Ok::<_, String>(1)).await;
        failed += u32::from(done.is_err());
    }
    Ok(failed)
}
