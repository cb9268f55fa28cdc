use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    let most: u32 = 3;
    map!("a", [1], concurrency = most, |item| { Ok(item) }).await;
    Ok(())
}

fn main() {
    let _ = handler();
}
