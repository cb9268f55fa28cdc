use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    step!("a").await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
