//! Cases that hold on every database.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use durable::lock::{Lock, LockedHandler, check};
use durable::store::{Capabilities, Durability, MemoryStore};
use durable::transaction::prune;
use durable::{Client, Ended, Handler, IntoHandler, RetryFrom, RunError};

use crate::bank::{
    App, Database, Facts, START, assert_lost, invoke, output, run, start, take_over, unordered,
};
use crate::probe::{Commits, Point};

/// Handler of a bank on the database `D`.
pub(crate) trait Bank<D: Database>:
    IntoHandler<Handler: Handler<App<D>, Input = i64, Output = i64>> + Copy
{
}

impl<D: Database, F> Bank<D> for F where
    F: IntoHandler<Handler: Handler<App<D>, Input = i64, Output = i64>> + Copy
{
}

/// Opens the database, or skips the test.
macro_rules! app {
    () => {
        match App::<D>::open().await {
            Some(app) => app,
            None => return,
        }
    };
}

pub(crate) async fn the_body_commits_with_its_row<D: Database>(transfer: impl Bank<D>) {
    let (app, store) = (app!(), MemoryStore::new());
    for _ in 0..2 {
        assert_eq!(run(transfer, &store, &app).await.unwrap(), START - 10);
        assert_eq!(app.facts().await, Facts::after(1, 0, 1));
        assert_eq!(app.begun(), 1);
    }
}

pub(crate) async fn a_failed_attempt_rolls_back<D: Database>(transfer: impl Bank<D>) {
    let (app, store) = (app!(), MemoryStore::new());
    app.failures.store(2, SeqCst);
    assert_eq!(run(transfer, &store, &app).await.unwrap(), START - 10);
    assert_eq!(app.facts().await, Facts::after(1, 0, 1));
    assert_eq!(app.begun(), 3);
}

pub(crate) async fn a_step_that_fails_finally_rolls_back<D: Database>(transfer: impl Bank<D>) {
    let (app, store) = (app!(), MemoryStore::new());
    app.failures.store(3, SeqCst);
    let error = run(transfer, &store, &app).await.unwrap_err();
    assert!(error.to_string().contains("insufficient trust"), "{error}");
    assert_eq!(app.facts().await, Facts::after(0, 0, 0));
    assert_eq!(app.begun(), 3);
}

pub(crate) async fn a_value_that_cannot_be_recorded_rolls_back<D: Database>(large: impl Bank<D>) {
    let app = app!();
    let limits = Capabilities::unlimited(Durability::Memory).with_max_value(500);
    let store = MemoryStore::with_capabilities(limits);
    let error = run(large, &store, &app).await.unwrap_err();
    assert!(error.to_string().contains("1002 bytes is over"), "{error}");
    assert_eq!(app.facts().await, Facts::after(0, 0, 0));
}

pub(crate) async fn the_row_answers_after_a_crash<D: Database>(transfer: impl Bank<D>) {
    let (app, store) = (app!(), MemoryStore::new());
    let gate = app.hooks.stop_at(Point::AfterCommit);
    let lease = start(transfer, &store).await;
    tokio::select! {
        ended = invoke(transfer, &store, lease, &app) => panic!("{ended:?}"),
        () = gate.reached() => {}
    }
    assert_eq!(app.facts().await, Facts::after(1, 1, 1));
    let lease = take_over(&store).await;
    assert_eq!(
        output(invoke(transfer, &store, lease, &app).await),
        START - 10
    );
    assert_eq!(app.facts().await, Facts::after(1, 0, 1));
    assert_eq!(app.begun(), 1);
}

pub(crate) async fn a_crash_in_the_body_rolls_back<D: Database>(transfer: impl Bank<D>) {
    let (app, store) = (app!(), MemoryStore::new());
    let gate = app.hooks.stop_at(Point::InBody);
    let lease = start(transfer, &store).await;
    tokio::select! {
        ended = invoke(transfer, &store, lease, &app) => panic!("{ended:?}"),
        () = gate.reached() => {}
    }
    let lease = take_over(&store).await;
    assert_eq!(
        output(invoke(transfer, &store, lease, &app).await),
        START - 10
    );
    assert_eq!(app.facts().await, Facts::after(1, 0, 1));
    assert_eq!(app.begun(), 2);
}

pub(crate) async fn a_zombie_that_begins_late_commits_nothing<D: Database>(transfer: impl Bank<D>) {
    zombie(transfer, Point::BeforeBegin, MemoryStore::new(), 0).await;
}

