use durable::prelude::*;

struct App {
    url: String,
}

#[durable]
async fn handler(app: &App, cents: i64) -> Result<i64, BoxError> {
    Ok(step!("charge", tx = &app.url, |tx| charge(tx, cents).await).await?)
}

async fn charge(_tx: &mut String, cents: i64) -> Result<i64, std::fmt::Error> {
    Ok(cents)
}

fn main() {}
