use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let map = std::collections::HashMap::from([(1, 2)]);
    for (k, _) in &map {
        step!(key = k, work().await).await?;
    }
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
