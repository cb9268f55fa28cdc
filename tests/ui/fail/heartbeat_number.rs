use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let _: u32 = callback!("a", heartbeat = 30).await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
