use durable::prelude::*;

struct Bank;

#[durable]
async fn handler(database: &Bank, cents: i64) -> Result<i64, BoxError> {
    Ok(scope!("charge", tx = database, { step!("a", charge(cents).await).await }).await?)
}

async fn charge(cents: i64) -> Result<i64, std::fmt::Error> {
    Ok(cents)
}

fn main() {}
