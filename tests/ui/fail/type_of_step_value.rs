use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let text: String = step!("a", work().await).await?;
    drop(text);
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
