use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let value = record!("outer", step!("inner", work().await).await.is_ok()).await;
    assert!(value);
    Ok(())
}

async fn work() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {
    let _ = handler();
}
