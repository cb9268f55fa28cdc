use durable::prelude::*;

#[durable]
async fn handler(one: u32, two: u32) -> Result<u32, BoxError> {
    Ok(one + two)
}

fn main() {
    let _ = handler();
}
