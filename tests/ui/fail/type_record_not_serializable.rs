use durable::prelude::*;

struct Plain;

#[durable]
async fn handler() -> Result<(), BoxError> {
    record!("a", Plain).await;
    Ok(())
}

fn main() {
    let _ = handler();
}
