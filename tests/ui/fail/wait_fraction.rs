use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    wait!(0.5).await;
    Ok(())
}

fn main() {
    let _ = handler();
}
