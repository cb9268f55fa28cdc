use durable::prelude::*;

#[durable]
async fn other(_app: &u64) -> Result<u32, BoxError> {
    Ok(1)
}

#[durable]
async fn handler(_app: &u32) -> Result<(), BoxError> {
    call!(other()).await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
