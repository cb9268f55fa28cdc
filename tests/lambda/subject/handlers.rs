//! The handlers.

use durable::prelude::*;
use futures::future::join_all;

use crate::World;
pub(crate) use crate::moves::*;

/// `n` steps, one after the other.
#[durable]
pub(crate) async fn steps(world: &World, n: u64) -> Result<u64, BoxError> {
    let mut sum = 0;
    for i in 0..n {
        sum += step!("step", key = i, {
            world.effect(format_args!("step {i}"));
            Ok::<_, String>(i)
        })
        .await?;
    }
    Ok(sum)
}

/// `n` steps at once.
#[durable]
pub(crate) async fn together(world: &World, n: u64) -> Result<u64, BoxError> {
    let all = (0..n).map(|i| {
        step!("step", key = i, move, {
            world.effect(format_args!("step {i}"));
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok::<_, String>(i)
        })
    });
    let all: Result<Vec<u64>, StepError> = join_all(all).await.into_iter().collect();
    Ok(all?.into_iter().sum())
}

/// A step, a wait of a second and so on, `n` times.
#[durable]
pub(crate) async fn waits(world: &World, n: u64) -> Result<u64, BoxError> {
    let mut sum = 0;
    for i in 0..n {
        sum += step!("step", key = i, {
            world.effect(format_args!("step {i}"));
            Ok::<_, String>(i)
        })
        .await?;
        wait!("pause", Duration::from_secs(1)).await;
    }
    Ok(sum)
}

/// `steps` steps that take a tenth of a second each.
#[durable]
pub(crate) async fn slices(world: &World, n: u64) -> Result<u64, BoxError> {
    let mut sum = 0;
    for i in 0..n {
        sum += step!("step", key = i, {
            world.effect(format_args!("step {i}"));
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok::<_, String>(i)
        })
        .await?;
    }
    Ok(sum)
}

/// A step that kills its process the first time.
#[durable]
pub(crate) async fn killed(world: &World, how: String) -> Result<usize, BoxError> {
    let began = step!("dies", {
        world.effect("dies");
        let times = world.count("dies");
        if times == 1 {
            if how == "late" {
                // Long enough for the start to be written.
                tokio::time::sleep(Duration::from_millis(1_500)).await;
            }
            use rustix::process::{Signal, getpid, kill_process};
            let _ = kill_process(getpid(), Signal::KILL);
            std::future::pending::<()>().await;
        }
        Ok::<_, String>(times)
    });
    Ok(began.await?)
}

/// A step that no invocation is long enough for.
#[durable]
pub(crate) async fn endless(world: &World) -> Result<String, BoxError> {
    let done = step!("endless", {
        world.effect("endless");
        std::future::pending::<()>().await;
        Ok::<_, String>(())
    });
    Ok(match done.await {
        Ok(()) => "done".into(),
        Err(error) => format!("{:?}", error.kind()),
    })
}

/// A step whose value has `n` bytes.
#[durable]
pub(crate) async fn value(_world: &World, n: usize) -> Result<String, BoxError> {
    let value = step!("large", Ok::<_, String>("x".repeat(n))).await;
    Ok(match value {
        Ok(value) => format!("{} bytes", value.len()),
        Err(error) => format!("{:?}", error.kind()),
    })
}

/// A result of `n` bytes.
#[durable]
pub(crate) async fn result(_world: &World, n: usize) -> Result<String, BoxError> {
    step!("small", Ok::<_, String>(1)).await?;
    Ok("x".repeat(n))
}

/// A result of `n` quotation marks.
#[durable]
pub(crate) async fn quotes(_world: &World, n: usize) -> Result<String, BoxError> {
    Ok("\"".repeat(n))
}

/// Fails with a message of `n` bytes, in a step and then as a whole.
#[durable]
pub(crate) async fn errors(_world: &World, n: usize) -> Result<(), BoxError> {
    let failed = step!("fails", retry = Retry::none(), Err::<(), _>("x".repeat(n))).await;
    assert!(failed.is_err());
    Err("y".repeat(n).into())
}

