//! Correct handlers: no tool of the kit may report a problem.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use durable::prelude::*;
use durable::testing::{crash_everywhere, shuffled};
use durable::{Complete, Retry};
use futures::future::join_all;

/// Application state whose changes are all idempotent.
#[derive(Default)]
pub(crate) struct App {
    rows: Mutex<BTreeMap<String, u32>>,
    calls: AtomicU32,
}

impl App {
    pub(crate) async fn put(&self, key: impl ToString, value: u32) -> Result<u32, BoxError> {
        tokio::task::yield_now().await;
        self.rows.lock().unwrap().insert(key.to_string(), value);
        Ok(value)
    }

    pub(crate) fn remove(&self, key: &str) -> Result<(), BoxError> {
        self.rows.lock().unwrap().remove(key);
        Ok(())
    }

    pub(crate) fn rows(&self) -> BTreeMap<String, u32> {
        self.rows.lock().unwrap().clone()
    }
}

/// Tests that neither a crash nor a different order changes the result of the handler.
macro_rules! survives {
    ($name:ident, $handler:ident, $input:expr, |$run:ident| $given:expr, $least:expr $(, varies $varies:literal)?) => {
        #[tokio::test]
        async fn $name() {
            let crashes = crash_everywhere($handler, |_| App::default(), $input)
                .given(|$run| $given)
                .comparing(App::rows)
                $(.varies($varies))?
                .await
                .unwrap();
            assert!(crashes.count() >= $least, "{}", crashes.count());
            let shuffles = shuffled($handler, |_| App::default(), $input)
                .given(|$run| $given)
                $(.varies($varies))?
                .await
                .unwrap();
            assert_eq!(shuffles.rounds(), 12);
        }
    };
    ($name:ident, $handler:ident, $input:expr, $least:expr $(, varies $varies:literal)?) => {
        survives!($name, $handler, $input, |run| run, $least $(, varies $varies)?);
    };
}

#[durable]
async fn sequence(app: &App, n: u32) -> Result<u32, BoxError> {
    let first = step!("first", app.put("first", n).await).await?;
    wait!(Duration::from_secs(86_400)).await;
    let mut sum = first;
    for n in 0..n {
        sum += step!("load", key = n, app.put(n, n).await).await?;
        wait!("breathe", Duration::from_secs(1)).await;
    }
    Ok(sum)
}
survives!(steps_and_waits, sequence, 3, 26);

#[durable]
async fn retried(app: &App) -> Result<u32, BoxError> {
    Ok(step!("flaky", |step| {
        if step.attempt() < 3 {
            Err("not yet")?;
        }
        Ok(app.put("flaky", 7).await?)
    })
    .await?)
}
survives!(retries, retried, (), 8);

#[durable]
async fn concurrent(app: &App, n: u32) -> Result<u32, BoxError> {
    let numbers: Vec<u32> = (0..n).collect();
    let many = numbers
        .iter()
        .map(|n| step!("many", key = n, move, app.put(n, *n).await));
    let (a, b, many) = tokio::join!(
        step!("a", app.put("a", 1).await),
        async {
            wait!("pause", Duration::from_secs(60)).await;
            step!("b", app.put("b", 2).await).await
        },
        join_all(many),
    );
    let many: Result<Vec<u32>, _> = many.into_iter().collect();
    Ok(a? + b? + many?.iter().sum::<u32>())
}
survives!(steps_at_once, concurrent, 4, 20);

#[durable]
async fn fans(app: &App, n: u32) -> Result<u32, BoxError> {
    let items: Vec<u32> = (0..n).collect();
    let squares = map!(
        "squares",
        items,
        key = |item| item,
        concurrency = 2,
        |item| {
            let square = step!("square", app.put(item, item * item).await).await?;
            wait!("rest", Duration::from_secs(u64::from(item))).await;
            Ok(step!("again", app.put(format!("{item} again"), square).await).await?)
        }
    );
    let sum: u32 = squares.await.into_values()?.into_iter().sum();
    let both = parallel!("both", {
        "left" => { Ok(step!("one", app.put("left", 1).await).await?) },
        "right" => { Ok(step!("one", app.put("right", 2).await).await?) },
    });
    Ok(sum + both.await.into_values()?.into_iter().sum::<u32>())
}
survives!(maps_and_branches, fans, 4, 40);

#[durable]
async fn first_of(app: &App) -> Result<u32, BoxError> {
    let quotes = parallel!("quotes", complete = Complete::first_success(), {
        "fast" => { Ok(step!("quote", app.put("quote", 1).await).await?) },
        "slow" => {
            wait!("slow", Duration::from_secs(3600)).await;
            Ok(step!("quote", app.put("late quote", 2).await).await?)
        },
    });
    Ok(quotes.await.into_values()?.into_iter().sum())
}
survives!(the_first_of_several_branches, first_of, (), 10);

#[durable]
async fn approval(app: &App) -> Result<u32, BoxError> {
    let answer = race!("approval", {
        "answered" => answer = callback!("manager", submit = |id| app.put("asked", id.len().min(1).try_into()?).await.map(drop))
            => answer.unwrap_or(0),
        "late" => wait!("deadline", Duration::from_secs(86_400)) => 99,
    })
    .await;
    Ok(step!("note", app.put("answer", answer).await).await?)
}
survives!(
    an_answer_in_time,
    approval,
    (),
    |run| run.callback("manager", 5),
    8
);
survives!(
    an_answer_too_late,
    approval,
    (),
    |run| run.callback_after("manager", Duration::from_secs(2 * 86_400), 5),
    8
);

#[durable]
async fn either(app: &App) -> Result<u32, BoxError> {
    Ok(race!("either", {
        "left" => step!("left", app.put("left", 1).await) => 1,
        "right" => step!("right", app.put("right", 1).await) => 2,
    })
    .await)
}

