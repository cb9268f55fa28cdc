//! Handlers of a bank, and the cases that they are tested with.

/// Declares the handlers of a database, and a test for each case.
macro_rules! bank {
    ($database:ty, $move_money:path) => {
        type App = crate::bank::App<$database>;

        #[durable]
        async fn transfer(app: &App, cents: i64) -> Result<i64, BoxError> {
            let balance = step!("move", tx = &app.db, retry = app.retry(), |tx| {
                app.begin().await;
                let balance = $move_money(tx, cents).await?;
                app.end()?;
                Ok(balance)
            })
            .await?;
            Ok(step!("report", retry = Retry::none(), app.report(balance)).await?)
        }

        #[durable]
        async fn limited(app: &App, cents: i64) -> Result<i64, BoxError> {
            let (retry, timeout) = (Retry::none(), Duration::from_millis(300));
            let balance = step!("move", tx = &app.db, retry = retry, timeout = timeout, |tx| {
                let balance = $move_money(tx, cents).await?;
                app.begin().await;
                Ok(balance)
            })
            .await?;
            Ok(balance)
        }

        #[durable]
        async fn reversible(app: &App, cents: i64) -> Result<i64, BoxError> {
            let undo_of = |_: i64| async { Ok::<(), BoxError>(()) };
            let balance = step!("move", tx = &app.db, undo = |balance| undo_of(balance).await, |tx| {
                app.begin().await;
                $move_money(tx, cents).await
            })
            .await?;
            Ok(step!("report", retry = Retry::none(), app.report(balance)).await?)
        }

        #[durable]
        async fn large(app: &App, cents: i64) -> Result<i64, BoxError> {
            let text = step!("move", tx = &app.db, |tx| {
                $move_money(tx, cents).await?;
                Ok("x".repeat(1000))
            })
            .await?;
            Ok(i64::try_from(text.len())?)
        }

        #[durable]
        async fn many(app: &App, cents: i64) -> Result<i64, BoxError> {
            let parts: Vec<i64> = (0..cents / 10).collect();
            let moved = map!("parts", &parts, key = |part| *part, |_part| {
                step!("move", tx = &app.db, |tx| $move_money(tx, 10).await).await
            })
            .await;
            Ok(i64::try_from(moved.values().count())?)
        }

        bank!(@tests transfer:
            the_body_commits_with_its_row,
            a_failed_attempt_rolls_back,
            a_step_that_fails_finally_rolls_back,
            the_row_answers_after_a_crash,
            a_crash_in_the_body_rolls_back,
            a_zombie_that_begins_late_commits_nothing,
            a_zombie_that_begins_after_the_row_was_removed_commits_nothing,
            without_ordered_fences_the_row_keeps_a_zombie_out,
            a_retry_by_an_operator_runs_the_body_again,
            a_later_execution_with_the_same_id_has_rows_of_its_own,
            a_lost_answer_to_a_commit_does_not_fail_the_step,
            a_lost_answer_without_a_commit_fails_the_step,
            a_step_does_not_fail_while_its_commit_is_unknown,
            a_missing_table_is_named,
            prune_removes_old_rows,
        );
        bank!(@tests large: a_value_that_cannot_be_recorded_rolls_back);
        bank!(@tests limited: a_timeout_rolls_back);
        bank!(@tests reversible: an_undone_step_runs_again);
        bank!(@tests many: steps_of_one_execution_run_side_by_side);
    };
    (@tests $handler:ident: $($case:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                crate::cases::$case($handler).await;
            }
        )+
    };
}

pub(crate) use bank;

/// Declares the body that moves money, for a connection of sqlx.
macro_rules! move_money {
    ($connection:ty, $update:literal, $insert:literal) => {
        async fn move_money(tx: &mut $connection, cents: i64) -> Result<i64, BoxError> {
            for (change, account) in [(-cents, 1), (cents, 2)] {
                sqlx::query($update)
                    .bind(change)
                    .bind(account)
                    .execute(&mut *tx)
                    .await?;
            }
            sqlx::query($insert).bind(cents).execute(&mut *tx).await?;
            let (balance,) = sqlx::query_as("SELECT cents FROM accounts WHERE id = 1")
                .fetch_one(tx)
                .await?;
            Ok(balance)
        }
    };
}
pub(crate) use move_money;

/// Declares the methods of a [`Database`](crate::bank::Database) that read and change it, for a pool of sqlx.
macro_rules! sqlx_methods {
    () => {
        async fn facts(&self) -> Facts {
            let mut facts = [0; 5];
            for (fact, query) in facts.iter_mut().zip(FACTS) {
                (*fact,) = sqlx::query_as(query).fetch_one(self).await.unwrap();
            }
            Facts::of(facts)
        }

        async fn execute(&self, sql: &'static str) {
            sqlx::query(sql).execute(self).await.unwrap();
        }
    };
}
pub(crate) use sqlx_methods;
