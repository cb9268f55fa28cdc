use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    map!("a", [1], item_label = "item", |item| { Ok(item) }).await;
    Ok(())
}

fn main() {}
