use durable::prelude::*;

struct Bank;

#[durable]
async fn handler(database: &Bank, cents: i64) -> Result<i64, BoxError> {
    Ok(step!("charge", tx = database, at_most_once, |tx| {
        tx.execute("UPDATE accounts SET cents = cents - ?1", [cents])?;
        Ok(cents)
    })
    .await?)
}

fn main() {}
