use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    call!("a", 1 + 1).await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
