use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let local = String::new();
    step!("a", async { &local }).await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
