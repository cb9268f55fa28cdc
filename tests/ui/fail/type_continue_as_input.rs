use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    if step!(work().await).await? > 1 {
        return continue_as!("text").await;
    }
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {}