/// The holder that removes the row did not insert it, and must raise the fence all the same.
pub(crate) async fn a_zombie_that_begins_after_the_row_was_removed_commits_nothing<D: Database>(
    transfer: impl Bank<D>,
) {
    let (app, store) = (app!(), MemoryStore::new());
    let late = app.hooks.stop_at(Point::BeforeBegin);
    let lease = start(transfer, &store).await;
    let others = async {
        late.reached().await;
        let committed = app.hooks.stop_at(Point::AfterCommit);
        tokio::select! {
            ended = invoke(transfer, &store, lease.clone(), &app) => panic!("{ended:?}"),
            () = committed.reached() => {}
        }
        let lease = take_over(&store).await;
        let ended = invoke(transfer, &store, lease, &app).await;
        late.open();
        ended
    };
    let zombie = invoke(transfer, &store, lease.clone(), &app);
    let (zombie, ended) = tokio::join!(zombie, others);
    assert_eq!(output(ended), START - 10);
    assert_lost(zombie);
    assert_eq!(app.facts().await, Facts::after(1, 0, 1));
}

pub(crate) async fn a_zombie_with_an_open_transaction_commits_nothing<D: Database>(
    transfer: impl Bank<D>,
) {
    zombie(transfer, Point::InBody, MemoryStore::new(), 0).await;
}

pub(crate) async fn without_ordered_fences_the_row_keeps_a_zombie_out<D: Database>(
    transfer: impl Bank<D>,
) {
    zombie(transfer, Point::BeforeBegin, unordered(), 1).await;
}

/// Stops the first holder of the lease at `point` until the second one has ended. `rows` outcome rows are left.
async fn zombie<D: Database>(transfer: impl Bank<D>, point: Point, store: MemoryStore, rows: i64) {
    let app = app!();
    // The zombie must notice that it lost its lease before another attempt is due.
    app.pause.store(3_600_000, SeqCst);
    let gate = app.hooks.stop_at(point);
    let lease = start(transfer, &store).await;
    let second = async {
        gate.reached().await;
        let lease = take_over(&store).await;
        let ended = invoke(transfer, &store, lease, &app).await;
        gate.open();
        ended
    };
    let (first, second) = tokio::join!(invoke(transfer, &store, lease, &app), second);
    assert_eq!(output(second), START - 10);
    assert_lost(first);
    // On a slow machine the zombie may notice earlier, when it writes that its body has begun.
    assert!(app.begun() <= 2);
    assert_eq!(app.facts().await, Facts::after(1, rows, 1 - rows));
}

pub(crate) async fn a_retry_by_an_operator_runs_the_body_again<D: Database>(
    transfer: impl Bank<D>,
) {
    let (app, store) = (app!(), MemoryStore::new());
    let (client, id) = (Client::new(store.clone()), "a".parse().unwrap());
    // Rows that were not removed must not answer.
    app.hooks.keep_rows();
    app.later_failures.store(4, SeqCst);
    run(transfer, &store, &app).await.unwrap_err();
    for (from, transfers) in [
        (RetryFrom::Operation("move".to_owned()), 2),
        (RetryFrom::Beginning, 3),
        (RetryFrom::Failure, 3),
    ] {
        client.retry(&id, &from).await.unwrap();
        run(transfer, &store, &app).await.unwrap_err();
        let facts = app.facts().await;
        assert_eq!(facts, Facts::after(transfers, transfers, 1), "{from:?}");
    }
    assert_checked(transfer, &client).await;
    // A crash after the retry: the row of the new run answers.
    client.retry(&id, &RetryFrom::Beginning).await.unwrap();
    let gate = app.hooks.stop_at(Point::AfterCommit);
    tokio::select! {
        ended = run(transfer, &store, &app) => panic!("{ended:?}"),
        () = gate.reached() => {}
    }
    assert_eq!(run(transfer, &store, &app).await.unwrap(), START - 10 * 4);
    assert_eq!(app.facts().await, Facts::after(4, 4, 1));
}

/// The marks of retries are not operations that the code lacks.
async fn assert_checked<F: IntoHandler>(_: F, client: &Client) {
    let id = "a".parse().unwrap();
    let (execution, history) = (client.describe(&id).await, client.history(&id).await);
    let (execution, records) = (execution.unwrap(), history.unwrap());
    assert!(records.iter().any(durable::record::Record::is_internal));
    let lock = Lock::new(vec![LockedHandler::of::<F::Handler>()]);
    let found = check(&lock, &execution, &records);
    assert!(found.is_empty(), "{found:?}");
}

pub(crate) async fn a_later_execution_with_the_same_id_has_rows_of_its_own<D: Database>(
    transfer: impl Bank<D>,
) {
    let (app, store) = (app!(), MemoryStore::new());
    app.hooks.keep_rows();
    for transfers in 1..=3 {
        let balance = run(transfer, &store, &app).await.unwrap();
        assert_eq!(balance, START - 10 * transfers);
        assert_eq!(
            app.facts().await,
            Facts::after(transfers, transfers, transfers)
        );
        let client = Client::new(store.clone());
        client.delete(&"a".parse().unwrap()).await.unwrap();
    }
}