#[durable]
async fn pays_the_first(app: &App) -> Result<u32, BoxError> {
    Ok(race!("first", {
        "quick" => quick = step!("quick", app.put("quick", 1).await) => {
            let quick = quick.unwrap_or(0);
            step!("pay", app.put("paid", quick).await).await
        },
        "late" => wait!("late", Duration::from_secs(60)) => Ok(0),
    })
    .await?)
}

#[tokio::test]
async fn the_winner_of_a_race_is_durable_before_its_arm_runs() {
    let crashes = crash_everywhere(pays_the_first, |_| App::default(), ())
        .await
        .unwrap();
    let boundaries: Vec<String> = crashes
        .boundaries()
        .iter()
        .map(ToString::to_string)
        .collect();
    let durable = |one: &String| one.starts_with("after") && one.contains("`first` (succeeded)");
    let decided = boundaries.iter().position(durable).unwrap();
    let paid = boundaries
        .iter()
        .position(|one| one == "before the body of `pay`");
    assert!(decided < paid.unwrap(), "{boundaries:#?}");
}

#[tokio::test]
async fn a_different_race_winner_is_not_a_problem() {
    let shuffles = shuffled(either, |_| App::default(), ())
        .rounds(40)
        .seed(1)
        .await
        .unwrap();
    assert!(shuffles.decided_otherwise() > 0);
    assert!(shuffles.decided_otherwise() < 40);
}

#[durable]
async fn polled(_app: &App) -> Result<u32, BoxError> {
    let every = Duration::from_secs(30);
    let checks = poll!("ready", every = every, state = 0_u32, |checks| {
        Ok::<_, BoxError>(if checks < 3 {
            ControlFlow::Continue(checks + 1)
        } else {
            ControlFlow::Break(checks)
        })
    });
    Ok(checks.await?)
}
survives!(polls, polled, (), 14);

#[durable]
async fn child(app: &App, n: u32) -> Result<u32, BoxError> {
    wait!(Duration::from_secs(7 * 86_400)).await;
    Ok(step!("work", app.put(n, n).await).await?)
}

#[durable]
async fn parent(app: &App, n: u32) -> Result<u32, BoxError> {
    let called = call!(child(n)).await?;
    let invoked = invoke!("other", child(n + 1)).await?;
    let scoped = scope!("scope", { step!("put", app.put("scoped", n).await).await }).await?;
    Ok(called + invoked + scoped)
}
survives!(children_and_scopes, parent, 3, 30);

#[durable]
async fn undone(app: &App) -> Result<(), BoxError> {
    step!(
        "flight",
        undo = |_booked| app.remove("flight"),
        app.put("flight", 1).await
    )
    .await?;
    step!(
        "hotel",
        undo = |_booked| app.remove("hotel"),
        app.put("hotel", 1).await
    )
    .await?;
    step!("car", retry = Retry::none(), Err::<(), _>("no roads there")).await?;
    Ok(())
}
survives!(a_failure_that_is_undone, undone, (), 16);

#[durable]
async fn recorded(app: &App) -> Result<u64, BoxError> {
    let id = record!("id", fastrand::u64(..)).await;
    let now = record!("now", std::time::SystemTime::now()).await;
    let _ = step!("put", app.put(id, 1).await).await?;
    Ok(id ^ now.elapsed().map_or(0, |_| 1))
}

#[tokio::test]
async fn recorded_values_are_the_same_in_all_runs() {
    crash_everywhere(recorded, |_| App::default(), ())
        .comparing(|app| app.rows().len())
        .await
        .unwrap();
    shuffled(recorded, |_| App::default(), ()).await.unwrap();
}

#[durable]
async fn random_in_a_step(app: &App) -> Result<u32, BoxError> {
    let id = step!("create", Ok::<_, BoxError>(fastrand::u64(..))).await?;
    Ok(step!("use", app.put("used", u32::from(id > 0)).await).await?)
}
survives!(a_step_with_a_random_value_is_excluded_by_name, random_in_a_step, (), 8, varies "create");

#[durable]
async fn batched(app: &App, n: u32) -> Result<u32, BoxError> {
    let rows: Vec<u32> = (0..n).collect();
    let copied = batches!("copy", rows, max = 20, |batch| {
        for row in batch {
            app.put(row, *row).await?;
        }
        Ok(u32::try_from(batch.len())?)
    });
    Ok(copied.await?.into_iter().sum())
}
survives!(batches_of_a_list, batched, 50, 12);

#[durable]
async fn chained(app: &App, left: u32) -> Result<u32, BoxError> {
    step!("page", app.put(left, left).await).await?;
    if left == 0 {
        return Ok(0);
    }
    continue_as!(left - 1).await
}
survives!(a_chain, chained, 2, 12);

#[durable]
async fn careful(app: &App) -> Result<String, BoxError> {
    Ok(
        match step!("charge", at_most_once, app.put("charged", 1).await).await {
            Ok(_) => "charged".to_owned(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                step!("ask", app.put("asked", 1).await).await?;
                "asked".to_owned()
            }
            Err(error) => return Err(error.into()),
        },
    )
}

#[tokio::test]
async fn an_at_most_once_step_may_end_differently_after_a_crash() {
    crash_everywhere(careful, |_| App::default(), ())
        .await
        .unwrap();
    shuffled(careful, |_| App::default(), ()).await.unwrap();
}

#[durable]
async fn fails(app: &App) -> Result<(), BoxError> {
    step!("first", app.put("first", 1).await).await?;
    // Counts the replays.
    #[durable(allow(D023))]
    app.calls.fetch_add(1, Ordering::SeqCst);
    Err("that was all".into())
}
survives!(a_handler_that_fails, fails, (), 4);
