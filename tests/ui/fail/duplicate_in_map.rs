use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    map!("a", 0..3, |_n| {
        step!("b", work().await).await?;
        step!("b", work().await).await
    })
    .await;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {}
