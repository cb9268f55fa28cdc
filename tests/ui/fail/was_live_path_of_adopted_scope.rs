use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    scope!("new", was = "old", { Ok(step!("load", work().await).await?) }).await?;
    step!("loaded", was = "/old/load", work().await).await?;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