pub(crate) async fn an_undone_step_runs_again<D: Database>(transfer: impl Bank<D>) {
    let (app, store) = (app!(), MemoryStore::new());
    let (client, id) = (Client::new(store.clone()), "a".parse().unwrap());
    app.hooks.keep_rows();
    app.later_failures.store(1, SeqCst);
    run(transfer, &store, &app).await.unwrap_err();
    client.retry(&id, &RetryFrom::Failure).await.unwrap();
    assert_eq!(run(transfer, &store, &app).await.unwrap(), START - 20);
    assert_eq!(app.facts().await, Facts::after(2, 2, 1));
}

pub(crate) async fn a_lost_answer_to_a_commit_does_not_fail_the_step<D: Database>(
    transfer: impl Bank<D>,
) {
    for attempts in [1, 3] {
        let (app, store) = (app!(), MemoryStore::new());
        app.attempts.store(attempts, SeqCst);
        app.hooks.set_commits(Commits::WithLostAnswer);
        assert_eq!(run(transfer, &store, &app).await.unwrap(), START - 10);
        assert_eq!(app.facts().await, Facts::after(1, 0, 1));
        assert_eq!(app.begun(), 1);
    }
}

pub(crate) async fn a_lost_answer_without_a_commit_fails_the_step<D: Database>(
    transfer: impl Bank<D>,
) {
    let (app, store) = (app!(), MemoryStore::new());
    app.attempts.store(1, SeqCst);
    app.hooks.set_commits(Commits::Never);
    let error = run(transfer, &store, &app).await.unwrap_err();
    assert!(error.to_string().contains("the answer was lost"), "{error}");
    assert_eq!(app.facts().await, Facts::after(0, 0, 1));
}

pub(crate) async fn a_step_does_not_fail_while_its_commit_is_unknown<D: Database>(
    transfer: impl Bank<D>,
) {
    for commits in [Commits::Never, Commits::WithLostAnswer] {
        let (app, store) = (app!(), MemoryStore::new());
        app.attempts.store(1, SeqCst);
        app.hooks.set_commits(commits);
        app.hooks.outage.store(true, SeqCst);
        assert_eq!(run(transfer, &store, &app).await.unwrap(), START - 10);
        assert_eq!(app.facts().await, Facts::after(1, 0, 1));
    }
}

pub(crate) async fn a_missing_table_is_named<D: Database>(transfer: impl Bank<D>) {
    let (app, store) = (app!(), MemoryStore::new());
    app.db
        .inner
        .execute("DROP TABLE durable_transactions")
        .await;
    let RunError::Failed(error) = run(transfer, &store, &app).await.unwrap_err() else {
        panic!("the step has an error");
    };
    let message = error.to_string();
    assert!(
        message.contains(
            "the table `durable_transactions` does not exist: call `durable::transaction::migrate`"
        ),
        "{message}"
    );
    app.db.inner.migrate().await.unwrap();
    assert_eq!(app.facts().await, Facts::after(0, 0, 0));
}

pub(crate) async fn prune_removes_old_rows<D: Database>(transfer: impl Bank<D>) {
    let (app, store) = (app!(), MemoryStore::new());
    app.hooks.keep_rows();
    run(transfer, &store, &app).await.unwrap();
    let hour = Duration::from_secs(3600);
    assert_eq!(prune(&app.db.inner, hour).await.unwrap(), 0);
    assert_eq!(app.facts().await, Facts::after(1, 1, 1));
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let second = Duration::from_secs(1);
    assert_eq!(prune(&app.db.inner, second).await.unwrap(), 2);
    assert_eq!(app.facts().await, Facts::after(1, 0, 0));
}

pub(crate) async fn a_timeout_rolls_back<D: Database>(limited: impl Bank<D>) {
    let (app, store) = (app!(), MemoryStore::new());
    let _gate = app.hooks.stop_at(Point::InBody);
    let error = run(limited, &store, &app).await.unwrap_err();
    assert!(error.to_string().contains("took longer than"), "{error}");
    assert_eq!(app.facts().await, Facts::after(0, 0, 0));
}

pub(crate) async fn steps_of_one_execution_run_side_by_side<D: Database>(many: impl Bank<D>) {
    let (app, store) = (app!(), MemoryStore::new());
    let lease = start(many, &store).await;
    assert!(matches!(
        invoke(many, &store, lease, &app).await,
        Ok(Ended::Succeeded(_))
    ));
    let moved = durable::run(many, "b", 80).state(&app).store(store).await;
    assert_eq!(moved.unwrap(), 8);
    assert_eq!(app.facts().await, Facts::after(9, 0, 2));
}
