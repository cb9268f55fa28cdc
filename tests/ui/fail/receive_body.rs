use durable::prelude::*;

#[durable]
async fn chat(_name: String) -> Result<String, BoxError> {
    Ok(receive!("line", read().await).await?)
}

fn main() {}
