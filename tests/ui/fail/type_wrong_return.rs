use durable::prelude::*;

#[durable]
async fn handler() -> Result<u32, BoxError> {
    Ok("text")
}

fn main() {
    let _ = handler();
}
