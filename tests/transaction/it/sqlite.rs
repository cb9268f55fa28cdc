//! SQLite files.

use durable::transaction::{Rusqlite, migrate};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;

use crate::bank::{ACCOUNTS, Alive, Database, FACTS, Facts};
use crate::handlers::sqlx_methods;

mod with_rusqlite {
    use crate::handlers::bank;
    use durable::prelude::*;
    use durable::transaction::Rusqlite;

    async fn move_money(tx: &mut rusqlite::Connection, cents: i64) -> Result<i64, BoxError> {
        tx.execute(
            "UPDATE accounts SET cents = cents - ?1 WHERE id = 1",
            [cents],
        )?;
        tokio::task::yield_now().await;
        tx.execute(
            "UPDATE accounts SET cents = cents + ?1 WHERE id = 2",
            [cents],
        )?;
        tx.execute("INSERT INTO ledger VALUES (?1)", [cents])?;
        Ok(
            tx.query_row("SELECT cents FROM accounts WHERE id = 1", [], |row| {
                row.get(0)
            })?,
        )
    }

    bank!(Rusqlite, move_money);

    #[durable]
    async fn commits_itself(database: &Rusqlite, _: ()) -> Result<(), BoxError> {
        Ok(step!("move", tx = database, retry = Retry::none(), |tx| {
            tx.execute_batch("COMMIT")?;
            Ok(())
        })
        .await?)
    }

    #[tokio::test]
    async fn a_body_must_not_commit_itself() {
        let (database, _file) = <Rusqlite as crate::bank::Database>::open().await.unwrap();
        let store = durable::store::MemoryStore::new();
        let run = durable::run(commits_itself, "a", ()).state(&database);
        let error = run.store(store).await.unwrap_err();
        assert!(
            error.to_string().contains("leave that to the step"),
            "{error}"
        );
    }
}

mod with_sqlx {
    use crate::handlers::{bank, move_money};
    use durable::prelude::*;
    use sqlx::{SqliteConnection, SqlitePool};

    move_money!(
        SqliteConnection,
        "UPDATE accounts SET cents = cents + ?1 WHERE id = ?2",
        "INSERT INTO ledger VALUES (?1)"
    );

    bank!(SqlitePool, move_money);
}

impl Database for Rusqlite {
    async fn open() -> Option<(Self, Alive)> {
        let folder = tempfile::tempdir().unwrap();
        let connection = rusqlite::Connection::open(folder.path().join("bank.db")).unwrap();
        for statement in ACCOUNTS {
            connection.execute(statement, []).unwrap();
        }
        let database = Self::new(connection);
        migrate(&database).await.unwrap();
        Some((database, Box::new(folder)))
    }

    async fn facts(&self) -> Facts {
        let connection = self.lock().await;
        Facts::of(FACTS.map(|query| connection.query_row(query, [], |row| row.get(0)).unwrap()))
    }

    async fn execute(&self, sql: &'static str) {
        self.lock().await.execute(sql, []).unwrap();
    }
}

impl Database for SqlitePool {
    async fn open() -> Option<(Self, Alive)> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bank.db");
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true);
        let pool = Self::connect_with(options).await.unwrap();
        for statement in ACCOUNTS {
            sqlx::query(statement).execute(&pool).await.unwrap();
        }
        migrate(&pool).await.unwrap();
        Some((pool, Box::new(folder)))
    }

    sqlx_methods!();
}
