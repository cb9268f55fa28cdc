use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    step!("a", undo = work(), work().await).await?;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {}
