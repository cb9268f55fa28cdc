//! Bodies that kill their process.

use std::sync::Arc;

use durable::prelude::*;
use durable::store::{ExecutionStore, MemoryStore, StoreErrorKind};
use durable::{BoxFuture, Clock, ErrorKind, RunError, Timestamp};
use tokio::sync::Notify;

use crate::support::{Crash, Effects, TokioClock, process};

struct App {
    effects: Effects,
    died: Arc<Notify>,
}

/// Kills the process.
async fn die(app: &App) -> Result<(), String> {
    app.effects.note("ran");
    app.died.notify_one();
    std::future::pending().await
}

#[durable]
async fn poison(app: &App) -> Result<(), BoxError> {
    step!("fine", fine(app)).await?;
    step!("poison", die(app).await).await?;
    Ok(())
}

#[durable]
async fn poison_once(app: &App) -> Result<(), BoxError> {
    step!("poison", at_most_once, die(app).await).await?;
    Ok(())
}

fn fine(app: &App) -> Result<(), String> {
    app.effects.note("fine");
    Ok(())
}

/// Runs until the end, or until the body has killed the process.
macro_rules! run_process {
    ($handler:expr, $memory:expr, $app:expr) => {{
        let run = durable::run($handler, "a", ())
            .state(&$app)
            .store(process(&$memory, Crash::Never))
            .into_future();
        tokio::select! {
            biased;
            () = $app.died.notified() => None,
            ended = run => Some(ended),
        }
    }};
}

#[tokio::test]
async fn a_step_that_keeps_killing_its_process_fails() {
    let memory = MemoryStore::new();
    let app = App {
        effects: Effects::default(),
        died: Arc::default(),
    };
    let mut deaths = 0;
    let error = loop {
        match run_process!(poison, memory, app) {
            None => deaths += 1,
            Some(ended) => break ended.unwrap_err(),
        }
        assert!(deaths < 10, "it loops forever");
    };
    let RunError::Failed(error) = error else {
        panic!("{error}");
    };
    let text = error.to_string();
    assert!(text.contains("`poison` was interrupted"), "{text}");
    assert!(text.contains("started 3 times"), "{text}");
    // One interruption before its START was written, which is not counted, and three that are.
    assert_eq!(deaths, 4);
    assert_eq!(app.effects.count("fine"), 1);
}

#[tokio::test]
async fn at_most_once_is_not_run_again_by_a_new_process() {
    let memory = MemoryStore::new();
    let app = App {
        effects: Effects::default(),
        died: Arc::default(),
    };
    assert!(run_process!(poison_once, memory, app).is_none());
    let ended = run_process!(poison_once, memory, app).unwrap();
    let RunError::Failed(error) = ended.unwrap_err() else {
        panic!("not failed");
    };
    assert!(error.to_string().contains("not known"), "{error}");
    assert_eq!(app.effects.count("ran"), 1);
}

#[durable]
async fn caught(app: &App) -> Result<String, BoxError> {
    match step!("poison", at_most_once, die(app).await).await {
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok("unknown outcome".to_owned()),
        other => Err(format!("{other:?}").into()),
    }
}

#[tokio::test]
async fn an_unknown_outcome_is_an_error_kind_to_match() {
    let memory = MemoryStore::new();
    let app = App {
        effects: Effects::default(),
        died: Arc::default(),
    };
    assert!(run_process!(caught, memory, app).is_none());
    let ended = run_process!(caught, memory, app).unwrap();
    assert_eq!(ended.unwrap(), "unknown outcome");
}

#[durable]
async fn hangs(app: &App) -> Result<(), BoxError> {
    step!("hangs", die(app).await).await?;
    Ok(())
}

#[tokio::test]
async fn a_process_that_lost_its_lease_stops_during_a_body() {
    let memory = MemoryStore::new();
    let app = App {
        effects: Effects::default(),
        died: Arc::default(),
    };
    let probe = process(&memory, Crash::Never);
    let run = durable::run(hangs, "a", ())
        .state(&app)
        .lease(Duration::from_millis(90))
        .store(probe.clone());
    let other_process = async {
        app.died.notified().await;
        let later = durable::Timestamp::from(std::time::SystemTime::now());
        let later = later.after(Duration::from_secs(3600));
        let id = "a".parse().unwrap();
        memory
            .claim(&id, later, Duration::from_secs(3600))
            .await
            .unwrap();
        std::future::pending::<()>().await;
    };
    let ended = tokio::select! {
        ended = run.into_future() => ended,
        () = other_process => unreachable!(),
    };
    let RunError::Store(error) = ended.unwrap_err() else {
        panic!("not a store error");
    };
    assert_eq!(error.kind(), StoreErrorKind::FenceLost);
    let checkpoints = probe.checkpoints.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(checkpoints, 0, "it stopped without trying to write");
}

#[durable]
async fn poisoned_batch(app: &App) -> Result<(), BoxError> {
    let items = vec![1];
    batches!("poison", items, |_batch| die(app).await).await?;
    Ok(())
}

#[tokio::test]
async fn a_batch_that_keeps_killing_its_process_fails() {
    let memory = MemoryStore::new();
    let app = App {
        effects: Effects::default(),
        died: Arc::default(),
    };
    let mut deaths = 0;
    let ended = loop {
        match run_process!(poisoned_batch, memory, app) {
            None => deaths += 1,
            Some(ended) => break ended,
        }
        assert!(deaths < 10, "it loops forever");
    };
    let text = ended.unwrap_err().to_string();
    assert!(text.contains("was interrupted"), "{text}");
    assert_eq!(deaths, 4);
}

/// A clock that is off by this many milliseconds.
struct WrongClock(Arc<dyn Clock>, i64);

impl Clock for WrongClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.now().as_millis() + self.1)
    }

    fn sleep(&self, delay: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(delay)
    }
}

#[durable]
async fn step_and_wait(_n: u32) -> Result<(), BoxError> {
    step!("work", Ok::<_, String>(())).await?;
    wait!("minute", Duration::from_secs(60)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_set_back_skips_no_wait() {
    let (memory, clock) = (MemoryStore::new(), TokioClock::shared());
    let first = process(&memory, Crash::After(1));
    let ahead = Arc::new(WrongClock(Arc::clone(&clock), 600_000));
    let run = durable::run(step_and_wait, "a", 0).clock(ahead);
    let run = run.store(first.clone()).into_future();
    assert!(first.survive(run).await.is_none());
    drop(first);
    let begun = clock.now();
    let run = durable::run(step_and_wait, "a", 0).clock(Arc::clone(&clock));
    run.store(process(&memory, Crash::Never)).await.unwrap();
    assert!(clock.now().since(begun) >= Duration::from_secs(60));
}
