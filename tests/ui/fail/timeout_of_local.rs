use durable::prelude::*;
use tokio::time::timeout;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let work = step!(work().await);
    let limited = timeout(Duration::from_secs(1), work);
    limited.await??;
    Ok(())
}

async fn work() -> Result<u32, BoxError> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
