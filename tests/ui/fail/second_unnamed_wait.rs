use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    wait!(Duration::ZERO).await;
    wait!(Duration::ZERO).await;
    Ok(())
}

fn main() {
    let _ = handler();
}
