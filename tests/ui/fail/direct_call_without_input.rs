use durable::prelude::*;

#[durable]
async fn helper() -> Result<u32, BoxError> {
    Ok(1)
}

#[durable]
async fn handler() -> Result<u32, BoxError> {
    Ok(helper().await?)
}

fn main() {
    let _ = handler();
}
