use durable::prelude::*;

#[durable]
async fn other(_app: &u32, n: u32) -> Result<u32, BoxError> {
    Ok(n)
}

#[durable]
async fn handler(app: &u32) -> Result<(), BoxError> {
    call!(other(app, 1)).await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
