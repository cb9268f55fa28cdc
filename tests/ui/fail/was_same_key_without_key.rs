use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    scope!("files", { Ok(step!("load", was = "/load[*]", work().await).await?) }).await?;
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
