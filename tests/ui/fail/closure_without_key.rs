use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let all = [1].map(|_| step!(work().await));
    futures::future::join_all(all).await;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
