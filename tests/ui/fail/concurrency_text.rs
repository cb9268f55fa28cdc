use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    map!("a", [1], concurrency = "3", |item| { Ok(item) }).await;
    Ok(())
}

fn main() {
    let _ = handler();
}
