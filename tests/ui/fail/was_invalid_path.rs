use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    step!("a", was = "load[3", work().await).await?;
    step!("b", was = "pay/../load", work().await).await?;
    step!("c", was = "load[3]x", work().await).await?;
    step!("d", was = "/pay/", work().await).await?;
    step!("e", was = "//pay", work().await).await?;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
