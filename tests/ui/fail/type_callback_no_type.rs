use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    callback!("answer").await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
