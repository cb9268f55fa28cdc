use durable::prelude::*;
use durable::step as s;

#[durable]
async fn handler() -> Result<u32, BoxError> {
    Ok(s!("one", Ok::<_, BoxError>(1)).await?)
}

fn main() {
    let _ = handler();
}
