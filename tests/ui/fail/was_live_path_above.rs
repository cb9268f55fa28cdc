use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    step!("charge", work().await).await?;
    scope!("pay", { Ok(step!("charge", was = "/charge", work().await).await?) }).await?;
    scope!("bill", { Ok(step!("charge", was = "../charge", work().await).await?) }).await?;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
