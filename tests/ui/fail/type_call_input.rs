use durable::prelude::*;

#[durable]
async fn other(n: u32) -> Result<u32, BoxError> {
    Ok(n)
}

#[durable]
async fn handler() -> Result<(), BoxError> {
    call!(other("text")).await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
