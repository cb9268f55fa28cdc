use durable::prelude::*;
use tokio::time::timeout;

#[durable]
async fn handler() -> Result<(), BoxError> {
    timeout(Duration::from_secs(1), step!(work().await)).await??;
    Ok(())
}

async fn work() -> Result<u32, BoxError> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
