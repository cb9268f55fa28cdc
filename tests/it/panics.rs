//! A panic fails the operation that it happens in, and nothing around it.

use durable::prelude::*;
use durable::store::MemoryStore;
use durable::{BranchOutcome, ErrorKind, OperationError, RunError};

use crate::support::{Crash, Effects, TokioClock, process};

fn odd(n: u32) -> u32 {
    assert!(n % 2 == 1, "{n} is even");
    n
}

#[durable]
async fn checked(_app: &Effects, n: u32) -> Result<u32, BoxError> {
    Ok(odd(n))
}

/// Notes the error of each panic, live and on replay.
#[durable]
async fn panicking(app: &Effects) -> Result<(), BoxError> {
    let in_a_scope = scope!("scope", {
        let n = step!("inner", Ok::<_, String>(4)).await?;
        Ok(odd(n))
    })
    .await;
    let nested = scope!("outer", {
        let inner = scope!("inner", {
            wait!("pause", Duration::from_secs(3600)).await;
            Ok(odd(2))
        });
        let _ = inner.await;
        Ok(7)
    })
    .await;
    let in_a_call = call!(checked(6)).await;
    let mapped = map!("map", [1, 2, 3], |n| { Ok(odd(n)) }).await;
    let parallel = parallel!("parallel", { "left" => { Ok(1) }, "right" => { Ok(odd(8)) } }).await;
    let in_a_race = scope!("around", {
        Ok(race!("race", {
            "first" => n = async { odd(10) } => n,
            "second" => () = wait!("late", Duration::from_secs(1)) => 0,
        })
        .await)
    })
    .await;
    assert_eq!(nested?, 7, "the enclosing scope continues");
    for error in [in_a_scope, in_a_call, in_a_race].map(Result::unwrap_err) {
        app.note(format!("{error:?}"));
    }
    for outcome in [mapped, parallel]
        .iter()
        .flat_map(|result| result.branches())
    {
        app.note(match outcome {
            BranchOutcome::Failed(error) => format!("{error:?}"),
            other => format!("{other:?}"),
        });
    }
    wait!("long", Duration::from_secs(3600)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_panic_fails_the_scope_call_or_branch_it_happens_in() {
    let app = Effects::default();
    let run = durable::run(panicking, "a", ())
        .state(&app)
        .clock(TokioClock::shared());
    let report = run.store(MemoryStore::new()).report().await;
    report.output.unwrap();
    assert_eq!(report.drift, []);
    let noted = app.all();
    let (live, replayed) = noted.split_at(noted.len() / 2);
    assert_eq!(live, replayed, "the same on every run");
    let expected = [
        ("\"scope\"", "4 is even"),
        ("\"checked\"", "6 is even"),
        ("\"around\"", "10 is even"),
        ("Succeeded(1)", ""),
        ("\"map/item[1]\"", "2 is even"),
        ("Succeeded(3)", ""),
        ("Succeeded(1)", ""),
        ("\"parallel/branch[right]\"", "8 is even"),
    ];
    assert_eq!(live.len(), expected.len(), "{live:#?}");
    for (text, (operation, message)) in live.iter().zip(expected) {
        assert!(text.contains(operation) && text.contains(message), "{text}");
        let panicked =
            text.contains("panicked at tests/it/panics.rs:") && text.contains("\"panic\"");
        assert!(panicked || message.is_empty(), "{text}");
    }
}

/// Continues after a scope. [`later::late`] panics in that scope.
#[durable]
async fn late(app: &Effects) -> Result<u32, BoxError> {
    let n = scope!("scope", {
        let n = step!("inner", Ok::<_, String>(4)).await?;
        Ok(n)
    })
    .await?;
    app.note("after");
    Ok(n + step!("rest", Ok::<_, String>(1)).await?)
}

mod later {
    use super::*;

    /// The same handler with a panic in the body of the scope.
    #[durable(name = "late")]
    pub(super) async fn late(_app: &Effects) -> Result<u32, BoxError> {
        let n = scope!("scope", {
            let n = step!("inner", Ok::<_, String>(4)).await?;
            Ok(odd(n))
        })
        .await?;
        Ok(n + step!("rest", Ok::<_, String>(1)).await?)
    }
}

#[tokio::test]
async fn a_finished_scope_returns_its_record_even_if_its_body_panics_now() {
    let (memory, app) = (MemoryStore::new(), Effects::default());
    let probe = process(&memory, Crash::After(2));
    let run = durable::run(late, "a", ()).state(&app).store(probe.clone());
    assert!(probe.survive(run.into_future()).await.is_none());
    drop(probe);
    let run = durable::run(later::late, "a", ()).state(&app);
    assert_eq!(run.store(process(&memory, Crash::Never)).await.unwrap(), 5);
}

/// On a replay the losing arm reaches a line that it never reached before.
#[durable]
async fn loses(app: &Effects) -> Result<u32, BoxError> {
    let both = race!("race", {
        "first" => n = async {
            step!("one", Ok::<_, String>(1)).await
        } => n,
        "second" => n = async {
            step!("two", Ok::<_, String>(2)).await.map(odd)
        } => n,
    });
    let n = both.await?;
    app.note(n.to_string());
    wait!("long", Duration::from_secs(3600)).await;
    Ok(n)
}

#[tokio::test(start_paused = true)]
async fn a_replay_does_not_panic_where_the_first_run_did_not() {
    let app = Effects::default();
    let run = durable::run(loses, "a", ())
        .state(&app)
        .clock(TokioClock::shared());
    assert_eq!(run.store(MemoryStore::new()).await.unwrap(), 1);
    assert_eq!(app.all(), ["1", "1"]);
}

#[durable]
async fn panics_outside_of_scopes(_app: &Effects) -> Result<u32, BoxError> {
    let n = step!("inner", Ok::<_, String>(4)).await?;
    Ok(odd(n))
}

#[tokio::test]
async fn a_panic_of_the_handler_has_the_same_form() {
    let app = Effects::default();
    let run = durable::run(panics_outside_of_scopes, "a", ()).state(&app);
    let Err(RunError::Failed(error)) = run.store(MemoryStore::new()).await else {
        panic!("not failed");
    };
    let parts: fn(&OperationError) -> (&str, ErrorKind, &str) =
        |error| (error.operation(), error.kind(), error.type_name());
    assert_eq!(
        parts(&error),
        ("panics_outside_of_scopes", ErrorKind::Failed, "panic")
    );
    assert!(
        error.message().contains("panicked at tests/it/panics.rs:"),
        "{error}"
    );
}
