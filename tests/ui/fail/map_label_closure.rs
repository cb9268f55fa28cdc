use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    map!("a", [1], label = |item| item, |item| { Ok(item) }).await;
    Ok(())
}

fn main() {}
