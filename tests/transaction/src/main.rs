//! Runs transfers between accounts, one execution each, until all have ended or the process is killed.
//!
//! `transfers STORE DATABASE FROM TO`: the checkpoint store, the database with the accounts, and the numbers of the transfers.

use std::ops::Range;

use durable::BoxError;
use durable::prelude::*;
use durable::transaction::Rusqlite;
use serde::{Deserialize, Serialize};
use sqlx::{MySqlConnection, MySqlPool, PgConnection, PgPool};

/// One transfer.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Transfer {
    number: i64,
    from: i64,
    to: i64,
    cents: i64,
}

impl Transfer {
    /// The transfer with this number; the test computes the same.
    fn numbered(number: i64) -> Self {
        Self {
            number,
            from: number % 7,
            to: (number * 3 + 1) % 7,
            cents: number % 50 + 1,
        }
    }

    /// The accounts with their changes, always in the same order, so that concurrent transfers do not deadlock.
    fn changes(&self) -> [(i64, i64); 2] {
        let mut changes = [(self.from, -self.cents), (self.to, self.cents)];
        changes.sort_unstable();
        changes
    }
}

#[durable]
async fn in_sqlite(database: &Rusqlite, transfer: Transfer) -> Result<i64, BoxError> {
    let number = step!("move", tx = database, |tx| {
        tx.execute(
            "UPDATE accounts SET cents = cents - ?1 WHERE id = ?2",
            [transfer.cents, transfer.from],
        )?;
        tx.execute(
            "UPDATE accounts SET cents = cents + ?1 WHERE id = ?2",
            [transfer.cents, transfer.to],
        )?;
        tx.execute("INSERT INTO ledger VALUES (?1)", [transfer.number])?;
        Ok(transfer.number)
    })
    .await?;
    Ok(step!("confirm", tx = database, |tx| {
        tx.execute("INSERT INTO confirmations VALUES (?1)", [number])?;
        Ok(number)
    })
    .await?)
}

#[durable]
async fn in_postgres(database: &PgPool, transfer: Transfer) -> Result<i64, BoxError> {
    let number = step!("move", tx = database, |tx| move_in_postgres(tx, &transfer)
        .await)
    .await?;
    Ok(step!("confirm", tx = database, |tx| {
        sqlx::query("INSERT INTO confirmations VALUES ($1)")
            .bind(number)
            .execute(tx)
            .await?;
        Ok(number)
    })
    .await?)
}

async fn move_in_postgres(tx: &mut PgConnection, transfer: &Transfer) -> Result<i64, BoxError> {
    for (account, cents) in transfer.changes() {
        sqlx::query("UPDATE accounts SET cents = cents + $1 WHERE id = $2")
            .bind(cents)
            .bind(account)
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query("INSERT INTO ledger VALUES ($1)")
        .bind(transfer.number)
        .execute(tx)
        .await?;
    Ok(transfer.number)
}

#[durable]
async fn in_mysql(database: &MySqlPool, transfer: Transfer) -> Result<i64, BoxError> {
    let number = step!("move", tx = database, |tx| move_in_mysql(tx, &transfer)
        .await)
    .await?;
    Ok(step!("confirm", tx = database, |tx| {
        sqlx::query("INSERT INTO confirmations VALUES (?)")
            .bind(number)
            .execute(tx)
            .await?;
        Ok(number)
    })
    .await?)
}

async fn move_in_mysql(tx: &mut MySqlConnection, transfer: &Transfer) -> Result<i64, BoxError> {
    for (account, cents) in transfer.changes() {
        sqlx::query("UPDATE accounts SET cents = cents + ? WHERE id = ?")
            .bind(cents)
            .bind(account)
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query("INSERT INTO ledger VALUES (?)")
        .bind(transfer.number)
        .execute(tx)
        .await?;
    Ok(transfer.number)
}

/// Runs the transfers, two at a time.
async fn all<F, S>(handler: F, store: &str, state: &S, numbers: Range<i64>) -> Result<(), BoxError>
where
    F: durable::IntoHandler + Copy,
    F::Handler: durable::Handler<S, Input = Transfer, Output = i64>,
    S: Sync,
{
    let store = durable::open(store).await?;
    let numbered = |number: i64| {
        let run = durable::run(
            handler,
            format!("transfer-{number}"),
            Transfer::numbered(number),
        );
        run.state(state).store(std::sync::Arc::clone(&store))
    };
    for number in numbers.step_by(2) {
        let (one, other) = tokio::join!(numbered(number), numbered(number + 1));
        assert_eq!((one?, other?), (number, number + 1));
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [store, database, from, to] = &arguments[..] else {
        return Err("usage: transfers STORE DATABASE FROM TO".into());
    };
    let numbers = from.parse()?..to.parse()?;
    if database.starts_with("postgres") {
        let pool = PgPool::connect(database).await?;
        return all(in_postgres, store, &pool, numbers).await;
    }
    if database.starts_with("mysql") {
        let pool = MySqlPool::connect(database).await?;
        return all(in_mysql, store, &pool, numbers).await;
    }
    let connection = rusqlite::Connection::open(database)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    all(in_sqlite, store, &Rusqlite::new(connection), numbers).await
}
