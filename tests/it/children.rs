//! Invoked executions: who owns their ids, and what happens to parents of blocked children.

use durable::prelude::*;
use durable::store::{AdminStore, ExecutionStatus, ExecutionStore, MemoryStore, NewExecution};
use durable::testing::TestRun;
use durable::{Client, ErrorKind, ExecutionId, Payload, Record, RetryFrom, RunError};

use crate::support::{Crash, Effects, process};

fn id(text: &str) -> ExecutionId {
    text.parse().unwrap()
}

#[durable]
async fn child(app: &Effects, n: u32) -> Result<u32, BoxError> {
    Ok(step!("double", double(app, n)).await?)
}

fn double(app: &Effects, n: u32) -> Result<u32, String> {
    app.note("double");
    Ok(2 * n)
}

#[durable]
async fn parent(app: &Effects, n: u32) -> Result<u32, BoxError> {
    app.note("invoked");
    Ok(invoke!("child", child(n)).await?)
}

#[durable]
async fn parent_by_name(n: u32) -> Result<u32, BoxError> {
    Ok(invoke!("child", "child", n).await?)
}

/// Returns the id of the child of an execution `a`.
async fn id_of_the_child() -> ExecutionId {
    let (store, app) = (MemoryStore::new(), Effects::default());
    let run = durable::run(parent, "a", 1).state(&app);
    run.store(store.clone()).await.unwrap();
    let all = store.list(Default::default()).await.unwrap();
    all.into_iter().find(|one| one.id != id("a")).unwrap().id
}

async fn squatter(store: &MemoryStore, at: &ExecutionId) {
    let now = durable::Clock::now(&durable::SystemClock);
    let new = NewExecution::new(at.clone(), "squatter", Payload::json("{}"), now);
    store.start(new).await.unwrap();
}

fn failure(ended: Result<u32, RunError>) -> durable::OperationError {
    match ended {
        Err(RunError::Failed(error)) => error,
        other => panic!("not failed: {other:?}"),
    }
}

#[tokio::test]
async fn a_child_id_that_belongs_to_another_execution_fails_the_call() {
    let taken = id_of_the_child().await;
    for by_name in [false, true] {
        let (store, app) = (MemoryStore::new(), Effects::default());
        squatter(&store, &taken).await;
        for _ in 0..2 {
            let ended = match by_name {
                false => {
                    let run = durable::run(parent, "a", 1).state(&app);
                    run.store(process(&store, Crash::Never)).await
                }
                true => {
                    let run = durable::run(parent_by_name, "a", 1);
                    run.store(process(&store, Crash::Never)).await
                }
            };
            let error = failure(ended);
            assert_eq!(error.origin(), "child", "{error}");
            assert_eq!(error.kind(), ErrorKind::Failed);
            let (taken, text) = (taken.as_str(), error.to_string());
            for said in ["`a` cannot start", taken, "`squatter`", "started directly"] {
                assert!(text.contains(said), "{said} is missing in {text}");
            }
        }
        let there = store.get(&taken).await.unwrap();
        assert_eq!(there.status, ExecutionStatus::Queued, "it is unchanged");

        // Once the id is free, a retry starts the child.
        if !by_name {
            let client = Client::new(store.clone());
            client.retry(&id("a"), &RetryFrom::Failure).await.unwrap();
            let still = store.get(&taken).await.unwrap();
            assert_eq!(
                (still.handler.as_str(), still.status),
                ("squatter", ExecutionStatus::Queued)
            );
            client.cancel(&taken).await.unwrap();
            client.delete(&taken).await.unwrap();
            let run = durable::run(parent, "a", 1).state(&app);
            assert_eq!(run.store(store.clone()).await.unwrap(), 2);
        }
    }
}

