use durable::prelude::*;
use futures::StreamExt;
use futures::stream::FuturesUnordered;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let mut all: FuturesUnordered<_> =
        (0..3).map(|n| step!(key = n, move, work(n).await)).collect();
    while let Some(done) = all.next().await {
        done?;
    }
    Ok(())
}

async fn work(n: u32) -> Result<u32, BoxError> {
    Ok(n)
}

fn main() {
    let _ = handler();
}
