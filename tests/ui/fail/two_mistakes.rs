use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let now = std::time::SystemTime::now();
    for n in 0..3 {
        step!(work().await).await?;
    }
    assert!(now.elapsed()?.is_zero());
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