/// A scope with a result of 300 KiB that is built from what its steps return, and a wait behind it.
#[durable]
pub(crate) async fn scoped(world: &World) -> Result<usize, BoxError> {
    let text = scope!("large", {
        world.effect("scope");
        let mut text = String::new();
        for part in 0..3 {
            text += &step!("part", key = part, {
                world.effect(format_args!("part {part}"));
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

/// A step and a wait, in the version that an execution begins with.
#[durable(name = "edited")]
pub(crate) async fn edited(_world: &World) -> Result<u32, BoxError> {
    step!("first", Ok::<_, String>(1)).await?;
    wait!("pause", Duration::from_secs(30)).await;
    Ok(1)
}

/// The same after an edit that took `first` for something else.
#[durable(name = "edited")]
pub(crate) async fn edited_later(_world: &World) -> Result<u32, BoxError> {
    wait!("first", Duration::from_secs(1)).await;
    wait!("pause", Duration::from_secs(30)).await;
    Ok(2)
}

/// The same after an edit that gave `first` another type.
#[durable(name = "edited")]
pub(crate) async fn edited_retyped(world: &World) -> Result<String, BoxError> {
    let first = step!("first", Ok::<_, String>("one".to_owned())).await;
    world.effect("first is read");
    wait!("pause", Duration::from_secs(30)).await;
    Ok(first.unwrap_or_default())
}

/// Goes on as another execution although a step could be taken back.
#[durable]
pub(crate) async fn leaves(world: &World, n: u32) -> Result<u32, BoxError> {
    step!(
        "book",
        undo = |()| take_back(world).await,
        Ok::<_, String>(())
    )
    .await?;
    continue_as!(n + 1).await
}

async fn take_back(world: &World) -> Result<(), String> {
    world.effect("taken back");
    Ok(())
}

/// Waits for somebody outside.
#[durable]
pub(crate) async fn approval(_world: &World) -> Result<String, BoxError> {
    Ok(callback!("approved", timeout = Duration::from_secs(10_000)).await?)
}

/// Runs another function.
#[durable]
pub(crate) async fn echoes(_world: &World, word: String) -> Result<String, BoxError> {
    let said: String = invoke!("said", "echo", word).await?;
    Ok(said)
}

/// Runs a function that is not there.
#[durable]
pub(crate) async fn missing(_world: &World) -> Result<String, BoxError> {
    let said: Result<String, InvokeError> = invoke!("said", "nobody", 1).await;
    Ok(match said {
        Ok(said) => said,
        Err(error) => error.message().to_owned(),
    })
}

/// A step that fails twice.
#[durable]
pub(crate) async fn flaky(world: &World) -> Result<u32, BoxError> {
    let retry = Retry::fixed(Duration::from_secs(1)).attempts(3);
    let attempt = step!("flaky", retry = retry, |step| {
        world.effect("flaky");
        if step.attempt() < 3 {
            Err("not yet")
        } else {
            Ok(step.attempt())
        }
    });
    Ok(attempt.await?)
}

/// Branches that wait and work beside each other.
#[durable]
pub(crate) async fn breakfast(world: &World) -> Result<u32, BoxError> {
    let eggs = scope!("eggs", {
        wait!("boil", Duration::from_secs(2)).await;
        world.effect("eggs");
        step!("peel", Ok::<u32, String>(1)).await
    });
    let toast = scope!("toast", {
        let slices = step!("cut", Ok::<u32, String>(2)).await?;
        wait!("brown", Duration::from_secs(1)).await;
        Ok(slices)
    });
    let (eggs, toast) = tokio::join!(eggs, toast);
    Ok(eggs? + toast?)
}

/// A `map!` over `n` items, a step each.
#[durable]
pub(crate) async fn fan(world: &World, n: u64) -> Result<u64, BoxError> {
    let items: Vec<u64> = (0..n).collect();
    let done = map!("items", &items, key = |item| item, |item| {
        step!("work", {
            world.effect(format_args!("item {item}"));
            Ok::<_, String>(*item)
        })
        .await
    });
    Ok(done.await.into_values()?.into_iter().sum())
}

/// A step that is never begun twice.
#[durable]
pub(crate) async fn once(world: &World) -> Result<String, BoxError> {
    let charged = step!("charge", at_most_once, {
        world.effect("charge");
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

/// Takes every error for nothing.
#[durable]
pub(crate) async fn swallowed(_world: &World) -> Result<u32, BoxError> {
    let mut failed = 0;
    for i in 0..5 {
        let done = step!("step", key = i, Ok::<_, String>(1)).await;
        failed += u32::from(done.is_err());
    }
    Ok(failed)
}
