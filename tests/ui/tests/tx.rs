//! The forms of a step in a transaction, on a database of another driver.
#![deny(warnings)]
#![allow(missing_docs)]

use durable::prelude::*;
use durable::transaction::{Key, RecordedOutcome, Transaction, TransactionError, Transactional};

struct App {
    bank: Bank,
}

struct Bank;

/// Transaction that borrows its database.
struct Open<'b>(#[expect(dead_code)] &'b Bank, Connection);

struct Connection;

impl Connection {
    async fn execute(&mut self, _sql: &str, cents: i64) -> Result<i64, std::fmt::Error> {
        Ok(cents)
    }
}

impl<'b> Transactional for &'b Bank {
    type Transaction = Open<'b>;

    async fn begin(&self) -> Result<Open<'b>, TransactionError> {
        Ok(Open(self, Connection))
    }

    async fn find(&self, _: &Key) -> Result<Option<RecordedOutcome>, TransactionError> {
        Ok(None)
    }

    async fn remove(&self, _: &Key) -> Result<(), TransactionError> {
        Ok(())
    }
}

impl Transaction for Open<'_> {
    type Handle<'t>
        = &'t mut Connection
    where
        Self: 't;

    fn handle(&mut self) -> &mut Connection {
        &mut self.1
    }

    async fn raise_fence(&mut self, _: &Key, _: i64) -> Result<bool, TransactionError> {
        Ok(true)
    }

    async fn insert(&mut self, _: &Key, _: &RecordedOutcome) -> Result<bool, TransactionError> {
        Ok(true)
    }

    async fn commit(self) -> Result<(), TransactionError> {
        Ok(())
    }

    async fn roll_back(self) -> Result<(), TransactionError> {
        Ok(())
    }
}

#[durable]
async fn handler(app: &App, cents: i64) -> Result<i64, BoxError> {
    let bank = &app.bank;
    let first = step!("charge", tx = &bank, |tx| charge(tx, cents).await).await?;
    step!(tx = &bank, |tx| log(tx, first).await).await?;
    for account in 0..3 {
        let retry = Retry::none();
        step!(
            "part",
            key = account,
            tx = &bank,
            retry = retry,
            timeout = 5.seconds(),
            |tx| {
                if tx
                    .execute("UPDATE accounts SET cents = 0 WHERE id = ?", account)
                    .await?
                    > 2
                {
                    return Err(fatal("no such account").into());
                }
                Ok(account)
            }
        )
        .await?;
    }
    let undone = step!(
        "reserve",
        tx = &bank,
        undo = |reserved| release(&app.bank, reserved).await,
        move,
        |_tx| Ok::<_, BoxError>(cents)
    )
    .await?;
    let accounts = vec![1, 2];
    let _ = map!("accounts", &accounts, key = |account| *account, |account| {
        step!("charge", tx = &bank, |tx| charge(tx, *account).await).await
    })
    .await;
    Ok(first + undone)
}

async fn charge(tx: &mut Connection, cents: i64) -> Result<i64, std::fmt::Error> {
    tx.execute("UPDATE accounts SET cents = cents - ?", cents)
        .await
}

async fn log(tx: &mut Connection, cents: i64) -> Result<(), BoxError> {
    tx.execute("INSERT INTO log VALUES (?)", cents).await?;
    Ok(())
}

async fn release(_bank: &Bank, _cents: i64) -> Result<(), BoxError> {
    Ok(())
}

#[tokio::test]
async fn the_steps_run() {
    let app = App { bank: Bank };
    let store = durable::store::MemoryStore::new();
    let run = durable::run(handler, "a", 10).state(&app).store(store);
    assert_eq!(run.await.unwrap(), 20);
}
