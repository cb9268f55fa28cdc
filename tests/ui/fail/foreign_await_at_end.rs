use durable::prelude::*;

#[durable]
async fn handler() -> Result<u32, BoxError> {
    load().await
}

async fn load() -> Result<u32, BoxError> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
