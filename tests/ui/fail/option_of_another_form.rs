use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    record!("a", timeout = Duration::ZERO, 1).await;
    Ok(())
}

fn main() {
    let _ = handler();
}
