use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    tokio::time::sleep(Duration::ZERO).await;
    Ok(())
}

fn main() {
    let _ = handler();
}
