use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    step!(was = old, work().await).await?;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
