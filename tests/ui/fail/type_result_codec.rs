use durable::prelude::*;

#[durable]
async fn handler() -> Result<(), BoxError> {
    map!("a", [1], result_codec = durable::Text, |item| { Ok(item) }).await;
    Ok(())
}

fn main() {}
