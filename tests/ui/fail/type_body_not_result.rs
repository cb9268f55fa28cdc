use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    step!("a", 5).await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
