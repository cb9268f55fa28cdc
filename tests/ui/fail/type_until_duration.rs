use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    wait!(until = 30.seconds()).await;
    Ok(())
}

fn main() {
    let _ = handler();
}
