use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let set: std::collections::HashSet<u32> = [1].into();
    let all = set.iter().map(|n| step!(key = n, work().await));
    futures::future::join_all(all).await;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
