use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    for _ in 0..3 {
        step!(work().await).await?;
    }
    let text: String = 5;
    drop(text);
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
