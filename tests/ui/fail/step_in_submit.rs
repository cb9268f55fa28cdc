use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let _: u32 = callback!("a", submit = |id| { step!("b", work().await).await?; Ok(()) }).await?;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {}
