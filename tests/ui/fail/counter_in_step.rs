use durable::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering};

#[durable]
async fn handler() -> Result<(), BoxError> {
    let done = AtomicU32::new(0);
    step!("a", {
        done.fetch_add(1, Ordering::SeqCst);
        work().await
    })
    .await?;
    assert_eq!(done.into_inner(), 1);
    Ok(())
}

async fn work() -> Result<u32, BoxError> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
