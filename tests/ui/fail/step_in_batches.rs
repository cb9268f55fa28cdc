use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let rows = [1];
    batches!("a", rows, |_rows| { step!("b", work().await).await?; Ok(()) }).await?;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {}
