//! Code changes while an execution is in flight.

use durable::prelude::*;
use durable::store::MemoryStore;
use durable::{Drift, Report};

use crate::support::{Crash, Effects, process};

async fn note(effects: &Effects, name: &str) -> Result<String, String> {
    effects.note(name);
    Ok(format!("value of {name}"))
}

mod before {
    use super::*;

    /// The handler as it was first deployed.
    #[durable(name = "edited")]
    pub(super) async fn handler(effects: &Effects) -> Result<String, BoxError> {
        let a = step!("a", note(effects, "a").await).await?;
        let b = step!("b", note(effects, "b").await).await?;
        let c = step!("c", note(effects, "c").await).await?;
        let rest = step!("rest", note(effects, "rest").await).await?;
        Ok([a, b, c, rest].join(", "))
    }
}

mod after {
    use super::*;

    /// One step inserted before, two swapped, one deleted.
    #[durable(name = "edited")]
    pub(super) async fn edited(effects: &Effects) -> Result<String, BoxError> {
        let new = step!("new", note(effects, "new").await).await?;
        let b = step!("b", note(effects, "b").await).await?;
        let a = step!("a", note(effects, "a").await).await?;
        let c = step!("c", note(effects, "c").await).await?;
        Ok([new, b, a, c].join(", "))
    }

    #[durable(name = "edited")]
    pub(super) async fn renamed(effects: &Effects) -> Result<String, BoxError> {
        let a = step!("a", note(effects, "a").await).await?;
        let b = step!("charge", note(effects, "charge").await).await?;
        let c = step!("c", note(effects, "c").await).await?;
        Ok([a, b, c].join(", "))
    }

    #[durable(name = "edited")]
    pub(super) async fn renamed_with_was(effects: &Effects) -> Result<String, BoxError> {
        let a = step!("a", note(effects, "a").await).await?;
        let b = step!("charge", was = "b", note(effects, "charge").await).await?;
        let c = step!("c", note(effects, "c").await).await?;
        Ok([a, b, c].join(", "))
    }

    #[durable(name = "edited")]
    pub(super) async fn other_kind(_effects: &Effects) -> Result<String, BoxError> {
        wait!("a", Duration::from_millis(1)).await;
        Ok("waited".to_owned())
    }
}

/// An execution whose process died right after its third step was recorded.
async fn half_finished() -> (MemoryStore, Effects) {
    let (memory, effects) = (MemoryStore::new(), Effects::default());
    let probe = process(&memory, Crash::After(3));
    let run = durable::run(before::handler, "a", ())
        .state(&effects)
        .store(probe.clone());
    let died = probe.survive(run.into_future()).await;
    assert!(died.is_none());
    assert_eq!(effects.all(), ["a", "b", "c"]);
    (memory, Effects::default())
}

/// Resumes the execution with another version of the code.
macro_rules! resume {
    ($handler:expr) => {{
        let (memory, effects) = half_finished().await;
        let report: Report<String> = durable::run($handler, "a", ())
            .state(&effects)
            .store(process(&memory, Crash::Never))
            .report()
            .await;
        (report, effects.all())
    }};
}

#[tokio::test]
async fn inserted_swapped_and_deleted_steps_keep_the_right_values() {
    let (report, effects) = resume!(after::edited);
    assert_eq!(
        report.output.unwrap(),
        "value of new, value of b, value of a, value of c"
    );
    assert_eq!(effects, ["new"], "nothing recorded runs again");
    assert_eq!(report.steps_replayed, 3);
    let moved = |drift: &Drift| matches!(drift, Drift::Moved { operation } if operation == "a");
    assert_eq!(report.drift.iter().filter(|drift| moved(drift)).count(), 1);
}

#[tokio::test]
async fn a_rename_without_was_runs_that_one_step_again_and_is_reported() {
    let (report, effects) = resume!(after::renamed);
    assert_eq!(
        report.output.unwrap(),
        "value of a, value of charge, value of c"
    );
    assert_eq!(effects, ["charge"]);
    // Nothing says that `charge` was `b`, so the report contains no hint.
    let drift: Vec<String> = report.drift.iter().map(ToString::to_string).collect();
    assert_eq!(drift, ["`b` is recorded, but the code did not reach it"]);
}

#[tokio::test]
async fn a_rename_with_was_runs_nothing_again() {
    let (report, effects) = resume!(after::renamed_with_was);
    assert_eq!(report.output.unwrap(), "value of a, value of b, value of c");
    assert_eq!(effects, Vec::<String>::new());
    assert_eq!(report.drift, []);
}

#[tokio::test]
async fn a_different_kind_blocks_until_a_rollback() {
    let (memory, effects) = half_finished().await;
    let run = durable::run(after::other_kind, "a", ()).state(&effects);
    let error = run.store(process(&memory, Crash::Never)).await.unwrap_err();
    let durable::RunError::Blocked(report) = error else {
        panic!("{error}");
    };
    assert!(report.contains("wait `a` (tests/it/edits.rs:"), "{report}");
    assert!(report.contains("started at tests/it/edits.rs:"), "{report}");

    // A rollback resumes the execution normally.
    let run = durable::run(before::handler, "a", ()).state(&effects);
    let output = run.store(process(&memory, Crash::Never)).await;
    assert_eq!(
        output.unwrap(),
        "value of a, value of b, value of c, value of rest"
    );
    assert_eq!(effects.all(), ["rest"]);
}

mod scopes {
    use super::*;

    #[durable(name = "scoped")]
    pub(super) async fn old(effects: &Effects) -> Result<String, BoxError> {
        let inner = scope!("old", {
            let one = step!("one", note(effects, "one").await).await?;
            let two = step!("two", note(effects, "two").await).await?;
            Ok([one, two].join(", "))
        })
        .await?;
        Ok(inner)
    }

    #[durable(name = "scoped")]
    pub(super) async fn new(effects: &Effects) -> Result<String, BoxError> {
        let inner = scope!("new", was = "old", {
            let one = step!("one", note(effects, "one").await).await?;
            let two = step!("two", note(effects, "two").await).await?;
            Ok([one, two].join(", "))
        })
        .await?;
        Ok(inner)
    }
}

#[tokio::test]
async fn a_renamed_scope_with_was_keeps_its_contents() {
    let (memory, effects) = (MemoryStore::new(), Effects::default());
    let probe = process(&memory, Crash::After(1));
    let run = durable::run(scopes::old, "a", ())
        .state(&effects)
        .store(probe.clone());
    assert!(probe.survive(run.into_future()).await.is_none());
    drop(probe);
    let run = durable::run(scopes::new, "a", ()).state(&effects);
    let report = run.store(process(&memory, Crash::Never)).report().await;
    assert_eq!(report.output.unwrap(), "value of one, value of two");
    assert_eq!(effects.all(), ["one", "two"]);
    assert_eq!(report.drift, []);
}

#[durable(name = "new_name", was = "old_name")]
async fn renamed_handler(n: u32) -> Result<u32, BoxError> {
    Ok(step!("double", double(n)).await?)
}

#[durable]
async fn old_name(n: u32) -> Result<u32, BoxError> {
    Ok(step!("double", double(n)).await?)
}

fn double(n: u32) -> Result<u32, String> {
    Ok(n * 2)
}

#[tokio::test]
async fn a_renamed_handler_with_was_resumes_its_executions() {
    let memory = MemoryStore::new();
    let store = process(&memory, Crash::Never);
    durable::run(old_name, "a", 2)
        .store(store.clone())
        .await
        .unwrap();
    let again = durable::run(renamed_handler, "a", 2).store(store).await;
    assert_eq!(again.unwrap(), 4);
}
