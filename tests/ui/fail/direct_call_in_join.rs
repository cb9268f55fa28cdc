use durable::prelude::*;

#[durable]
async fn helper(n: u32) -> Result<u32, BoxError> {
    Ok(n)
}

#[durable]
async fn handler() -> Result<u32, BoxError> {
    let (helped, ()) = tokio::join!(helper(1), wait!(Duration::from_secs(1)));
    Ok(helped?)
}

fn main() {
    let _ = handler();
}
