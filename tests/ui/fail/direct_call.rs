use durable::prelude::*;

#[durable]
async fn helper(n: u32) -> Result<u32, BoxError> {
    Ok(n)
}

#[durable]
async fn handler() -> Result<u32, BoxError> {
    Ok(helper(1).await?)
}

fn main() {
    let _ = handler();
}
