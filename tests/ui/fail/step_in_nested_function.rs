use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    async fn nested() -> u32 {
        step!(work().await).await.unwrap_or_default() + 1
    }
    nested().await;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
