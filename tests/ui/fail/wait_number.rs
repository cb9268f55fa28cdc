use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    wait!(30).await;
    Ok(())
}

fn main() {
    let _ = handler();
}