#[tokio::test]
async fn children_of_a_deleted_execution_do_not_answer_its_successor() {
    let (store, app) = (MemoryStore::new(), Effects::default());
    let run = durable::run(parent, "a", 1).state(&app);
    assert_eq!(run.store(store.clone()).await.unwrap(), 2);
    Client::new(store.clone()).delete(&id("a")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let run = durable::run(parent, "a", 7).state(&app);
    let error = failure(run.store(store.clone()).await);
    let text = error.to_string();
    assert!(
        text.contains("an earlier execution `a` had started"),
        "{text}"
    );
    assert_eq!(app.count("double"), 1);
}

#[tokio::test]
async fn a_child_is_found_again_after_any_crash() {
    let checkpoints = {
        let (store, app) = (MemoryStore::new(), Effects::default());
        let probe = process(&store, Crash::Never);
        let run = durable::run(parent, "a", 3).state(&app);
        run.store(probe.clone()).await.unwrap();
        probe.checkpoints.load(std::sync::atomic::Ordering::SeqCst)
    };
    assert!(checkpoints >= 4, "{checkpoints}");
    for number in 1..=checkpoints {
        for crash in [Crash::Before(number), Crash::After(number)] {
            let (store, app) = (MemoryStore::new(), Effects::default());
            let probe = process(&store, crash);
            let run = durable::run(parent, "a", 3).state(&app);
            let run = run.store(probe.clone()).into_future();
            assert!(probe.survive(run).await.is_none(), "{crash:?}");
            drop(probe);
            let run = durable::run(parent, "a", 3).state(&app);
            let output = run.store(process(&store, Crash::Never)).await;
            assert_eq!(output.unwrap(), 6, "{crash:?}");
            assert_eq!(
                store.list(Default::default()).await.unwrap().len(),
                2,
                "{crash:?}"
            );
        }
    }
}

mod retyped {
    use super::*;

    /// The step has a different type in this build.
    #[durable]
    pub(super) async fn child(app: &Effects, n: u32) -> Result<u32, BoxError> {
        let text = step!("double", double(app, n).map(|n| n.to_string())).await;
        let _: u32 = callback!("paid").await?;
        Ok(text?.len() as u32)
    }

    #[durable]
    pub(super) async fn parent(app: &Effects, n: u32) -> Result<u32, BoxError> {
        app.note("invoked");
        Ok(invoke!("child", child(n)).await?)
    }

    #[durable]
    pub(super) async fn grandparent(_app: &Effects, n: u32) -> Result<u32, BoxError> {
        Ok(invoke!("parent", parent(n)).await?)
    }
}

mod compatible {
    use super::*;

    #[durable]
    pub(super) async fn child(app: &Effects, n: u32) -> Result<u32, BoxError> {
        let doubled = step!("double", double(app, n)).await?;
        let end = step!("end", end(app).await).await?;
        Ok(doubled + end)
    }

    async fn end(app: &Effects) -> Result<u32, String> {
        if app.count("continues") == 0 {
            app.note("end");
            std::future::pending::<()>().await;
        }
        Ok(0)
    }

    #[durable]
    pub(super) async fn parent(app: &Effects, n: u32) -> Result<u32, BoxError> {
        app.note("invoked");
        Ok(invoke!("child", child(n)).await?)
    }

    #[durable]
    pub(super) async fn grandparent(_app: &Effects, n: u32) -> Result<u32, BoxError> {
        Ok(invoke!("parent", parent(n)).await?)
    }
}

async fn histories(store: &MemoryStore) -> Vec<Vec<Record>> {
    let mut all = Vec::new();
    for execution in store.list(Default::default()).await.unwrap() {
        all.push(store.history(&execution.id).await.unwrap());
    }
    all
}

#[tokio::test]
async fn a_blocked_child_ends_the_run_of_its_parent() {
    let (store, app) = (MemoryStore::new(), Effects::default());
    {
        let run = durable::run(compatible::grandparent, "a", 3).state(&app);
        let run = run.store(process(&store, Crash::Never)).into_future();
        let hangs = async {
            while app.count("end") == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            ended = run => panic!("{ended:?}"),
            () = hangs => {}
        }
    }
    let before = histories(&store).await;
    let run = durable::run(retyped::grandparent, "a", 3).state(&app);
    let run = run.store(process(&store, Crash::Never)).into_future();
    let ended = tokio::time::timeout(Duration::from_secs(20), run).await;
    let Err(RunError::Blocked(report)) = ended.expect("it waits forever") else {
        panic!("not blocked");
    };
    let all = store.list(Default::default()).await.unwrap();
    let blocked: Vec<_> = all
        .iter()
        .filter(|one| one.status == ExecutionStatus::Blocked)
        .collect();
    assert_eq!(blocked.len(), 1, "only the child itself: {all:#?}");
    for said in [
        blocked[0].id.as_str(),
        "of `child`, which is blocked",
        "of `parent`",
        "the recorded value of `double`",
    ] {
        assert!(report.contains(said), "{said} is missing in {report}");
    }
    assert_eq!(histories(&store).await, before);

    app.note("continues");
    let run = durable::run(compatible::grandparent, "a", 3).state(&app);
    assert_eq!(run.store(process(&store, Crash::Never)).await.unwrap(), 6);
    assert_eq!(app.count("double"), 1);
}

#[durable]
async fn undecodable_child(_app: &Effects, _n: u32) -> Result<u32, BoxError> {
    let odd = step!("odd", Ok::<_, String>(crate::undecodable::OneWay { n: 7 })).await;
    Ok(odd?.n)
}

#[durable]
async fn waits_for_child(_app: &Effects, n: u32) -> Result<u32, BoxError> {
    Ok(invoke!(undecodable_child(n)).await?)
}

#[tokio::test]
async fn a_test_run_reports_a_blocked_child() {
    let app = Effects::default();
    let run = TestRun::new(waits_for_child).state(&app).run("a", 1).await;
    let text = run.output().unwrap_err().to_string();
    for said in [
        "it is blocked",
        "of `undecodable_child`",
        "the recorded value of `odd`",
    ] {
        assert!(text.contains(said), "{said} is missing in {text}");
    }
}

mod chains {
    use super::*;

    #[durable]
    pub(super) async fn books(app: &Effects, n: u32) -> Result<u32, BoxError> {
        scope!("trip", {
            step!("flight", undo = |n| undo(app, n).await, double(app, n)).await?;
            Ok(())
        })
        .await?;
        if n > 2 {
            return Ok(n);
        }
        continue_as!(n + 1).await
    }

    /// The same handler without the undo body.
    #[durable(name = "books")]
    pub(super) async fn fixed(app: &Effects, n: u32) -> Result<u32, BoxError> {
        scope!("trip", {
            step!("flight", double(app, n)).await?;
            Ok(())
        })
        .await?;
        if n > 2 {
            return Ok(n);
        }
        continue_as!(n + 1).await
    }

    async fn undo(app: &Effects, n: u32) -> Result<(), String> {
        app.note(format!("undo {n}"));
        Ok(())
    }
}

#[tokio::test]
async fn a_chain_does_not_continue_past_steps_with_undo() {
    let (store, app) = (MemoryStore::new(), Effects::default());
    let run = durable::run(chains::books, "a", 1).state(&app);
    let ended = run.store(store.clone()).await;
    let Err(RunError::Blocked(report)) = ended else {
        panic!("not blocked: {ended:?}");
    };
    for said in [
        "`continue_as!` would drop",
        "`trip/flight`",
        "Move the steps to a function that you `invoke!`",
    ] {
        assert!(report.contains(said), "{said} is missing in {report}");
    }
    assert_eq!(store.list(Default::default()).await.unwrap().len(), 1);
    assert_eq!(app.all(), ["double"], "nothing is undone");
    let run = durable::run(chains::fixed, "a", 1).state(&app);
    assert_eq!(run.store(store.clone()).await.unwrap(), 3);
    assert_eq!(app.all().len(), 3);
    assert_eq!(app.count("double"), 3);
}
