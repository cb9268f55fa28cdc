use durable::prelude::*;

struct Bank;

#[durable]
async fn handler(database: &Bank, cents: i64) -> Result<i64, BoxError> {
    Ok(step!("charge", tx = database, charge(cents).await).await?)
}

async fn charge(cents: i64) -> Result<i64, std::fmt::Error> {
    Ok(cents)
}

fn main() {}
